/**
 * How many other keys were asked for since a key was asked for last: with LRU, an access hits in every cache that holds more entries than that. Keys further away
 * than the largest cache of interest are forgotten. Counted in a Fenwick tree over the moments of the last accesses, O(log n) an access
 * (F. Olken, "Efficient Methods for Calculating the Success Function of Fixed Space Replacement Policies", 1981).
 */
export class LruDistances {
  readonly #mostKeys: number
  /** Moment of the last access of each key, oldest first. */
  readonly #lastAt = new Map<string, number>()
  #sums: Int32Array
  #now = 0

  constructor(mostKeys: number) {
    this.#mostKeys = mostKeys
    this.#sums = new Int32Array(2 * mostKeys + 2)
  }

  /** The distance of an access; `Infinity` for a key that wasn't asked for, or long ago. */
  access(key: string): number {
    const lastAt = this.#lastAt.get(key)
    let distance = Infinity
    if (lastAt !== undefined) {
      distance = this.#lastAt.size - this.#countUpTo(lastAt)
      this.#forget(key, lastAt)
    } else if (this.#lastAt.size === this.#mostKeys) {
      const [oldest, at] = this.#lastAt.entries().next().value as [string, number]
      this.#forget(oldest, at)
    }
    if (this.#now === this.#sums.length - 1) this.#renumber()
    this.#now += 1
    this.#lastAt.set(key, this.#now)
    this.#add(this.#now, 1)
    return distance
  }

  #forget(key: string, at: number): void {
    this.#lastAt.delete(key)
    this.#add(at, -1)
  }

  /** Moments run out: the keys that are known get the first ones, in their order. */
  #renumber(): void {
    this.#sums = new Int32Array(this.#sums.length)
    this.#now = 0
    for (const key of this.#lastAt.keys()) {
      this.#now += 1
      this.#lastAt.set(key, this.#now)
      this.#add(this.#now, 1)
    }
  }

  #add(at: number, change: number): void {
    for (let node = at; node < this.#sums.length; node += node & -node) this.#sums[node]! += change
  }

  #countUpTo(at: number): number {
    let sum = 0
    for (let node = at; node > 0; node -= node & -node) sum += this.#sums[node]!
    return sum
  }
}
