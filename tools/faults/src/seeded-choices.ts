/** Choices that come the same for the same seed (mulberry32, Tommy Ettinger 2017). */
export class SeededChoices {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A number from 0 up to, not including, 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 up to, not including, the limit. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }

  /** Moments within a span, ascending, that keep a distance from each other where there is room for it. */
  moments(count: number, spanMs: number): number[] {
    const step = spanMs / count
    return Array.from({ length: count }, (_, index) => index * step + this.fraction() * step)
  }
}
