import { type Clock, ConfigurationError, type Logger } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'

/** What a `StreamProcessor` is made from. */
export interface StreamProcessorOptions {
  /** A batch is sent when it has this many rows. @default 10000 */
  maxBatchRows?: number | undefined
  /** A batch is sent when its rows have this many bytes. @default 8388608 */
  maxBatchBytes?: number | undefined
  /** A batch is sent when its first row has waited this long. @default 500 */
  maxBatchAgeMs?: number | undefined
  /** Rows that may wait or be under way at once; calls beyond them wait for room. @default 100000 */
  maxPendingRows?: number | undefined
  /** Bytes that may wait or be under way at once; calls beyond them wait for room. @default 67108864 */
  maxPendingBytes?: number | undefined
  /** How long a call may take, the wait for room included. @default 60000 */
  timeoutMs?: number | undefined
  /** How long one insert may take, its retries included. @default 30000 */
  insertTimeoutMs?: number | undefined
  /** How old the list of a table's columns may be. @default 60000 */
  columnsMaxAgeMs?: number | undefined
  /** Hears which table was written to, so that answers which depend on it are not served again; an `AnalyticsService` fits. @default nobody */
  invalidates?: TableInvalidation | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of inserts that fail. @default silentLogger */
  logger?: Logger | undefined
}

/** Whoever must hear that tables were written to. */
export interface TableInvalidation {
  invalidateTables(tables: readonly string[]): Promise<void>
}

/** Every default that is a number, once. */
export const STREAM_DEFAULTS = {
  maxBatchRows: 10_000,
  maxBatchBytes: 8_388_608,
  maxBatchAgeMs: 500,
  maxPendingRows: 100_000,
  maxPendingBytes: 67_108_864,
  timeoutMs: 60_000,
  insertTimeoutMs: 30_000,
  columnsMaxAgeMs: 60_000,
} as const

/** The limits of a processor, with every default filled in. */
export type StreamLimits = { readonly [Name in keyof typeof STREAM_DEFAULTS]: number }

/** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the option */
export function checkStreamLimits(options: StreamProcessorOptions): StreamLimits {
  const limits = { ...STREAM_DEFAULTS } as { -readonly [Name in keyof StreamLimits]: number }
  for (const name of Object.keys(STREAM_DEFAULTS) as (keyof StreamLimits)[]) {
    const value = options[name] ?? STREAM_DEFAULTS[name]
    if (!Number.isInteger(value) || value < 1) throw wrongOption(name, value, 'a whole number ≥ 1')
    limits[name] = value
  }
  if (limits.maxPendingRows < limits.maxBatchRows)
    throw wrongOption('maxPendingRows', limits.maxPendingRows, `≥ maxBatchRows (${limits.maxBatchRows})`)
  if (limits.maxPendingBytes < limits.maxBatchBytes)
    throw wrongOption('maxPendingBytes', limits.maxPendingBytes, `≥ maxBatchBytes (${limits.maxBatchBytes})`)
  return limits
}

function wrongOption(name: string, value: unknown, wanted: string): ConfigurationError<ClickHouseErrorCode> {
  return new ConfigurationError<ClickHouseErrorCode>(`${name} must be ${wanted}, got ${String(value)}`, {
    code: 'ERR_CLICKHOUSE_CONFIGURATION',
  })
}
