import { type AuditSink, InfrastructureError, type Logger, type MetricsSink } from '@smart-whale/interfaces'
import type { AnalyticsQuery } from '../analytics/analytics-query.ts'
import type { CheckedLevel } from './check-levels.ts'

/** Most refusals that may wait for the sink at once: a flood of them must not fill the memory of a slow sink's client. */
const MAX_PENDING = 1000

/** Where refusals are told. */
export interface RefusalWatch {
  readonly audit: AuditSink
  readonly metrics: MetricsSink
  readonly logger: Logger
}

/** Counts what is refused to callers, and writes down who was refused what was not allowed. Nobody waits for it. */
export function recordRefusals({ audit, metrics, logger }: RefusalWatch): (error: unknown, query: AnalyticsQuery, level: CheckedLevel | undefined) => void {
  const refusals = metrics.counter({ name: 'smart_whale_analytics_refusals_total', help: 'Queries that callers were refused, by level and code', labelNames: ['level', 'code'] })
  let pending = 0
  const write = async (code: string, { options, query }: AnalyticsQuery, level: string): Promise<void> =>
    audit.record({ actor: options?.tenant ?? 'unknown tenant', action: 'analytics:query', resource: `level ${level}`, outcome: 'denied', details: { code, query: query.slice(0, 1000) } })

  return (error, query, level) => {
    if (!InfrastructureError.isInstance(error) || error.status >= 500) return
    const name = level?.name ?? 'none'
    refusals.inc({ level: name, code: error.code })
    if (error.status !== 403) return
    if (pending >= MAX_PENDING) return logger.error({ code: error.code, pending }, 'a refused query was not audited: the audit sink is too slow')
    pending += 1
    void write(error.code, query, name)
      .catch((reason: unknown) => logger.error({ err: reason }, 'a refused query was not audited: the audit sink failed'))
      .finally(() => (pending -= 1))
  }
}
