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
  /** Queries of each key that were let in and haven't left. */
  readonly #underWay = new Map<string, number>()
  readonly windowMs: number

  constructor(options: QuotaOptions, store: QuotaStore, now: () => number) {
    this.#options = options
    this.#store = store
    this.#now = now
    this.windowMs = (options.windowSeconds ?? 60) * 1000
  }

  /** Lets a query in, until it leaves; or tells which kind of spending leaves nothing for it. */
  async enter(key: string): Promise<QuotaExcess | undefined> {
    const slices = await this.#store.read(key, this.windowMs)
    // Looked at and counted in one go: of those who come at once, no more get in than there is room for.
    const excess = this.#excessOf(slices, this.#queriesUnderWay(key))
    if (excess === undefined) this.#underWay.set(key, this.#queriesUnderWay(key) + 1)
    return excess
  }

  /** To be called once for each query that was let in, behind {@link spend}. */
  leave(key: string): void {
    const others = this.#queriesUnderWay(key) - 1
    if (others > 0) this.#underWay.set(key, others)
    else this.#underWay.delete(key)
  }

  /**
   * The kind of spending that leaves nothing for another query; undefined when there is something left of all.
   * @param own whether the one who asks is among those that were let in
   */
  async excess(key: string, own = false): Promise<QuotaExcess | undefined> {
    return this.#excessOf(await this.#store.read(key, this.windowMs), this.#queriesUnderWay(key) - (own ? 1 : 0))
  }

  async spend(key: string, spent: Spending): Promise<void> {
    await this.#store.add(key, spent, this.windowMs)
  }

  #queriesUnderWay(key: string): number {
    return this.#underWay.get(key) ?? 0
  }

  #excessOf(ended: readonly SpentSlice[], queriesUnderWay: number): QuotaExcess | undefined {
    const slices = [...ended, { ...NOTHING_SPENT, startMs: this.#now(), queries: queriesUnderWay }]
    const spent = slices.reduce<Spending>(addSpending, NOTHING_SPENT)
    for (const [kind, bound] of KINDS) {
      const allowed = this.#options[bound]
      if (allowed !== undefined && spent[kind] >= allowed) return { kind, spent: spent[kind], allowed, retryAfterMs: this.#untilBelow(slices, kind, allowed) }
    }
    return undefined
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
