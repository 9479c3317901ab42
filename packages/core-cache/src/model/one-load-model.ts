import { FakeClock } from '@smart-whale/interfaces/testing'
import { seededFractions } from '../l1/synthetic-traces.ts'
import { type CacheManager, createCacheManager } from '../manager/cache-manager.ts'
import { MemorySharedServer } from '../testing/memory-shared-server.ts'
import type { History } from './stale-model.ts'

/** What came of a history in which nobody is cut off. */
export interface OneLoadOutcome {
  readonly reads: number
  readonly loads: number
  /** Loads that began while another living node loaded the key. */
  readonly doubled: number
  /** Loads that began while there was a fresh value. */
  readonly needless: number
  /** Reads that got neither a value nor the failure of a loader. */
  readonly failures: number
  /** The first load that was one too many, for whoever looks for the reason. */
  readonly first: string | undefined
}

const KEYS = ['a', 'b', 'c']
const NODES = 3
const FRESH_MS = 3_000
/** One way; what is asked then is always answered within the deadline of 100 ms. */
const LONGEST_WAY_MS = 40
/** What a node that dies has loaded may not have reached the others. */
const ON_ITS_WAY_MS = 500

/** Plays one history: nodes read keys, loads take long or fail, values run out, keys are invalidated and nodes die. The same seed plays the same one. */
export async function playOneLoadHistory({ seed, steps }: History): Promise<OneLoadOutcome> {
  const world = new OneLoadWorld(seed)
  for (let step = 0; step < steps; step++) {
    world.act()
    await world.clock.advance(world.upTo(300))
  }
  return world.end()
}

interface Life {
  isOver: boolean
}

/** What is known of the loads of a key since it was last invalidated. */
interface KeyLoads {
  readonly running: Set<Life>
  /** Until when there is a fresh value, and whose it is. */
  freshUntilMs: number
  loadedAtMs: number
  by: Life | undefined
}

const noLoads = (): KeyLoads => ({ running: new Set(), freshUntilMs: -Infinity, loadedAtMs: -Infinity, by: undefined })

class OneLoadWorld {
  readonly clock = new FakeClock()
  readonly #fraction: () => number
  readonly #server: MemorySharedServer
  readonly #nodes: CacheManager[] = []
  readonly #lives: Life[] = []
  readonly #dead: CacheManager[] = []
  readonly #loads = new Map<string, KeyLoads>(KEYS.map((key) => [key, noLoads()]))
  /** Keys that are being invalidated: what is loaded meanwhile may not count. */
  readonly #invalidating = new Map<string, number>()
  readonly #pending = new Set<Promise<unknown>>()
  #outcome = { reads: 0, loads: 0, doubled: 0, needless: 0, failures: 0, first: undefined as string | undefined }

  constructor(seed: number) {
    this.#fraction = seededFractions(seed)
    this.#server = new MemorySharedServer(this.clock)
    for (let index = 0; index < NODES; index++) this.#nodes.push(this.#start(index))
  }

