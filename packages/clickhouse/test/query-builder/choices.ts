/** Choices that follow from a seed alone. */
export class Choices {
  #state: number

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_769 + 1) >>> 0
  }

  /** From 0 up to 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number, both ends included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  of<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T
  }

  /** Some of them, at least one, in another order. */
  some<T>(items: readonly T[], most = items.length): T[] {
    const rest = [...items]
    return Array.from({ length: this.between(1, Math.min(most, items.length)) }, () => rest.splice(this.between(0, rest.length - 1), 1)[0] as T)
  }
}
