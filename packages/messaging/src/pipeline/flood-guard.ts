import { OperationError } from '@smart-whale/interfaces'

/** When a pipeline halts instead of filling the dead letters. */
export interface FloodOptions {
  /** Share of bad records from which the pipeline halts. @default 0.5 */
  maxBadShare?: number
  /** How many of the latest records the share is taken of; fewer never halt. @default 2000 */
  window?: number
}

/** After so many slices without one, no store is expected to refuse rows. */
const QUIET_SLICES = 8

/**
 * Watches the share of bad records. Thousands of bad ones in a row are no bad events but a wrong schema or a wrong producer:
 * dead-lettering them all would hide that, and would have to be undone by hand.
 */
export class FloodGuard {
  readonly #maxBadShare: number
  readonly #window: number
  // Ring of slices: how many records and how many bad ones each had; together about one window.
  readonly #slices: { records: number; bad: number }[] = []
  #records = 0
  #bad = 0
  #slicesSinceRefusal = QUIET_SLICES

  constructor(options: FloodOptions = {}) {
    this.#maxBadShare = options.maxBadShare ?? 0.5
    this.#window = options.window ?? 2000
  }

  /** Counts one slice before it is written. @throws OperationError `ERR_MESSAGING_PIPELINE_HALTED` when it makes the share too large */
  admit(records: number, bad: number): void {
    this.#slicesSinceRefusal++
    this.#slices.push({ records, bad })
    this.#records += records
    this.#bad += bad
    for (let oldest = this.#slices[0]; oldest !== undefined && this.#records - oldest.records >= this.#window; oldest = this.#slices[0]) {
      this.#slices.shift()
      this.#records -= oldest.records
      this.#bad -= oldest.bad
    }
    this.#check()
  }

  /** Counts records of the latest slice that a store refused, before they are dead-lettered. @throws as `admit` does */
  admitRefused(bad: number): void {
    const latest = this.#slices.at(-1)
    if (latest === undefined || bad === 0) return
    this.#slicesSinceRefusal = 0
    latest.bad += bad
    this.#bad += bad
    this.#check()
  }

  /** Whether a store refused rows of one of the latest slices, so that the next one may have such rows too. */
  get expectsRefusals(): boolean {
    return this.#slicesSinceRefusal < QUIET_SLICES
  }

  /** Whether about so many refused ones more would be a flood; counts nothing. @throws as `admit` does */
  expectRefused(bad: number): void {
    this.#check(bad)
  }

  #check(more = 0): void {
    const bad = this.#bad + more
    if (this.#records < this.#window || bad <= this.#records * this.#maxBadShare) return
    throw new OperationError(
      `${bad} of the latest ${this.#records} records are bad: the pipeline halts before it dead-letters a flood; check the producer and the pipeline's fields, then restart it`,
      { code: 'ERR_MESSAGING_PIPELINE_HALTED', context: { bad, records: this.#records } },
    )
  }
}
