import type { SeriesSlots } from './series-slots.ts'

/** A value as prom-client's registry writes it. */
interface WrittenValue {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  readonly metricName?: string
}

/** A metric as prom-client's registry asks for it. */
export interface WrittenMetric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly aggregator: 'sum'
  readonly values: readonly WrittenValue[]
}

/** What a metric is called. */
export interface MetricName {
  readonly name: string
  readonly help: string
}

/** Numbers that are found by their place: so many for each slot, and as many slots as there are. */
class Numbers {
  readonly perSlot: number
  #values: Float64Array

  constructor(perSlot: number) {
    this.perSlot = perSlot
    this.#values = new Float64Array(perSlot * 4)
  }

  /** With room for the slot: what was got before may be an older array. */
  with(slot: number): Float64Array {
    return slot * this.perSlot < this.#values.length ? this.#values : this.#grow(slot)
  }

  clear(): void {
    this.#values.fill(0)
  }

  /** Always by whole slots. */
  #grow(slot: number): Float64Array {
    const larger = new Float64Array(Math.max((slot + 1) * this.perSlot, this.#values.length * 2))
    larger.set(this.#values)
    this.#values = larger
    return larger
  }
}

/** A counter or a gauge: one number for each series. */
export class SingleValues {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly #slots: SeriesSlots
  readonly #numbers = new Numbers(1)

  constructor(type: 'counter' | 'gauge', { name, help }: MetricName, slots: SeriesSlots) {
    this.name = name
    this.help = help
    this.type = type
    this.#slots = slots
  }

  add(slot: number, value: number): void {
    const values = this.#numbers.with(slot)
    values[slot] = (values[slot] as number) + value
  }

  put(slot: number, value: number): void {
    this.#numbers.with(slot)[slot] = value
  }

  /** For prom-client's registry. */
  async get(): Promise<WrittenMetric> {
    const { name, help, type } = this
    const values = this.#slots.labels.map((labels, slot) => ({ labels, value: this.#numbers.with(slot)[slot] as number }))
    return { name, help, type, aggregator: 'sum', values }
  }

  /** For prom-client's registry. */
  reset(): void {
    this.#numbers.clear()
  }
}

/** A histogram: for each series how many values fell into each bucket, and their sum. */
export class BucketedValues {
  readonly name: string
  readonly help: string
  readonly type = 'histogram'
  readonly #bounds: Float64Array
  readonly #slots: SeriesSlots
  /** Of each series: the buckets, what is above them all, and the sum. */
  readonly #numbers: Numbers

  constructor(bounds: readonly number[], { name, help }: MetricName, slots: SeriesSlots) {
    this.name = name
    this.help = help
    this.#bounds = Float64Array.from(bounds)
    this.#slots = slots
    this.#numbers = new Numbers(bounds.length + 2)
  }

  observe(slot: number, value: number): void {
    const bounds = this.#bounds
    const { perSlot } = this.#numbers
    const values = this.#numbers.with(slot)
    const first = slot * perSlot
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1
    values[first + bucket] = (values[first + bucket] as number) + 1
    const sum = first + perSlot - 1
    values[sum] = (values[sum] as number) + value
  }

  /** For prom-client's registry. */
  async get(): Promise<WrittenMetric> {
    const { name, help, type } = this
    return { name, help, type, aggregator: 'sum', values: this.#slots.labels.flatMap((labels, slot) => this.#written(labels, slot)) }
  }

  /** For prom-client's registry. */
  reset(): void {
    this.#numbers.clear()
  }

  #written(labels: Readonly<Record<string, string>>, slot: number): WrittenValue[] {
    const { perSlot } = this.#numbers
    const own = this.#numbers.with(slot).subarray(slot * perSlot, (slot + 1) * perSlot)
    const bounds = [...this.#bounds, '+Inf']
    let count = 0
    const buckets = bounds.map((le, index) => ({ metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: (count += own[index] as number) }))
    return [...buckets, { metricName: `${this.name}_sum`, labels, value: own[perSlot - 1] as number }, { metricName: `${this.name}_count`, labels, value: count }]
  }
}
