import type { MetricsSink } from '@smart-whale/interfaces'

/** Where an answer came from. */
export type AnswerSource = 'memory' | 'shared' | 'persistent' | 'loader'

/** What a manager counts. */
export interface CacheMetrics {
  countAnswer(source: AnswerSource, isStale: boolean): void
  countLoad(outcome: 'loaded' | 'failed'): void
  countForeign(): void
  countSharedFailure(request: string): void
}

/** Metrics of a manager, made once. */
export function cacheMetrics(sink: MetricsSink): CacheMetrics {
  const answers = sink.counter({ name: 'smart_whale_cache_answers_total', help: 'Reads that the cache answered below memory, by layer', labelNames: ['source', 'stale'] })
  const loads = sink.counter({ name: 'smart_whale_cache_loads_total', help: 'Loads, by outcome', labelNames: ['outcome'] })
  const foreign = sink.counter({ name: 'smart_whale_cache_foreign_payloads_total', help: 'Payloads in the shared layer that no version of ours wrote, or that are cut off' })
  const failures = sink.counter({ name: 'smart_whale_cache_shared_failures_total', help: 'Requests that the shared layer refused or did not answer in time', labelNames: ['request'] })
  return {
    countAnswer: (source, isStale) => answers.inc({ source, stale: isStale ? 1 : 0 }),
    countLoad: (outcome) => loads.inc({ outcome }),
    countForeign: () => foreign.inc(),
    countSharedFailure: (request) => failures.inc({ request }),
  }
}
