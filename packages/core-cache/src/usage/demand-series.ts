/** How often something was asked for in each of the last intervals, for a fixed number of places. */
export class DemandSeries {
  readonly #buckets: number
  readonly #counts: Float32Array
  /** First interval that a place was watched in, and the last that it was told of. */
  readonly #first: Float64Array
  readonly #last: Float64Array

  constructor(places: number, buckets: number) {
    this.#buckets = buckets
    this.#counts = new Float32Array(places * buckets)
    this.#first = new Float64Array(places)
    this.#last = new Float64Array(places)
  }

  /** Begins anew for a place that another key has taken. */
  begin(place: number, bucket: number): void {
    this.#counts.fill(0, place * this.#buckets, (place + 1) * this.#buckets)
    this.#first[place] = bucket
    this.#last[place] = bucket
  }

  add(place: number, bucket: number): void {
    this.#advance(place, bucket)
    this.#counts[place * this.#buckets + (bucket % this.#buckets)]! += 1
  }

  /** Whole intervals before this one, the oldest first. The one in which the place was begun isn't whole, and not among them. */
  before(place: number, bucket: number): Float32Array {
    this.#advance(place, bucket)
    const from = Math.max(this.#first[place]! + 1, bucket - this.#buckets + 1)
    const series = new Float32Array(Math.max(0, bucket - from))
    for (let at = 0; at < series.length; at++) series[at] = this.#counts[place * this.#buckets + ((from + at) % this.#buckets)]!
    return series
  }

  #advance(place: number, bucket: number): void {
    const last = this.#last[place]!
    if (bucket <= last) return
    const from = Math.max(last + 1, bucket - this.#buckets + 1)
    for (let at = from; at <= bucket; at++) this.#counts[place * this.#buckets + (at % this.#buckets)] = 0
    this.#last[place] = bucket
  }
}
