const SLOTS = 10

/**
 * Counts three kinds of events over the last `windowMs`, in ten slots: constant memory and no timer.
 * What lies between nine tenths of the window and the whole of it is counted; anything older isn't.
 */
export class SlidingCounts {
  readonly #slotMs: number
  readonly #all = new Float64Array(SLOTS)
  readonly #marked = new Float64Array(SLOTS)
  readonly #slow = new Float64Array(SLOTS)
  #slot = 0
  #slotEndMs = 0
  /** Events within the window, as of the last {@link forget} or {@link add}. */
  all = 0
  /** Events of the marked kind among them. */
  marked = 0
  /** Events of the slow kind among them. */
  slow = 0

  constructor(windowMs: number) {
    this.#slotMs = windowMs / SLOTS
  }

  /** Counts one event of no other kind. */
  addOne(nowMs: number): void {
    if (nowMs >= this.#slotEndMs) this.forget(nowMs)
    this.#all[this.#slot % SLOTS]! += 1
    this.all += 1
  }

  /** Counts events, and how many of them are of the other kinds as well. */
  add(all: number, marked: number, slow: number, nowMs: number): void {
    if (nowMs >= this.#slotEndMs) this.forget(nowMs)
    const index = this.#slot % SLOTS
    this.#all[index]! += all
    this.#marked[index]! += marked
    this.#slow[index]! += slow
    this.all += all
    this.marked += marked
    this.slow += slow
  }

  /** Drops what is too old by now. */
  forget(nowMs: number): void {
    const current = Math.floor(nowMs / this.#slotMs)
    const steps = Math.min(current - this.#slot, SLOTS)
    for (let step = 1; step <= steps; step++) this.#clearSlot((this.#slot + step) % SLOTS)
    // A time that lies before the last one belongs to the slot we are in.
    if (current > this.#slot) this.#slot = current
    this.#slotEndMs = (this.#slot + 1) * this.#slotMs
  }

  clear(): void {
    for (let index = 0; index < SLOTS; index++) this.#clearSlot(index)
  }

  #clearSlot(index: number): void {
    this.all -= this.#all[index]!
    this.marked -= this.#marked[index]!
    this.slow -= this.#slow[index]!
    this.#all[index] = 0
    this.#marked[index] = 0
    this.#slow[index] = 0
  }
}
