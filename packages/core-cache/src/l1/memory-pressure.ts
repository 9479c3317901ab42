import type { Clock } from '@smart-whale/interfaces'

/** Who knows how scarce memory is. The smallest part of a resource monitor that a cache needs. */
export interface MemoryPressure {
  /**
   * Tells the share of its byte budget, above 0 and up to 1, that a cache may use: once at the beginning, and whenever it changes.
   *
   * @returns ends it
   */
  follow(setShare: (share: number) => void): () => void
}

/** Less than this is never left of a budget: a cache of nothing would be a load at every read. */
export const LEAST_SHARE = 0.01
/** So long more must have been allowed before it is taken: what comes and goes with each collection of garbage would empty the cache again and again. */
export const RAISE_AFTER_MS = 10_000

/** A share that somebody told, within its bounds; what is no number takes nothing away. */
export const shareOf = (told: number): number => (Number.isFinite(told) ? Math.min(1, Math.max(LEAST_SHARE, told)) : 1)

/** Follows the pressure: down at once, and up again when more was allowed all the while. No timers: a raise is noticed by the writes that need it. */
export class PressureFollower {
  readonly #clock: Clock
  readonly #useShare: (share: number) => void
  readonly #stop: () => void
  #inUse = 1
  /** What was told last, and the least of what was told since it was above what is in use. */
  #told = 1
  #leastTold = 1
  #raiseAtMs = Infinity

  constructor(pressure: MemoryPressure, clock: Clock, useShare: (share: number) => void) {
    this.#clock = clock
    this.#useShare = useShare
    this.#stop = pressure.follow((share) => this.#hear(shareOf(share)))
  }

  /** Takes what has been allowed for long enough. */
  catchUp(): void {
    if (this.#raiseAtMs === Infinity || this.#clock.monotonic() < this.#raiseAtMs) return
    this.#use(this.#leastTold)
    this.#hear(this.#told)
  }

  stop(): void {
    this.#stop()
  }

  #hear(share: number): void {
    this.#told = share
    if (share <= this.#inUse) return this.#use(share)
    if (this.#raiseAtMs === Infinity) {
      this.#leastTold = share
      this.#raiseAtMs = this.#clock.monotonic() + RAISE_AFTER_MS
    }
    this.#leastTold = Math.min(this.#leastTold, share)
  }

  #use(share: number): void {
    this.#raiseAtMs = Infinity
    if (share === this.#inUse) return
    this.#inUse = share
    this.#useShare(share)
  }
}
