/** Label name to value. Values come from small fixed sets: never an id, never user input. */
export type MetricLabels = Readonly<Record<string, string | number>>

/** Names and explains one metric. Asking twice for the same name gives the same metric. */
export interface MetricDefinition {
  /** Prometheus name with its unit: `smart_whale_insert_duration_seconds`. */
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
}

/** Only goes up. */
export interface CounterMetric {
  inc(labels?: MetricLabels, value?: number): void
}

/** Goes up and down. */
export interface GaugeMetric {
  set(labels: MetricLabels, value: number): void
}

/** Counts values by size. */
export interface HistogramMetric {
  observe(labels: MetricLabels, value: number): void
}

/** Where measurements go. */
export interface MetricsSink {
  counter(definition: MetricDefinition): CounterMetric
  gauge(definition: MetricDefinition): GaugeMetric
  /** @param buckets upper bounds, ascending; without them the sink's own */
  histogram(definition: MetricDefinition & { readonly buckets?: readonly number[] }): HistogramMetric
}

const nothing = { inc: () => {}, set: () => {}, observe: () => {} }

/** The default everywhere: measures nothing. */
export const silentMetrics: MetricsSink = { counter: () => nothing, gauge: () => nothing, histogram: () => nothing }
