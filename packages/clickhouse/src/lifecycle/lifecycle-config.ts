import { ConfigurationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'

/**
 * How long rows are kept when nobody says otherwise, in days: `CLICKHOUSE_RETENTION_DAYS`. Null when it isn't set.
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION`
 */
export function retentionDays(environment: Readonly<Record<string, string | undefined>> = process.env): number | null {
  const text = environment['CLICKHOUSE_RETENTION_DAYS']
  if (text === undefined || text === '') return null
  return checkRetentionDays(Number(text), 'CLICKHOUSE_RETENTION_DAYS')
}

/** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` */
export function checkRetentionDays(days: number, name: string): number {
  if (Number.isFinite(days) && days > 0) return days
  throw new ConfigurationError<ClickHouseErrorCode>(`${name} must be a number of days above 0, got ${String(days)}`, { code: 'ERR_CLICKHOUSE_CONFIGURATION' })
}
