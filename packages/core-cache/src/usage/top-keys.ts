import { CountMin } from './count-min.ts'

/** A key that is asked for often. */
export interface CountedKey {
  readonly key: string
  /** How often, at most. */
  readonly count: number
  /** The true number is at least `count − error`. */
  readonly error: number
}

/**
 * The keys that are counted most, in bounded memory: those that a sketch takes for more frequent than the least of those that are kept take its place
 * (M. Charikar, K. Chen, M. Farach-Colton, "Finding frequent items in data streams", 2002; the counts with their error as in A. Metwally, D. Agrawal,
 * A. El Abbadi, "Efficient computation of frequent and top-k elements in data streams", 2005). No key that isn't kept was counted more often than the least
 * that is; a scan, whose keys come once, moves nothing. Each key has a place, by number, for as long as it is kept.
 */
export class TopKeys {
  readonly #sketch: CountMin
  readonly #placeOf = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #counts: Float64Array
  readonly #errors: Float64Array
  /** Places, least count first; and where each stands in it. */
  readonly #heap: Int32Array
  readonly #heapAt: Int32Array

  constructor({ keys, sketchWidth }: { readonly keys: number; readonly sketchWidth: number }) {
    this.#sketch = new CountMin(sketchWidth)
    this.#counts = new Float64Array(keys)
    this.#errors = new Float64Array(keys)
    this.#heap = new Int32Array(keys)
    this.#heapAt = new Int32Array(keys)
  }

  get size(): number {
    return this.#keys.length
  }

  /** Counts a key; its place, or −1. `onTaken` is told of a place that another key had before. */
  add(key: string, hash: number, onTaken?: (place: number) => void): number {
    const estimate = this.#sketch.add(hash)
    const known = this.#placeOf.get(key)
    if (known !== undefined) {
      this.#counts[known]! += 1
      this.#sink(this.#heapAt[known]!)
      return known
    }
    if (this.#keys.length < this.#counts.length) return this.#take(this.#keys.length, key, estimate, onTaken)
    const least = this.#heap[0]!
    if (estimate <= this.#counts[least]!) return -1
    this.#placeOf.delete(this.#keys[least]!)
    return this.#take(least, key, estimate, onTaken)
  }

  placeOf(key: string): number {
    return this.#placeOf.get(key) ?? -1
  }

  keyAt(place: number): string {
    return this.#keys[place] as string
  }

  /** The most frequent first. */
  list(most: number): CountedKey[] {
    const places = this.#keys.map((_key, place) => place).sort((a, b) => this.#counts[b]! - this.#counts[a]!)
    return places.slice(0, most).map((place) => ({ key: this.#keys[place] as string, count: this.#counts[place]!, error: this.#errors[place]! }))
  }

  /** Forgets half of what it counted. */
  halve(): void {
    this.#sketch.halve()
    for (let place = 0; place < this.#keys.length; place++) {
      this.#counts[place] = Math.floor(this.#counts[place]! / 2)
      this.#errors[place] = Math.floor(this.#errors[place]! / 2)
    }
  }

  #take(place: number, key: string, count: number, onTaken: ((place: number) => void) | undefined): number {
    const isNew = place === this.#keys.length
    this.#keys[place] = key
    this.#placeOf.set(key, place)
    this.#counts[place] = count
    // What it was seen for certain is this once.
    this.#errors[place] = count - 1
    if (isNew) {
      this.#heap[place] = place
      this.#heapAt[place] = place
      this.#rise(place)
    } else {
      this.#sink(this.#heapAt[place]!)
    }
    onTaken?.(place)
    return place
  }

  #rise(from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#countAt(parent) <= this.#countAt(at)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(from: number): void {
    let at = from
    for (;;) {
      const left = 2 * at + 1
      if (left >= this.#keys.length) return
      const right = left + 1
      const child = right < this.#keys.length && this.#countAt(right) < this.#countAt(left) ? right : left
      if (this.#countAt(at) <= this.#countAt(child)) return
      this.#swap(at, child)
      at = child
    }
  }

  #countAt(at: number): number {
    return this.#counts[this.#heap[at]!]!
  }

  #swap(a: number, b: number): void {
    const place = this.#heap[a]!
    this.#heap[a] = this.#heap[b]!
    this.#heap[b] = place
    this.#heapAt[this.#heap[a]!] = a
    this.#heapAt[place] = b
  }
}