  upTo(most: number): number {
    return Math.floor(this.#fraction() * most)
  }

  act(): void {
    const dice = this.#fraction()
    const node = this.upTo(NODES)
    const key = KEYS[this.upTo(KEYS.length)] as string
    if (dice < 0.6) this.#track(this.#read(node, key))
    else if (dice < 0.85) for (let each = 0; each < NODES; each++) this.#track(this.#read(each, key))
    else if (dice < 0.9) this.#track(this.#invalidate(node, key))
    else if (dice < 0.93) this.#nodes[node]?.demote(key)
    else if (dice < 0.96) this.#track((this.#nodes[node] as CacheManager).promote(key))
    else this.#restart(node)
  }

  async end(): Promise<OneLoadOutcome> {
    await this.clock.advance(15_000)
    const closing = Promise.all([...this.#nodes, ...this.#dead].map((node) => node.disconnect()))
    await this.clock.advance(10_000)
    await closing
    await Promise.all(this.#pending)
    return this.#outcome
  }

  #start(index: number): CacheManager {
    const life: Life = { isOver: false }
    this.#lives[index] = life
    const carry = async (what: string): Promise<void> => {
      await this.#delay(LONGEST_WAY_MS)
      if (life.isOver || (what === 'message' && this.#fraction() < 0.1)) throw new TypeError('lost')
    }
    return createCacheManager({ shared: this.#server.layerFor(carry), clock: this.clock, ttlSeconds: FRESH_MS / 1_000, refreshShare: 0, waitTimeoutMs: 20_000 })
  }

  #restart(index: number): void {
    const life = this.#lives[index] as Life
    life.isOver = true
    for (const loads of this.#loads.values()) {
      loads.running.delete(life)
      if (loads.by === life && this.clock.monotonic() - loads.loadedAtMs < ON_ITS_WAY_MS) loads.freshUntilMs = -Infinity
    }
    this.#dead.push(this.#nodes[index] as CacheManager)
    this.#nodes[index] = this.#start(index)
  }

  async #read(node: number, key: string): Promise<void> {
    const life = this.#lives[node] as Life
    this.#outcome.reads += 1
    try {
      await (this.#nodes[node] as CacheManager).smartGet(key, () => this.#load(life, node, key))
    } catch (error) {
      const isLoaders = error instanceof RangeError || (error as { code?: unknown }).code === 'ERR_CACHE_LOAD'
      if (!isLoaders && !life.isOver) this.#outcome.failures += 1
    }
  }

  async #load(life: Life, node: number, key: string): Promise<string> {
    const mayCount = !life.isOver && !this.#invalidating.has(key)
    const loads = this.#loads.get(key) as KeyLoads
    if (mayCount) this.#judge(loads, node, key)
    this.#outcome.loads += 1
    if (mayCount) loads.running.add(life)
    await this.#delay(this.#fraction() < 0.1 ? 5_000 : 300)
    loads.running.delete(life)
    if (this.#fraction() < 0.1) throw new RangeError('the source is away')
    if (mayCount && !life.isOver) Object.assign(loads, { loadedAtMs: this.clock.monotonic(), freshUntilMs: this.clock.monotonic() + FRESH_MS, by: life })
    return 'value'
  }

  #judge(loads: KeyLoads, node: number, key: string): void {
    const nowMs = this.clock.monotonic()
    if (loads.running.size > 0) this.#outcome.doubled += 1
    // The clocks of a value and of its copies elsewhere differ by the way there.
    const isNeedless = nowMs < loads.freshUntilMs - 2 * LONGEST_WAY_MS
    if (isNeedless) this.#outcome.needless += 1
    if (loads.running.size > 0 || isNeedless) this.#outcome.first ??= `node ${node} loads ${key} at ${nowMs}, which ${isNeedless ? `is fresh until ${loads.freshUntilMs}` : 'another one loads'}`
  }

  /** From its beginning on, nothing that was loaded before counts any more. */
  async #invalidate(node: number, key: string): Promise<void> {
    this.#invalidating.set(key, (this.#invalidating.get(key) ?? 0) + 1)
    await (this.#nodes[node] as CacheManager).invalidate(key).catch(() => {})
    // A node that has died goes on asking for it: a while longer, nobody can say what counts.
    await this.#delay(ON_ITS_WAY_MS)
    this.#loads.set(key, noLoads())
    const left = (this.#invalidating.get(key) ?? 1) - 1
    if (left === 0) this.#invalidating.delete(key)
    else this.#invalidating.set(key, left)
  }

  #delay(mostMs: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, this.upTo(mostMs)))
  }

  #track(work: Promise<unknown>): void {
    const tracked = work.catch(() => {}).finally(() => this.#pending.delete(tracked))
    this.#pending.add(tracked)
  }
}
