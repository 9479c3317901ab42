import { powerOfTwo } from '../l1/frequency-sketch.ts'

const ROWS = 4
const SEEDS = [0x97cb3127, 0xbe98f273, 0x2f90404f, 0x84222325] as const

/**
 * How often keys were counted, in memory that doesn't grow: a count-min sketch with conservative updates (G. Cormode, S. Muthukrishnan, "An improved data stream
 * summary", 2005; C. Estan, G. Varghese, 2002). Never too low; too high by more than 2·total/width for at most one key in 2⁴, before conservative updates make it
 * better still.
 */
export class CountMin {
  readonly #counts: Uint32Array
  readonly #mask: number

  /** @param width counters in each of its four rows; rounded up to a power of two */
  constructor(width: number) {
    const size = powerOfTwo(width)
    this.#counts = new Uint32Array(size * ROWS)
    this.#mask = size - 1
  }

  countOf(hash: number): number {
    let least = Infinity
    for (let row = 0; row < ROWS; row++) least = Math.min(least, this.#counts[this.#at(hash, row)]!)
    return least
  }

  /** Counts once more; the new count. */
  add(hash: number): number {
    const to = this.countOf(hash) + 1
    for (let row = 0; row < ROWS; row++) {
      const at = this.#at(hash, row)
      if (this.#counts[at]! < to) this.#counts[at] = to
    }
    return to
  }

  /** Forgets half of what it counted, so that the past fades. */
  halve(): void {
    for (let at = 0; at < this.#counts.length; at++) this.#counts[at]! >>>= 1
  }

  #at(hash: number, row: number): number {
    let mixed = Math.imul(hash ^ SEEDS[row]!, 0x9e3779b1)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b)
    return row * (this.#mask + 1) + ((mixed ^ (mixed >>> 13)) & this.#mask)
  }
}
