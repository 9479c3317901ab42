const MOST = 15
/** Odd constants, one a row, that make four positions of one hash. */
const SEEDS = [0x97cb3127, 0xbe98f273, 0x2f90404f, 0x84222325] as const

/**
 * How often hashes were seen, roughly and never too low until it is halved: a count-min sketch with conservative updates
 * (G. Cormode, S. Muthukrishnan 2005; for caches G. Einziger et al., "TinyLFU", 2017). Four bytes for each entry that it is made for.
 */
export class FrequencySketch {
  readonly #counts: Uint8Array
  readonly #mask: number

  constructor(entries: number) {
    const size = powerOfTwo(Math.max(16, entries)) * 4
    this.#counts = new Uint8Array(size)
    this.#mask = size - 1
  }

  /** Up to 15. */
  countOf(hash: number): number {
    let least = MOST
    for (const seed of SEEDS) {
      const count = this.#counts[this.#position(hash, seed)]!
      if (count < least) least = count
    }
    return least
  }

  add(hash: number, times: number): void {
    const to = Math.min(MOST, this.countOf(hash) + times)
    for (const seed of SEEDS) {
      const at = this.#position(hash, seed)
      if (this.#counts[at]! < to) this.#counts[at] = to
    }
  }

  /** Forgets half of what it saw, so that the past fades. */
  halve(): void {
    const counts = this.#counts
    for (let at = 0; at < counts.length; at++) counts[at]! >>= 1
  }

  #position(hash: number, seed: number): number {
    let mixed = Math.imul(hash ^ seed, 0x9e3779b1)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x85ebca6b)
    return (mixed ^ (mixed >>> 13)) & this.#mask
  }
}

/** The next power of two that is not below. */
export const powerOfTwo = (atLeast: number): number => 2 ** Math.ceil(Math.log2(atLeast))
