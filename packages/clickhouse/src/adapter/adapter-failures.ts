import { QueryError, QueryExecutionTimeoutError } from '../errors.ts'
import type { FailedQuery } from '../map-error.ts'
import { CircuitBreakerError, OperationalError } from '../operational-errors.ts'
import type { AnswerHeaders } from './http-transport.ts'

/** Refuses an answer that the query's own FORMAT clause has turned into something else. */
export function refuseOtherFormat(headers: AnswerHeaders, query: FailedQuery): void {
  const format = headers['x-clickhouse-format']
  if (format === undefined || format === 'RowBinaryWithNamesAndTypes') return
  throw new QueryError(`the query has a FORMAT clause (${String(format)}); leave it out, or use download for bytes in a format of your own`, { ...query, status: 400 })
}

/** The client's own deadline has passed. */
export function timeoutError(timeoutMs: number, queryId: string | undefined, cause?: unknown): QueryExecutionTimeoutError {
  return new QueryExecutionTimeoutError(`the query took longer than the ${timeoutMs} ms that it may; narrow it, or allow more with timeoutMs`, { queryId, cause })
}

/** Nothing is asked after `close`. */
export function closedError(server: string): OperationalError {
  return new OperationalError('the adapter is closed', { code: 'ERR_CLICKHOUSE_CLOSED', server, retryable: false })
}

/** An answer that `execute` would have to hold is larger than it may be. */
export function tooLargeError(maxBytes: number, query: FailedQuery): QueryError {
  return new QueryError(`the answer has more than ${maxBytes} bytes (maxResultBytes); read it with stream(), or ask for less`, {
    ...query,
    code: 'ERR_CLICKHOUSE_LIMIT_EXCEEDED',
    status: 422,
  })
}

/** The breaker lets no call through for now; the policy's own error is the cause. */
export function circuitOpenError(cause: Error & { retryAfterMs?: number }, server: string): CircuitBreakerError {
  return new CircuitBreakerError(cause.message, { cause, server, context: { retryAfterMs: cause.retryAfterMs ?? 0 } })
}

/** None of several servers is there. */
export function allAwayError(servers: readonly string[], retryAfterMs: number): CircuitBreakerError {
  const message = `none of the ClickHouse servers ${servers.join(', ')} can be reached; each is asked every ${retryAfterMs} ms and takes calls again as soon as it answers`
  return new CircuitBreakerError(message, { server: servers.join(','), context: { retryAfterMs } })
}

/** The one server that a call has to go to is not there. */
export function serverAwayError(server: string, retryAfterMs: number): CircuitBreakerError {
  const message = `ClickHouse at ${server} can't be reached, and this call may go to no other server; it is asked every ${retryAfterMs} ms and takes calls again as soon as it answers`
  return new CircuitBreakerError(message, { server, context: { retryAfterMs } })
}
