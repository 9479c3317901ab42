import type { MetricsSink } from '@smart-whale/interfaces'

/** Metrics that a test can look at. */
export function recordingMetrics(): { metrics: MetricsSink; counted: object[]; gauges: object[] } {
  const counted: object[] = []
  const gauges: object[] = []
  const metrics: MetricsSink = {
    counter: ({ name }) => ({ inc: (labels) => void counted.push({ name, ...labels }) }),
    gauge: ({ name }) => ({ set: (labels, value) => void gauges.push({ name, ...labels, value }) }),
    histogram: () => ({ observe: () => {} }),
  }
  return { metrics, counted, gauges }
}
