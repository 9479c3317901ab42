import { FakeClock } from '@smart-whale/interfaces/testing'
import { type CacheManager, createCacheManager } from '../manager/cache-manager.ts'
import { seededFractions } from '../l1/synthetic-traces.ts'
import { MemoryPersistentLayer } from '../testing/memory-persistent-layer.ts'
import { MemorySharedServer, type ServerCopy } from '../testing/memory-shared-server.ts'

/** One history of nodes, a source of truth, and a network that delays, loses and cuts. */
export interface History {
  readonly seed: number
  readonly steps: number
}

/** What came of it. */
export interface HistoryOutcome {
  /** Reads that got what had been invalidated, and acknowledged, before they began. */
  readonly stale: number
  /** Reads and sets that failed though no loader did. */
  readonly failures: number
  readonly reads: number
  readonly loads: number
  readonly acknowledged: number
  /** Reads that the persistent layer answered, and restarts. */
  readonly kept: number
  readonly restarts: number
  /** How often a replica took over. */
  readonly failovers: number
  /** The first stale read, for whoever looks for the reason. */
  readonly first: string | undefined
}

const KEYS = ['a', 'b']
const TAG = 'tagged'
const NODES = 3
/** Memory of some nodes: now and then it holds nothing at all. */
const LITTLE_BYTES = 3_000

/** Plays one history. The same seed plays the same one. */
export async function playHistory({ seed, steps }: History): Promise<HistoryOutcome> {
  const world = new World(seed)
  for (let step = 0; step < steps; step++) {
    world.act()
    await world.clock.advance(world.upTo(200))
  }
  return world.end()
}

class World {
  readonly clock = new FakeClock()
  readonly #fraction: () => number
  readonly #server: MemorySharedServer
  /** What the replica has got. */
  #replica: ServerCopy
  readonly #nodes: CacheManager[] = []
  readonly #disks: MemoryPersistentLayer[] = []
  readonly #lives: { isOver: boolean }[] = []
  readonly #isCut: boolean[] = []
  /** Those that are being closed, or opened again. */
  readonly #isClosed: boolean[] = []
  /** How many times each node was closed for a while. */
  readonly #closings: number[] = []
  readonly #pressures: ((share: number) => void)[] = []
  /** The source of truth, and the newest version of each key whose invalidation has been acknowledged. */
  readonly #written = new Map<string, number>()
  readonly #acknowledged = new Map<string, number>()
  /** Writes of a key that are under way, and keys that are being set: of a set and a write at the same time, nobody can say which is the newer. */
  readonly #writing = new Map<string, number>()
  readonly #setting = new Set<string>()
  readonly #pending = new Set<Promise<unknown>>()
  readonly #dead: CacheManager[] = []
  #outcome = { stale: 0, failures: 0, reads: 0, loads: 0, acknowledged: 0, kept: 0, restarts: 0, failovers: 0, first: undefined as string | undefined }

  constructor(seed: number) {
    this.#fraction = seededFractions(seed)
    this.#server = new MemorySharedServer(this.clock)
    this.#replica = this.#server.copy()
    for (let index = 0; index < NODES; index++) {
      this.#isCut.push(false)
      this.#isClosed.push(false)
      this.#disks.push(new MemoryPersistentLayer({ nowMs: () => this.clock.now(), carry: () => this.#carryToDisk() }))
      this.#nodes.push(this.#start(index))
    }
  }

