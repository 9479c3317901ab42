import { type Clock, ConfigurationError, type Logger } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../../errors.ts'
import type { TableWatcher } from '../../analytics/table-watchers.ts'
import type { AskOptions } from '../compile/metric-question.ts'

/** What live metrics are made from. */
export interface LiveMetricsOptions {
  /** Tells which tables were written in this process, usually the analytics service; without it, changes are found by looking alone. @default none */
  tables?: TableWatcher | undefined
  /** How often a question is asked again when nobody tells of a change: writers elsewhere, and periods that move on. From 250. @default 5000 */
  pollMs?: number | undefined
  /** Shortest time from one asking of a question to the next, however often its table is written. @default 250 */
  minIntervalMs?: number | undefined
  /** Longest time that one asking may take. @default 10000 */
  timeoutMs?: number | undefined
  /** Questions that are asked on the server at once. @default 4 */
  maxConcurrent?: number | undefined
  /** Different questions at once, of all readers; equal ones of one reader are one. @default 200 */
  maxQuestions?: number | undefined
  /** Different questions at once of one tenant: of all who may see the same rows, where rows are told apart. @default 50 */
  maxQuestionsPerTenant?: number | undefined
  /** Subscribers at once. @default 1000 */
  maxSubscribers?: number | undefined
  /** Rows of one answer; a question that doesn't say how many it wants gets at most these. @default 5000 */
  maxRows?: number | undefined
  /** Former states of each question that a subscriber may come back with. @default 64 */
  maxVersions?: number | undefined
  /** Questions without subscribers whose states are kept for those who come back. They are not asked meanwhile. @default 50 */
  maxIdleQuestions?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of askings that failed. @default silentLogger */
  logger?: Logger | undefined
}

/** How a question is followed. */
export interface FollowOptions extends Omit<AskOptions, 'cache' | 'ttlSeconds' | 'timeoutMs' | 'budget'> {
  /** Version of the last event that was received: what has changed since comes first, instead of everything. @default none */
  lastVersion?: string | undefined
}

/** Every default that is a number, once. */
const LIVE_DEFAULTS = {
  pollMs: 5_000,
  minIntervalMs: 250,
  timeoutMs: 10_000,
  maxConcurrent: 4,
  maxQuestions: 200,
  maxQuestionsPerTenant: 50,
  maxSubscribers: 1_000,
  maxRows: 5_000,
  maxVersions: 64,
  maxIdleQuestions: 50,
} as const

const MINIMA: Partial<Record<keyof typeof LIVE_DEFAULTS, number>> = { pollMs: 250, minIntervalMs: 0, maxIdleQuestions: 0 }
/** Longer ones would not be timers any more. */
const MAX_VALUE = 2 ** 31 - 1

/** The bounds of live metrics, with every default filled in. */
export type LiveLimits = { readonly [Name in keyof typeof LIVE_DEFAULTS]: number }

/** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the option */
export function checkLiveLimits(options: LiveMetricsOptions): LiveLimits {
  const entries = (Object.keys(LIVE_DEFAULTS) as (keyof LiveLimits)[]).map((name) => {
    const value = options[name] ?? LIVE_DEFAULTS[name]
    const minimum = MINIMA[name] ?? 1
    if (Number.isInteger(value) && value >= minimum && value <= MAX_VALUE) return [name, value] as const
    throw new ConfigurationError<ClickHouseErrorCode>(`${name} must be a whole number from ${minimum} to ${MAX_VALUE}, got ${String(value)}`, {
      code: 'ERR_CLICKHOUSE_CONFIGURATION',
    })
  })
  return Object.fromEntries(entries) as unknown as LiveLimits
}
