import { SlidingCounts } from '../sliding-counts.ts'

/** What a breaker remembers of the calls that ended lately. */
export interface CallWindow {
  /** Whether it looks at the time of a call. */
  readonly needsTime: boolean
  readonly calls: number
  readonly failures: number
  readonly slow: number
  add(failed: boolean, slow: boolean, nowMs: number): void
  clear(): void
}

/** The calls of the last milliseconds. */
export class TimeWindow implements CallWindow {
  readonly needsTime = true
  readonly #counts: SlidingCounts

  constructor(windowMs: number) {
    this.#counts = new SlidingCounts(windowMs)
  }

  get calls(): number {
    return this.#counts.all
  }

  get failures(): number {
    return this.#counts.marked
  }

  get slow(): number {
    return this.#counts.slow
  }

  add(failed: boolean, slow: boolean, nowMs: number): void {
    if (failed || slow) this.#counts.add(1, failed ? 1 : 0, slow ? 1 : 0, nowMs)
    else this.#counts.addOne(nowMs)
  }

  clear(): void {
    this.#counts.clear()
  }
}

const FAILED = 1
const SLOW = 2

/** The last so many calls, whenever they were. */
export class CountWindow implements CallWindow {
  readonly needsTime = false
  readonly #results: Uint8Array
  #next = 0
  calls = 0
  failures = 0
  slow = 0

  constructor(size: number) {
    this.#results = new Uint8Array(size)
  }

  add(failed: boolean, slow: boolean): void {
    const forgotten = this.#results[this.#next]!
    if (this.calls === this.#results.length) {
      if ((forgotten & FAILED) !== 0) this.failures -= 1
      if ((forgotten & SLOW) !== 0) this.slow -= 1
    } else {
      this.calls += 1
    }
    this.#results[this.#next] = (failed ? FAILED : 0) | (slow ? SLOW : 0)
    if (failed) this.failures += 1
    if (slow) this.slow += 1
    this.#next = this.#next + 1 === this.#results.length ? 0 : this.#next + 1
  }

  clear(): void {
    this.#next = 0
    this.calls = 0
    this.failures = 0
    this.slow = 0
  }
}
