import type { MetricsSink } from '@smart-whale/interfaces'

/** What is counted of a persistent layer. */
export interface PersistentMetrics {
  countFailure(request: string): void
  countEvent(kind: string): void
}

/** Metrics of a persistent layer, made once. */
export function persistentMetrics(sink: MetricsSink): PersistentMetrics {
  const failures = sink.counter({ name: 'smart_whale_cache_persistent_failures_total', help: 'Requests that the persistent layer refused or did not answer in time', labelNames: ['request'] })
  const events = sink.counter({ name: 'smart_whale_cache_persistent_events_total', help: 'Persistent layers rebuilt, entries damaged or foreign, threads lost', labelNames: ['kind'] })
  return { countFailure: (request) => failures.inc({ request }), countEvent: (kind) => events.inc({ kind }) }
}
