import { powerOfTwo } from './frequency-sketch.ts'

const WAYS = 4

/**
 * Hashes of keys that were evicted lately, without their values: a table in buckets of four, where the one that left longest ago makes room.
 * A hash counts as remembered until `span` others have followed it.
 */
export class Ghosts {
  readonly #hashes: Int32Array
  /** When each hash came, as the number of arrivals; 0 for an empty place. */
  readonly #arrivals: Float64Array
  readonly #buckets: number
  readonly #span: number
  #arrived = 0

  constructor(span: number) {
    this.#span = span
    this.#buckets = powerOfTwo(Math.max(4, span / 2))
    this.#hashes = new Int32Array(this.#buckets * WAYS)
    this.#arrivals = new Float64Array(this.#buckets * WAYS)
  }

  add(hash: number): void {
    const start = this.#bucketOf(hash)
    let place = start
    for (let at = start; at < start + WAYS; at++) {
      if (this.#hashes[at] === hash && this.#arrivals[at]! > 0) {
        place = at
        break
      }
      if (this.#arrivals[at]! < this.#arrivals[place]!) place = at
    }
    this.#hashes[place] = hash
    this.#arrivals[place] = ++this.#arrived
  }

  /** Whether it is remembered; forgets it. */
  take(hash: number): boolean {
    const start = this.#bucketOf(hash)
    for (let at = start; at < start + WAYS; at++) {
      if (this.#hashes[at] !== hash || this.#arrivals[at] === 0) continue
      const remembered = this.#arrived - this.#arrivals[at]! < this.#span
      this.#arrivals[at] = 0
      return remembered
    }
    return false
  }

  #bucketOf(hash: number): number {
    let mixed = Math.imul(hash, 0x9e3779b1)
    mixed ^= mixed >>> 16
    return (mixed & (this.#buckets - 1)) * WAYS
  }
}
