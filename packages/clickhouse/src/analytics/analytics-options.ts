import { type CachingInterface, type Clock, ConfigurationError, type Logger } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { ClickHouseErrorCode } from '../errors.ts'

/** What an `AnalyticsService` is made from. */
export interface AnalyticsServiceOptions {
  /** Where answers are kept; `false` keeps none. @default an in-process cache of `@smart-whale/core-cache`, loaded on first use */
  cache?: CachingInterface | false | undefined
  /** Adapter of a user who may write, for `insert`. @default the adapter that reads */
  writer?: ClickHouseAdapter | undefined
  /** How long an answer may be served again. @default 30 */
  defaultTtlSeconds?: number | undefined
  /** How much longer than its life an answer is still served while it is loaded anew behind it. @default 0 */
  staleSeconds?: number | undefined
  /** Longest life that a query may ask for. @default 86400 */
  maxTtlSeconds?: number | undefined
  /** How long a query may take when it doesn't say. @default 30000 */
  defaultTimeoutMs?: number | undefined
  /** Longest time that a query may ask for. @default 300000 */
  maxTimeoutMs?: number | undefined
  /** Longest query text, in characters. @default 262144 */
  maxQueryLength?: number | undefined
  /** Answers with more rows than this are not kept. @default 10000 */
  maxCachedRows?: number | undefined
  /** Most queries in one batch. @default 100 */
  maxBatchQueries?: number | undefined
  /** How many queries of a batch run at once. @default 4 */
  batchConcurrency?: number | undefined
  /** ClickHouse settings of every query. A `readonly=1` user may give none: its profile has them. @default {} */
  settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /**
   * Start of every key in the cache. Services that share a cache and whose ClickHouse users may see different rows need different prefixes.
   * @default 'smart-whale:analytics:' with the server, its port and the database
   */
  cacheKeyPrefix?: string | undefined
  /** How long the cache may take before the server is asked instead. @default 250 */
  cacheTimeoutMs?: number | undefined
  /** Adapter of a user who sees the list of tables and views, where the reading one doesn't. @default the adapter that reads */
  catalogue?: ClickHouseAdapter | undefined
  /** How old the list of tables and views may be that decides which answers an insert voids. @default 10000 */
  catalogueMaxAgeMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of a cache that fails and of answers that can't be kept. @default silentLogger */
  logger?: Logger | undefined
}

/** Every default that is a number, once. */
export const ANALYTICS_DEFAULTS = {
  defaultTtlSeconds: 30,
  staleSeconds: 0,
  maxTtlSeconds: 86_400,
  defaultTimeoutMs: 30_000,
  maxTimeoutMs: 300_000,
  maxQueryLength: 262_144,
  maxCachedRows: 10_000,
  maxBatchQueries: 100,
  batchConcurrency: 4,
  cacheTimeoutMs: 250,
  catalogueMaxAgeMs: 10_000,
} as const

/** The limits of a service, with every default filled in. */
export type AnalyticsLimits = { readonly [Name in keyof typeof ANALYTICS_DEFAULTS]: number }

/** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the option */
export function checkLimits(options: AnalyticsServiceOptions): AnalyticsLimits {
  const entries = Object.entries(ANALYTICS_DEFAULTS).map(([name, standard]) => {
    const value = options[name as keyof AnalyticsLimits] ?? standard
    const minimum = name === 'staleSeconds' || name === 'maxCachedRows' ? 0 : 1
    if (Number.isInteger(value) && value >= minimum) return [name, value] as const
    throw new ConfigurationError<ClickHouseErrorCode>(`${name} must be a whole number ≥ ${minimum}, got ${String(value)}`, {
      code: 'ERR_CLICKHOUSE_CONFIGURATION',
    })
  })
  return Object.fromEntries(entries) as unknown as AnalyticsLimits
}
