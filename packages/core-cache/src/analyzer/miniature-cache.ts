import { systemClock } from '@smart-whale/interfaces'
import { EntryStore } from '../l1/entry-store.ts'

const NOTHING = { value: true, bytes: 0, frozen: true, lifeMs: Infinity }

/**
 * What `L1Cache` would do at another size, tried in miniature: a store of its kind without values, as much smaller as the sample is smaller than the traffic
 * (C. Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations", ATC 2017).
 */
export class MiniatureCache {
  /** Entries of the cache that it stands for. */
  readonly entries: number
  misses = 0
  readonly #store: EntryStore

  constructor(entries: number, share: number) {
    this.entries = entries
    this.#store = new EntryStore({ maxEntries: Math.max(1, Math.round(entries * share)), maxBytes: Number.MAX_SAFE_INTEGER, clock: systemClock })
  }

  access(key: string): void {
    if (this.#store.readAt(key, 0) >= 0) return
    this.misses += 1
    this.#store.put(key, NOTHING)
  }
}
