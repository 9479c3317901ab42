import { type Logger, type MetricsSink, silentLogger } from '@smart-whale/interfaces'
import { Registry } from 'prom-client'
import { requireAtLeast, wrongInput } from './errors.ts'
import { Instruments } from './instruments.ts'
import { createMetricCatalog } from './metric-catalog.ts'
import type { PrometheusMetricsOptions } from './options.ts'
import { startRuntimeMetrics } from './runtime-metrics.ts'

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

  // Folds are no reason to fold: there are only so many metrics.
  const ofFolds = new Instruments({ registry, logger, maxSeriesPerMetric: Infinity, countFold: () => {} })
  const help = 'Measurements folded into "other" because their metric has too many series'
  const folds = obtain('counter', { name: 'metrics_folded_total', help, labelNames: ['metric'] }, (setup) => ofFolds.counter(setup))
  const instruments = new Instruments({ registry, logger, maxSeriesPerMetric, countFold: (labels) => folds.inc(labels) })

  const metrics: PrometheusMetrics = {
    counter: (definition) => obtain('counter', definition, (setup) => instruments.counter(setup)),
    gauge: (definition) => obtain('gauge', definition, (setup) => instruments.gauge(setup)),
    histogram: (definition) =>
      obtain('histogram', definition, (setup) => {
        const { buckets = DEFAULT_BUCKETS } = definition
        requireBuckets(buckets)
        return instruments.histogram(setup, buckets)
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

function attempt(measure: () => void, logger: Logger): void {
  try {
    measure()
  } catch (error) {
    logger.warn({ err: error }, 'a measurement before rendering failed; its metrics keep their last values')
  }
}
