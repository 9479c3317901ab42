import type { Clock } from '@smart-whale/interfaces'

const SLOTS = 10

/**
 * Counts two kinds of events over the last `windowMs`, in ten slots: constant memory and no timer.
 * What lies between nine tenths of the window and the whole of it is counted; anything older isn't.
 */
export class SlidingCounts {
  readonly #slotMs: number
  readonly #clock: Clock
  readonly #all = new Float64Array(SLOTS)
  readonly #marked = new Float64Array(SLOTS)
  #allTotal = 0
  #markedTotal = 0
  #slot: number

  constructor(windowMs: number, clock: Clock) {
    this.#slotMs = windowMs / SLOTS
    this.#clock = clock
    this.#slot = this.#currentSlot()
  }

  /** Counts one event, and whether it is of the marked kind as well. */
  add(all: number, marked: number): void {
    this.#forget()
    const index = this.#slot % SLOTS
    this.#all[index]! += all
    this.#marked[index]! += marked
    this.#allTotal += all
    this.#markedTotal += marked
  }

  /** Events within the window. */
  get all(): number {
    this.#forget()
    return this.#allTotal
  }

  /** Events of the marked kind within the window. */
  get marked(): number {
    this.#forget()
    return this.#markedTotal
  }

  clear(): void {
    this.#all.fill(0)
    this.#marked.fill(0)
    this.#allTotal = 0
    this.#markedTotal = 0
  }

  #forget(): void {
    const current = this.#currentSlot()
    const steps = Math.min(current - this.#slot, SLOTS)
    for (let step = 1; step <= steps; step++) {
      const index = (this.#slot + step) % SLOTS
      this.#allTotal -= this.#all[index]!
      this.#markedTotal -= this.#marked[index]!
      this.#all[index] = 0
      this.#marked[index] = 0
    }
    this.#slot = current
  }

  #currentSlot(): number {
    return Math.floor(this.#clock.monotonic() / this.#slotMs)
  }
}
