import { type Logger, type MetricLabels, type MetricsSink, silentLogger } from '@smart-whale/interfaces'
import { type Metric, Registry } from 'prom-client'
import { requireAtLeast, wrongInput } from './errors.ts'
import { createMetricCatalog, type MetricSetup } from './metric-catalog.ts'
import type { PrometheusMetricsOptions } from './options.ts'
import { startRuntimeMetrics } from './runtime-metrics.ts'
import { FOLDED, SeriesSlots } from './series-slots.ts'
import { BucketedValues, SingleValues } from './series-values.ts'

/** What a scrape is answered with. */
export interface RenderedMetrics {
  readonly contentType: string
  readonly body: string
}

/** Measurements in Prometheus' text format. */
export interface PrometheusMetrics extends MetricsSink {
  /** All metrics as text, as of now. */
  render(): Promise<RenderedMetrics>
  /** Has values taken right before each `render()`, for what is cheaper to read than to keep up to date. Returns the way to end that. */
  beforeRender(measure: () => void): () => void
  /** Stops measuring the process. What was measured can still be rendered. */
  close(): void
}

/** Finds the slot to write a value to; -1 when the value can't be written. */
type SlotFinder = (labels: MetricLabels, value: number) => number

/** As prom-client has them. */
const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * Makes a `MetricsSink` on a registry of prom-client, which writes the text. What is measured lies in arrays of numbers: to count costs
 * an eighth of what it costs prom-client's own metrics.
 * Measuring never throws and never grows without bound: past `maxSeriesPerMetric` combinations of label values, further ones share a
 * series whose values are all `other`; `metrics_folded_total` says of which metric.
 *
 * @throws ValidationError `ERR_MONITORING_OPTIONS`; from `counter`, `gauge`, `histogram` `ERR_MONITORING_METRIC` for a malformed definition
 * and `ERR_MONITORING_METRIC_CONFLICT` for a name that another kind of metric has
 */
export function createPrometheusMetrics(options: PrometheusMetricsOptions = {}): PrometheusMetrics {
  const { prefix = '', defaultMetrics = true, registry = new Registry(), maxSeriesPerMetric = 1000, logger = silentLogger } = options
  requireAtLeast('maxSeriesPerMetric', maxSeriesPerMetric, 1)
  const obtain = createMetricCatalog(registry, prefix)
  const measures = new Set<() => void>()

  /** Puts a metric into the registry, with a way to the slots of its values. */
  function slotsOf({ name, labelNames }: MetricSetup, least: number, onFold: () => void): { slots: SeriesSlots; find: SlotFinder } {
    const isUsable = createValueCheck(logger, name, least)
    const slots = new SeriesSlots({ labelNames, maxSeries: maxSeriesPerMetric, onFold })
    const { slotOf } = slots
    return { slots, find: (labels, value) => (isUsable(value) ? slotOf(labels) : -1) }
  }
  function register<Values extends SingleValues | BucketedValues>(values: Values): Values {
    registry.registerMetric(values as unknown as Metric)
    return values
  }
  const folds = obtain(
    'counter',
    { name: 'metrics_folded_total', help: 'Measurements folded into "other" because their metric has too many series', labelNames: ['metric'] },
    (setup) => {
      const { slots, find } = slotsOf(setup, 0, () => {})
      const counts = register(new SingleValues('counter', setup, slots))
      return { inc: (labels: MetricLabels) => counts.add(find(labels, 1), 1) }
    },
  )
  function onFoldOf({ name }: MetricSetup): () => void {
    const sayFolded = once(() => logger.warn({ metric: name, maxSeriesPerMetric }, `a metric has too many series: further label values fold into "${FOLDED}"`))
    return () => {
      folds.inc({ metric: name })
      sayFolded()
    }
  }

  const metrics: PrometheusMetrics = {
    counter: (definition) =>
      obtain('counter', definition, (setup) => {
        const { slots, find } = slotsOf(setup, 0, onFoldOf(setup))
        const counts = register(new SingleValues('counter', setup, slots))
        return {
          inc: (labels: MetricLabels = {}, value = 1) => {
            const slot = find(labels, value)
            if (slot >= 0) counts.add(slot, value)
          },
        }
      }),
    gauge: (definition) =>
      obtain('gauge', definition, (setup) => {
        const { slots, find } = slotsOf(setup, -Infinity, onFoldOf(setup))
        const readings = register(new SingleValues('gauge', setup, slots))
        return {
          set: (labels: MetricLabels, value: number) => {
            const slot = find(labels, value)
            if (slot >= 0) readings.put(slot, value)
          },
        }
      }),
    histogram: (definition) =>
      obtain('histogram', definition, (setup) => {
        const { buckets = DEFAULT_BUCKETS } = definition
        requireBuckets(buckets)
        const { slots, find } = slotsOf(setup, -Infinity, onFoldOf(setup))
        const values = register(new BucketedValues(buckets, setup, slots))
        return {
          observe: (labels: MetricLabels, value: number) => {
            const slot = find(labels, value)
            if (slot >= 0) values.observe(slot, value)
          },
        }
      }),
    async render() {
      for (const measure of measures) attempt(measure, logger)
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
    beforeRender(measure) {
      measures.add(measure)
      return () => void measures.delete(measure)
    },
    close: () => stopRuntime(),
  }
  const stopRuntime = defaultMetrics ? startRuntimeMetrics(metrics) : () => {}
  return metrics
}

/** In any other order values would be counted into the wrong ones. */
function requireBuckets(buckets: readonly number[]): void {
  const isAscending = buckets.every((bound, index) => Number.isFinite(bound) && (index === 0 || bound > (buckets[index - 1] as number)))
  if (buckets.length === 0 || !isAscending) throw wrongInput('buckets', 'must be numbers in ascending order', 'ERR_MONITORING_METRIC')
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

function attempt(measure: () => void, logger: Logger): void {
  try {
    measure()
  } catch (error) {
    logger.warn({ err: error }, 'a measurement before rendering failed; its metrics keep their last values')
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
