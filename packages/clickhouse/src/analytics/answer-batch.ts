import { InfrastructureError, type Row, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'
import type { AnalyticsLimits } from './analytics-options.ts'
import type { AnalyticsFailure, AnalyticsQuery, AnalyticsResult } from './analytics-query.ts'

/** What a whole batch may be told. */
export interface AnalyticsBatchOptions {
  /** Ends all queries of the batch that still run. @default never aborted */
  signal?: AbortSignal | undefined
  /** How many queries run at once. @default the service's `batchConcurrency` */
  concurrency?: number | undefined
}

type Ask<T extends Row> = (query: AnalyticsQuery) => Promise<AnalyticsResult<T>>

/** Asks several queries, so many at once; each result carries its own data or error, in the order of the queries. */
export async function answerBatch<T extends Row>(
  ask: Ask<T>,
  queries: readonly AnalyticsQuery[],
  { signal, concurrency }: AnalyticsBatchOptions,
  limits: AnalyticsLimits,
): Promise<(AnalyticsResult<T> | AnalyticsFailure)[]> {
  checkBatch(queries, limits)
  const results = new Array<AnalyticsResult<T> | AnalyticsFailure>(queries.length)
  const remaining = queries.entries()
  // All workers draw from the one iterator: as many queries run at once as there are workers.
  const work = async (): Promise<void> => {
    for (const [index, query] of remaining) results[index] = await attempt(ask, query, signal)
  }
  const workers = Math.max(1, Math.min(concurrency ?? limits.batchConcurrency, queries.length))
  await Promise.all(Array.from({ length: workers }, work))
  return results
}

async function attempt<T extends Row>(ask: Ask<T>, query: AnalyticsQuery, batchSignal: AbortSignal | undefined): Promise<AnalyticsResult<T> | AnalyticsFailure> {
  try {
    const own = query.options?.signal
    const signal = own && batchSignal ? AbortSignal.any([own, batchSignal]) : (own ?? batchSignal)
    return await ask({ ...query, options: { ...query.options, signal } })
  } catch (error) {
    if (InfrastructureError.isInstance(error)) return { error }
    return { error: new OperationalError('the query failed for a reason that this package does not know; see the cause', { cause: error }) }
  }
}

function checkBatch(queries: readonly AnalyticsQuery[], { maxBatchQueries }: AnalyticsLimits): void {
  if (Array.isArray(queries) && queries.length <= maxBatchQueries) return
  const found = Array.isArray(queries) ? `${queries.length}` : typeof queries
  const message = `must be a list of at most ${maxBatchQueries} queries, got ${found}`
  const issues = [{ path: ['queries'], message }]
  throw new ValidationError<ClickHouseErrorCode>(`queries ${message}`, { code: 'ERR_CLICKHOUSE_ANALYTICS_QUERY', issues })
}
