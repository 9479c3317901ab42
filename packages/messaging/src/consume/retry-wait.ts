import type { Clock } from '@smart-whale/interfaces'

/**
 * How long the records of one partition of a retry topic wait. When each is due was said by the clock of whoever put it there, which need not agree
 * with ours: none waits longer than the topic's delay, and where our clock is behind, they wait that long side by side, not one after the other.
 */
export class RetryWait {
  readonly #delayMs: number
  readonly #clock: Clock
  /** By how much our clock surely is behind. */
  #behindMs = 0

  constructor(delayMs: number, clock: Clock) {
    this.#delayMs = delayMs
    this.#clock = clock
  }

  /** Milliseconds until the record may be handled; not more than 0 when it may be now. */
  before(dueAtMs: number): number {
    const waitMs = dueAtMs - this.#clock.now()
    if (waitMs <= this.#delayMs) return waitMs
    this.#behindMs = Math.max(this.#behindMs, waitMs - this.#delayMs)
    return waitMs - this.#behindMs
  }
}
