import type { CacheShard, MovingEntry, ShardAnswer } from './cache-shard.ts'
import { isNewer, type Topology } from './topology.ts'

/** What a server does for a distribution, in memory, for tests: each step is atomic, and how long the ways to it and back take, the test decides. */
export class MemoryShard {
  readonly entries = new Map<string, string>()
  readonly #marks = new Map<string, string>()
  #topology: Topology | undefined
  #version = 0

  /** The shard as one process sees it. */
  seenBy(carry: () => Promise<void>): CacheShard {
    const call = async <T>(step: () => T): Promise<T> => {
      await carry()
      const answer = step()
      await carry()
      return answer
    }
    const guarded = <T>(version: number, refused: T, step: () => T): Promise<ShardAnswer<T>> => call(() => this.#guard(version, refused, step))
    return {
      connect: async () => {},
      disconnect: async () => {},
      get: (key) => call(() => ({ version: this.#version, answer: this.entries.get(key) })),
      look: (key) => call(() => ({ version: this.#version, answer: { exists: this.entries.has(key), leftMs: null } })),
      set: (key, payload, _lifeMs, version) => guarded(version, undefined, () => this.#put(key, payload)),
      delete: (key, version) => guarded(version, false, () => this.#remove(key)),
      scan: () => this.#scan(carry),
      clear: () => call(() => this.entries.clear()),
      beginMove: (key, token, _lifeMs, version) => guarded(version, false, () => !this.entries.has(key) && this.#marks.set(key, token) !== undefined),
      finishMove: (key, token, entry, version) => guarded(version, false, () => this.#finishMove(key, token, entry)),
      peek: (key) => call(() => this.#peek(key)),
      readTopology: () => call(() => this.#topology),
      tellTopology: (topology, after) => call(() => this.#tell(topology, after)),
    }
  }

  #guard<T>(version: number, refused: T, step: () => T): ShardAnswer<T> {
    const known = this.#version
    if (known > version) return { version: known, answer: refused }
    this.#version = version
    return { version: known, answer: step() }
  }

  #put(key: string, payload: string): undefined {
    this.entries.set(key, payload)
    this.#marks.delete(key)
  }

  #remove(key: string): boolean {
    this.#marks.delete(key)
    return this.entries.delete(key)
  }

  #finishMove(key: string, token: string, { payload }: MovingEntry): boolean {
    if (this.#marks.get(key) !== token) return false
    this.#put(key, payload)
    return true
  }

  #peek(key: string): MovingEntry | undefined {
    const payload = this.entries.get(key)
    return payload === undefined ? undefined : { payload, leftMs: 0 }
  }

  async *#scan(carry: () => Promise<void>): AsyncIterable<string[]> {
    for (const key of [...this.entries.keys()]) {
      await carry()
      yield [key]
    }
  }

  #tell(topology: Topology, after: number | undefined): Topology | undefined {
    if (isNewer(topology, this.#topology) && (after === undefined || after === (this.#topology?.version ?? 0))) {
      this.#topology = topology
      this.#version = Math.max(this.#version, topology.version)
    }
    return this.#topology
  }
}
