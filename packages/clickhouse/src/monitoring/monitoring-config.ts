import { ConfigurationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'

/**
 * Pause between two looks at a server when nobody says otherwise, in milliseconds: `CLICKHOUSE_MONITORING_INTERVAL_MS`, else 15 s.
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION`
 */
export function monitoringIntervalMs(environment: Readonly<Record<string, string | undefined>> = process.env): number {
  const text = environment['CLICKHOUSE_MONITORING_INTERVAL_MS']
  if (text === undefined || text === '') return 15_000
  const interval = Number(text)
  if (Number.isSafeInteger(interval) && interval > 0) return interval
  throw new ConfigurationError<ClickHouseErrorCode>(`CLICKHOUSE_MONITORING_INTERVAL_MS must be a whole number of milliseconds above 0, got ${text}`, { code: 'ERR_CLICKHOUSE_CONFIGURATION' })
}
