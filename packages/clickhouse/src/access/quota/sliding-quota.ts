import type { QuotaOptions } from '../trust-level.ts'
import { addSpending, NOTHING_SPENT, type QuotaStore, SLICES_PER_WINDOW, type SpentSlice, type Spending } from './spending.ts'

/** A quota that is spent: which kind, how much of it, and when there is some again. */
export interface QuotaExcess {
  readonly kind: keyof Spending
  readonly spent: number
  readonly allowed: number
  readonly retryAfterMs: number
}

const KINDS = [
  ['queries', 'maxQueries'],
  ['rowsRead', 'maxRowsRead'],
  ['bytesRead', 'maxBytesRead'],
  ['serverMs', 'maxServerMs'],
] as const satisfies readonly (readonly [keyof Spending, keyof QuotaOptions])[]

/**
 * What each tenant may spend within a window that slides. A query is let in while something is left, and what it really cost is counted
 * when it has ended: so a tenant overdraws by at most what its queries under way may cost each.
 */
export class SlidingQuota {
  readonly #options: QuotaOptions
  readonly #store: QuotaStore
  readonly #now: () => number
  readonly windowMs: number

  constructor(options: QuotaOptions, store: QuotaStore, now: () => number) {
    this.#options = options
    this.#store = store
    this.#now = now
    this.windowMs = (options.windowSeconds ?? 60) * 1000
  }

  /** The kind of spending that leaves nothing for another query; undefined when there is something left of all. */
  async excess(key: string): Promise<QuotaExcess | undefined> {
    const slices = await this.#store.read(key, this.windowMs)
    const spent = slices.reduce<Spending>(addSpending, NOTHING_SPENT)
    for (const [kind, bound] of KINDS) {
      const allowed = this.#options[bound]
      if (allowed !== undefined && spent[kind] >= allowed) return { kind, spent: spent[kind], allowed, retryAfterMs: this.#untilBelow(slices, kind, allowed) }
    }
    return undefined
  }

  async spend(key: string, spent: Spending): Promise<void> {
    await this.#store.add(key, spent, this.windowMs)
  }

  /** How long until so many of the oldest slices have left the window that the rest is below the bound. */
  #untilBelow(slices: readonly SpentSlice[], kind: keyof Spending, allowed: number): number {
    let left = slices.reduce((sum, slice) => sum + slice[kind], 0)
    for (const slice of slices.toSorted((one, other) => one.startMs - other.startMs)) {
      left -= slice[kind]
      if (left < allowed) return Math.max(1, Math.ceil(slice.startMs + this.windowMs * (1 + 1 / SLICES_PER_WINDOW) - this.#now()))
    }
    return this.windowMs
  }
}
