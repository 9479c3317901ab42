import { ClickHouseBaseError } from './errors.ts'

const PASSING = new Set(['ERR_ABORTED', 'ERR_CLICKHOUSE_QUERY_TIMEOUT', 'ERR_CLICKHOUSE_QUERY_CANCELLED', 'ERR_CLICKHOUSE_MEMORY_LIMIT', 'ERR_CLICKHOUSE_LIMIT_EXCEEDED'])

/** Whether the server said that it can't or won't, as it would say again: then there may be another way. */
export function isRefusal(error: unknown): error is ClickHouseBaseError {
  return ClickHouseBaseError.isInstance(error) && error.serverCode !== undefined && !error.retryable && !PASSING.has(error.code)
}
