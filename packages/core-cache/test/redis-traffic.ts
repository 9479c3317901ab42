import type { CacheManager } from '@smart-whale/core-cache'

const KEYS = 40
/** Keys that nobody reads by himself: what a server brings back of them is in no memory. */
const QUIET_KEYS = Array.from({ length: 60 }, (_, index) => `quiet${index}`)
const READERS_A_NODE = 6
const READ_EVERY_MS = 3
/** Each with keys of its own. In a run that has just begun each invalidation takes a whole lease. */
const WRITERS = 10
const WRITE_EVERY_MS = 15

/** Reads and invalidations on several nodes, each read checked: it must be of a load that began after the last acknowledged invalidation. */
export class Traffic {
  readonly errors: unknown[] = []
  readonly stale: string[] = []
  reads = 0
  acknowledged = 0
  readonly #nodes: readonly CacheManager[]
  /** The source of truth, and the newest version of each key whose invalidation has been acknowledged. */
  readonly #written = new Map<string, number>()
  readonly #promised = new Map<string, number>()
  readonly #running: Promise<void>[]
  #isRunning = true

  constructor(nodes: readonly CacheManager[]) {
    this.#nodes = nodes
    const readers = nodes.flatMap((node, index) => Array.from({ length: READERS_A_NODE }, () => this.#keepOn(READ_EVERY_MS, () => this.#read(node, index))))
    const writers = Array.from({ length: WRITERS }, (_, writer) => this.#keepOn(WRITE_EVERY_MS, (turn) => this.#write(writer, turn)))
    this.#running = [...readers, ...writers]
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await Promise.all(this.#running)
    // What was acknowledged last has to be seen as well.
    for (const [index, node] of this.#nodes.entries()) for (let key = 0; key < KEYS; key++) await this.#read(node, index, `k${key}`)
  }

  /** Reads the quiet keys, on all nodes. */
  async readQuiet(): Promise<void> {
    for (const [index, node] of this.#nodes.entries()) await Promise.all(QUIET_KEYS.map((key) => this.#read(node, index, key)))
  }

  /** Invalidates the quiet keys; resolves when that is acknowledged. */
  async invalidateQuiet(): Promise<void> {
    const version = (this.#promised.get('quiet0') ?? 0) + 1
    for (const key of QUIET_KEYS) this.#written.set(key, version)
    await this.#nodes[0]?.batchInvalidate(QUIET_KEYS)
    for (const key of QUIET_KEYS) this.#promised.set(key, version)
  }

  async #keepOn(everyMs: number, act: (turn: number) => Promise<void>): Promise<void> {
    for (let turn = 0; this.#isRunning; turn++) {
      await act(turn)
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
  }

  async #read(node: CacheManager, index: number, key = `k${Math.floor(Math.random() * KEYS)}`): Promise<void> {
    const atLeast = this.#promised.get(key) ?? 0
    this.reads += 1
    try {
      const version = await node.smartGet(key, () => this.#written.get(key) ?? 0, { tags: tagsOf(key) })
      if (version < atLeast) this.stale.push(`node ${index} read ${key} version ${version} though ${atLeast} was acknowledged`)
    } catch (error) {
      this.errors.push(error)
    }
  }

  async #write(writer: number, turn: number): Promise<void> {
    const node = this.#nodes[(writer + turn) % this.#nodes.length] as CacheManager
    const key = `k${writer + WRITERS * Math.floor((Math.random() * KEYS) / WRITERS)}`
    const version = (this.#written.get(key) ?? 0) + 1
    this.#written.set(key, version)
    try {
      if (tagsOf(key).length > 0) await node.invalidateTags(tagsOf(key))
      else if (writer % 10 === 1) await node.patternInvalidate(key)
      else await node.invalidate(key)
      this.#promised.set(key, version)
      this.acknowledged += 1
    } catch (error) {
      // Not acknowledged: nothing was promised.
      if ((error as { readonly code?: unknown }).code !== 'ERR_CACHE_UNACKNOWLEDGED') this.errors.push(error)
    }
  }
}

/** Those of every third writer are invalidated by tag. */
function tagsOf(key: string): string[] {
  const writer = Number(key.slice(1)) % WRITERS
  return writer % 3 === 0 ? [`t${writer}`] : []
}
