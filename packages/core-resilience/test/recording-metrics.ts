import { deepStrictEqual } from 'node:assert/strict'
import type { MetricsSink } from '@smart-whale/interfaces'

/** Metrics that a test can look at, and that take no labels but those that were announced. */
export function recordingMetrics(): { metrics: MetricsSink; counted: object[]; gauges: object[] } {
  const counted: object[] = []
  const gauges: object[] = []
  const announced = (labels: object = {}, labelNames: readonly string[] = []): object => {
    deepStrictEqual(Object.keys(labels).sort(), [...labelNames].sort())
    return labels
  }
  const metrics: MetricsSink = {
    counter: ({ name, labelNames }) => ({ inc: (labels) => void counted.push({ name, ...announced(labels, labelNames) }) }),
    gauge: ({ name, labelNames }) => ({ set: (labels, value) => void gauges.push({ name, ...announced(labels, labelNames), value }) }),
    histogram: () => ({ observe: () => {} }),
  }
  return { metrics, counted, gauges }
}
