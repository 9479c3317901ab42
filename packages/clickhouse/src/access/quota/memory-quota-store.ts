import { type Clock, systemClock } from '@smart-whale/interfaces'
import { addSpending, isWithinWindow, NOTHING_SPENT, type QuotaStore, SLICES_PER_WINDOW, type SpentSlice, type Spending } from './spending.ts'

/** What a {@link createMemoryQuotaStore} is made from. */
export interface MemoryQuotaStoreOptions {
  /** Tenants that are remembered; past it, the one that spent longest ago is forgotten. @default 100_000 */
  maxKeys?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Keeps in this process what each tenant has spent. */
export function createMemoryQuotaStore(options: MemoryQuotaStoreOptions = {}): MemoryQuotaStore {
  return new MemoryQuotaStore(options)
}

/** See {@link createMemoryQuotaStore}. */
export class MemoryQuotaStore implements QuotaStore {
  readonly #maxKeys: number
  readonly #clock: Clock
  /** By key, the one that spent last at the end. */
  readonly #slices = new Map<string, SpentSlice[]>()

  constructor({ maxKeys = 100_000, clock = systemClock }: MemoryQuotaStoreOptions = {}) {
    this.#maxKeys = maxKeys
    this.#clock = clock
  }

  async read(key: string, windowMs: number): Promise<readonly SpentSlice[]> {
    return this.current(key, windowMs)
  }

  async add(key: string, spent: Spending, windowMs: number): Promise<void> {
    this.spend(key, spent, windowMs)
  }

  /** As {@link read}, at once. */
  current(key: string, windowMs: number): SpentSlice[] {
    const now = this.#clock.now()
    return (this.#slices.get(key) ?? []).filter((slice) => isWithinWindow(slice, windowMs, now))
  }

  /** As {@link add}, at once. */
  spend(key: string, spent: Spending, windowMs: number): void {
    const sliceMs = windowMs / SLICES_PER_WINDOW
    const startMs = Math.floor(this.#clock.now() / sliceMs) * sliceMs
    const slices = this.current(key, windowMs)
    const before = slices.find((slice) => slice.startMs === startMs)
    const rest = slices.filter((slice) => slice !== before)
    this.#slices.delete(key)
    this.#slices.set(key, [...rest, { startMs, ...addSpending(before ?? NOTHING_SPENT, spent) }])
    if (this.#slices.size > this.#maxKeys) this.#slices.delete(this.#slices.keys().next().value ?? '')
  }
}
