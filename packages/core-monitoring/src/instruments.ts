import type { CounterMetric, GaugeMetric, HistogramMetric, Logger, MetricLabels } from '@smart-whale/interfaces'
import type { Metric, Registry } from 'prom-client'
import type { MetricSetup } from './metric-catalog.ts'
import { FOLDED, SeriesSlots } from './series-slots.ts'
import { BucketedValues, SingleValues } from './series-values.ts'

/** What instruments are made with. */
export interface InstrumentsOptions {
  /** Writes the text. */
  readonly registry: Registry
  /** Combinations of label values of a metric; further ones share a series. */
  readonly maxSeriesPerMetric: number
  /** Hears, once a metric, of what can't be measured. */
  readonly logger: Logger
  /** Hears, by its labels, of each measurement that was folded. */
  countFold(labels: MetricLabels): void
}

/** Where a metric's values lie, and the way there: -1 when the value can't be written. */
interface Slots {
  readonly slots: SeriesSlots
  find(labels: MetricLabels, value: number): number
}

/** Makes the metrics of a registry: what is measured lies in arrays of numbers, found by its labels. */
export class Instruments {
  readonly #options: InstrumentsOptions

  constructor(options: InstrumentsOptions) {
    this.#options = options
  }

  counter(setup: MetricSetup): CounterMetric {
    const { slots, find } = this.#slotsOf(setup, 0)
    const counts = this.#register(new SingleValues('counter', setup, slots))
    return {
      inc: (labels: MetricLabels = {}, value = 1) => {
        const slot = find(labels, value)
        if (slot >= 0) counts.add(slot, value)
      },
    }
  }

  gauge(setup: MetricSetup): GaugeMetric {
    const { slots, find } = this.#slotsOf(setup, -Infinity)
    const readings = this.#register(new SingleValues('gauge', setup, slots))
    return {
      set: (labels: MetricLabels, value: number) => {
        const slot = find(labels, value)
        if (slot >= 0) readings.put(slot, value)
      },
    }
  }

  histogram(setup: MetricSetup, buckets: readonly number[]): HistogramMetric {
    const { slots, find } = this.#slotsOf(setup, -Infinity)
    const values = this.#register(new BucketedValues(buckets, setup, slots))
    return {
      observe: (labels: MetricLabels, value: number) => {
        const slot = find(labels, value)
        if (slot >= 0) values.observe(slot, value)
      },
    }
  }

  #slotsOf({ name, labelNames }: MetricSetup, least: number): Slots {
    const { logger, maxSeriesPerMetric, countFold } = this.#options
    const isUsable = createValueCheck(logger, name, least)
    const sayFolded = once(() => logger.warn({ metric: name, maxSeriesPerMetric }, `a metric has too many series: further label values fold into "${FOLDED}"`))
    const onFold = (): void => {
      countFold({ metric: name })
      sayFolded()
    }
    const slots = new SeriesSlots({ labelNames, maxSeries: maxSeriesPerMetric, onFold })
    const { slotOf } = slots
    return { slots, find: (labels, value) => (isUsable(value) ? slotOf(labels) : -1) }
  }

  #register<Values extends SingleValues | BucketedValues>(values: Values): Values {
    this.#options.registry.registerMetric(values as unknown as Metric)
    return values
  }
}

/** A value that Prometheus can't take is dropped, and said once: to measure must not be able to break what is measured. */
function createValueCheck(logger: Logger, metric: string, least: number): (value: number) => boolean {
  const say = once(() => logger.warn({ metric }, `a measurement was dropped: values must be numbers${least === 0 ? ' that are not negative' : ''}`))
  return (value) => {
    // One is what is counted most.
    if (value === 1 || (Number.isFinite(value) && value >= least)) return true
    say()
    return false
  }
}

function once(say: () => void): () => void {
  let said = false
  return () => {
    if (said) return
    said = true
    say()
  }
}
