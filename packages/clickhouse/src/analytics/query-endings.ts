import { InfrastructureError } from '@smart-whale/interfaces'
import { QueryCancellationError, QueryExecutionTimeoutError } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'
import type { AnalyticsQuestion } from './check-question.ts'

/** For whoever asks a service that was closed. */
export function closedError(): OperationalError {
  return new OperationalError('the analytics service is closed; make a new one', { code: 'ERR_CLICKHOUSE_CLOSED', status: 503 })
}

/** What ends the wait of one caller is an error of that caller's query, whatever becomes of the load. */
export function asQueryError(error: unknown, question: AnalyticsQuestion): unknown {
  const code = InfrastructureError.isInstance(error) ? error.code : undefined
  if (code === 'ERR_TIMEOUT') {
    return new QueryExecutionTimeoutError(`the query took longer than ${question.timeoutMs} ms; narrow it or allow it more time`, {
      cause: error,
    })
  }
  return code === 'ERR_ABORTED' && question.signal?.aborted ? abortedQuery(question.signal.reason) : error
}

/** For a caller who gave up. */
export function abortedQuery(reason: unknown): QueryCancellationError {
  return new QueryCancellationError('the analytics query was aborted by its caller', { code: 'ERR_ABORTED', cause: reason })
}