  #start(index: number): CacheManager {
    const life = { isOver: false }
    this.#lives[index] = life
    const shared = this.#server.layerFor((what) => (life.isOver ? Promise.reject(new TypeError('dead')) : this.#carry(index, what)))
    // For some, everything is too large for the shared layer: what they keep is on their disks alone.
    const sharedMaxBytes = this.#fraction() < 0.7 ? 1 : undefined
    const maxBytes = this.#fraction() < 0.3 ? LITTLE_BYTES : undefined
    const memoryPressure = { follow: (setShare: (share: number) => void) => ((this.#pressures[index] = setShare), () => {}) }
    return createCacheManager({
      shared, persistent: this.#disks[index], persistentMinLoadMs: 0, sharedMaxBytes, maxBytes, memoryPressure, clock: this.clock,
      ttlSeconds: 30, refreshShare: 0.5, staleWhileRevalidateSeconds: 30, staleIfErrorSeconds: 30, waitTimeoutMs: 1500, closeTimeoutMs: 60_000,
    })
  }

  /** The node dies where it stands, and starts again with what is on its disk; it forgets who waits. */
  #restart(index: number): void {
    this.#outcome.restarts += 1
    ;(this.#lives[index] as { isOver: boolean }).isOver = true
    this.#disks[index] = (this.#disks[index] as MemoryPersistentLayer).crash()
    this.#dead.push(this.#nodes[index] as CacheManager)
    this.#nodes[index] = this.#start(index)
  }

  upTo(most: number): number {
    return Math.floor(this.#fraction() * most)
  }

  /** Something happens somewhere. */
  act(): void {
    const dice = this.#fraction()
    const node = this.upTo(NODES)
    const key = KEYS[this.upTo(KEYS.length)] as string
    if (dice > 0.84) this.#fail(dice, node)
    else if (this.#isClosed[node] === true) return
    else if (dice < 0.45) this.#track(this.#read(node, key))
    else if (dice < 0.5) this.#nodes[node]?.demote(key)
    else if (dice < 0.55) this.#track((this.#nodes[node] as CacheManager).promote(key))
    else if (dice < 0.74) this.#track(this.#write(node, key))
    else if (dice < 0.79) this.#track(this.#set(node, key))
    else if (dice < 0.83) this.#pressures[node]?.(this.#fraction() < 0.5 ? this.#fraction() : 1)
    else this.#nodes[node]?.resize({ maxEntries: 1 + this.upTo(3), maxBytes: LITTLE_BYTES * (1 + this.upTo(2)) })
  }

  #fail(dice: number, node: number): void {
    if (dice < 0.94) this.#isCut[node] = this.#isCut[node] !== true
    else if (dice < 0.95) this.#isCut.fill(false)
    else if (dice < 0.965 && this.#isClosed[node] !== true) this.#restart(node)
    else if (dice < 0.97 && this.#isClosed[node] !== true) this.#track(this.#closeForAWhile(node))
    else if (dice < 0.98) this.#replica = this.#server.copy()
    else if (dice < 0.99) this.#failOver()
    else this.#server.restartEmpty()
  }

  #failOver(): void {
    this.#outcome.failovers += 1
    this.#server.failOver(this.#replica)
  }

  async #closeForAWhile(node: number): Promise<void> {
    this.#isClosed[node] = true
    this.#closings[node] = (this.#closings[node] ?? 0) + 1
    const manager = this.#nodes[node] as CacheManager
    await manager.disconnect()
    await this.#delay(3_000)
    await manager.connect()
    this.#isClosed[node] = false
  }

  async end(): Promise<HistoryOutcome> {
    this.#isCut.fill(false)
    await this.clock.advance(8_000)
    // After all that, everybody sees the newest.
    await this.clock.advance(8_000)
    for (let node = 0; node < NODES; node++) for (const key of KEYS) this.#track(this.#read(node, key))
    await this.clock.advance(8_000)
    const closing = Promise.all([...this.#nodes, ...this.#dead].map((node) => node.disconnect()))
    await this.clock.advance(10_000)
    await closing
    await Promise.all(this.#pending)
    return this.#outcome
  }

  async #read(node: number, key: string): Promise<void> {
    const atLeast = this.#acknowledged.get(key) ?? 0
    this.#outcome.reads += 1
    let loaderFailed = false
    const loader = async (): Promise<{ readonly version: number }> => {
      this.#outcome.loads += 1
      const version = this.#written.get(key) ?? 0
      await this.#delay(this.#fraction() < 0.1 ? 3000 : 60)
      loaderFailed = this.#fraction() < 0.05
      if (loaderFailed) throw new TypeError('the source is away')
      return { version }
    }
    try {
      const { value: { version }, source } = await (this.#nodes[node] as CacheManager).smartGetDetailed(key, loader, key === 'a' ? { tags: [TAG] } : undefined)
      if (source === 'persistent') this.#outcome.kept += 1
      if (version >= atLeast) return
      this.#outcome.stale += 1
      this.#outcome.first ??= `node ${node} read ${key} version ${version} from ${source} though ${atLeast} was acknowledged`
    } catch (error) {
      // A loader's failure is handed to all who wait for it, also elsewhere.
      if (!(error instanceof TypeError) && (error as { code?: unknown }).code !== 'ERR_CACHE_LOAD') this.#outcome.failures += 1
    }
  }

  async #write(node: number, key: string): Promise<void> {
    if (this.#setting.has(key)) return
    const manager = this.#nodes[node] as CacheManager
    const dice = this.#fraction()
    await this.#change(node, key, () => {
      if (key === 'a' && dice < 0.5) return manager.invalidateTags([TAG])
      if (dice < 0.8) return manager.invalidate(key)
      return dice < 0.95 ? manager.patternInvalidate(`${key}*`) : manager.clear()
    })
  }

  async #set(node: number, key: string): Promise<void> {
    if ((this.#writing.get(key) ?? 0) > 0) return this.#write(node, key)
    this.#setting.add(key)
    await this.#change(node, key, (version) => (this.#nodes[node] as CacheManager).smartSet(key, { version }, key === 'a' ? { tags: [TAG] } : undefined))
    this.#setting.delete(key)
  }

  async #change(node: number, key: string, acknowledge: (version: number) => Promise<void>): Promise<void> {
    const version = (this.#written.get(key) ?? 0) + 1
    const closings = this.#closings[node]
    this.#written.set(key, version)
    this.#writing.set(key, (this.#writing.get(key) ?? 0) + 1)
    try {
      await acknowledge(version)
      this.#acknowledged.set(key, Math.max(version, this.#acknowledged.get(key) ?? 0))
      this.#outcome.acknowledged += 1
    } catch (error) {
      // Not acknowledged: nothing was promised. Nor where the node was closed under it.
      const { code } = error as { code?: unknown }
      const isCutShort = code === 'ERR_ABORTED' && this.#closings[node] !== closings
      if (code !== 'ERR_CACHE_UNACKNOWLEDGED' && !isCutShort) this.#outcome.failures += 1
    } finally {
      this.#writing.set(key, (this.#writing.get(key) ?? 0) - 1)
    }
  }

  async #carry(node: number, what: string): Promise<void> {
    await this.#delay(this.#fraction() < 0.05 ? 600 : 15)
    if (this.#isCut[node] === true || (what === 'message' && this.#fraction() < 0.1)) {
      // A reply that is lost is noticed by its deadline only.
      if (what !== 'message') await this.#delay(2500)
      throw new TypeError('lost')
    }
  }

  /** A disk is quick, now and then slow, and seldom broken. */
  async #carryToDisk(): Promise<void> {
    const dice = this.#fraction()
    await this.#delay(dice < 0.02 ? 200 : 3)
    if (dice > 0.99) throw new TypeError('the disk is broken')
  }

  #delay(mostMs: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, this.upTo(mostMs)))
  }

  #track(work: Promise<unknown>): void {
    const tracked = work.finally(() => this.#pending.delete(tracked))
    this.#pending.add(tracked)
  }
}
