import { type Logger, type MetricLabels, type MetricsSink, silentLogger } from '@smart-whale/interfaces'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { createSeriesBound, FOLDED } from './bound-series.ts'
import { requireAtLeast, wrongInput } from './errors.ts'
import { createMetricCatalog, type MetricSetup } from './metric-catalog.ts'
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

/** Finds the series to write a value to; nothing when the value can't be written. */
type SeriesFinder<Series> = (labels: MetricLabels, value: number) => Series | undefined

/**
 * Makes a `MetricsSink` on prom-client.
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

  const folds = obtain(
    'counter',
    { name: 'metrics_folded_total', help: 'Measurements folded into "other" because their metric has too many series', labelNames: ['metric'] },
    (configuration) => new Counter(configuration),
  )
  function findSeries<Series>({ name, labelNames }: MetricSetup, least: number, open: (labels: Record<string, string>) => Series): SeriesFinder<Series> {
    const isUsable = createValueCheck(logger, name, least)
    const sayFolded = once(() => logger.warn({ metric: name, maxSeriesPerMetric }, `a metric has too many series: further label values fold into "${FOLDED}"`))
    const onFold = (): void => {
      folds.inc({ metric: name })
      sayFolded()
    }
    const seriesOf = createSeriesBound({ labelNames, maxSeries: maxSeriesPerMetric, open, onFold })
    return (labels, value) => (isUsable(value) ? seriesOf(labels) : undefined)
  }

  const metrics: PrometheusMetrics = {
    counter: (definition) =>
      obtain('counter', definition, (configuration) => {
        const counter = new Counter(configuration)
        const find = findSeries(configuration, 0, (labels) => counter.labels(labels))
        return { inc: (labels: MetricLabels = {}, value = 1) => void find(labels, value)?.inc(value) }
      }),
    gauge: (definition) =>
      obtain('gauge', definition, (configuration) => {
        const gauge = new Gauge(configuration)
        const find = findSeries(configuration, -Infinity, (labels) => gauge.labels(labels))
        return { set: (labels: MetricLabels, value: number) => void find(labels, value)?.set(value) }
      }),
    histogram: (definition) =>
      obtain('histogram', definition, (configuration) => {
        const { buckets } = definition
        if (buckets !== undefined) requireBuckets(buckets)
        const histogram = new Histogram({ ...configuration, ...(buckets === undefined ? {} : { buckets: [...buckets] }) })
        const find = findSeries(configuration, -Infinity, (labels) => histogram.labels(labels))
        return { observe: (labels: MetricLabels, value: number) => void find(labels, value)?.observe(value) }
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

/** prom-client would take buckets in any order, and count into the wrong ones. */
function requireBuckets(buckets: readonly number[]): void {
  const isAscending = buckets.every((bound, index) => Number.isFinite(bound) && (index === 0 || bound > (buckets[index - 1] as number)))
  if (buckets.length === 0 || !isAscending) throw wrongInput('buckets', 'must be numbers in ascending order', 'ERR_MONITORING_METRIC')
}

/** A value that Prometheus can't take is dropped, and said once: to measure must not be able to break what is measured. */
function createValueCheck(logger: Logger, metric: string, least: number): (value: number) => boolean {
  const say = once(() => logger.warn({ metric }, `a measurement was dropped: values must be numbers${least === 0 ? ' that are not negative' : ''}`))
  return (value) => {
    const isUsable = Number.isFinite(value) && value >= least
    if (!isUsable) say()
    return isUsable
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
