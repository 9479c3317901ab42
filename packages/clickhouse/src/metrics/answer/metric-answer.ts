import type { QueryStatistics } from '../../adapter-options.ts'
import type { AnalyticsResult, CacheState, DegradedAnswer } from '../../analytics/analytics-query.ts'
import type { Route } from '../rewrite/choose-route.ts'

/** What a dimension's value may be. */
export type DimensionValue = string | number | bigint | boolean | Date | null
/** What a metric's value may be: counts are `bigint`, sums of decimals text, null where there is nothing to tell. */
export type MetricValue = string | number | bigint | Date | null

/** A row of an answer: its bucket, its dimensions, its metrics. */
export type MetricRow<Metric extends string = string, Dimension extends string = string> = {
  /** When its bucket begins: a day such as `2026-01-31`, or for shorter grains an instant with its offset. Absent without a grain. */
  readonly time?: string
  /** All groups that are not among the largest ones, as one. */
  readonly other?: true
  /** The values that these are compared with. */
  readonly previous?: MetricValues<Metric>
} & (string extends Metric ? Readonly<Record<string, unknown>> : { readonly [D in Dimension]: DimensionValue } & MetricValues<Metric>)

/** Values by metric. */
export type MetricValues<Metric extends string = string> = { readonly [M in Metric]: MetricValue }

/** Totals, over everything that the question reads. */
export type MetricTotals<Metric extends string = string> = (string extends Metric ? Readonly<Record<string, unknown>> : MetricValues<Metric>) & {
  readonly previous?: MetricValues<Metric>
}

/** An answer and the way that it took. */
export interface MetricAnswer<Metric extends string = string, Dimension extends string = string> {
  readonly rows: readonly MetricRow<Metric, Dimension>[]
  /** Present when they were asked for. */
  readonly totals?: MetricTotals<Metric>
  /** Whether there were more rows than the limit. */
  readonly truncated: boolean
  readonly period: AnsweredPeriod
  /** The period that values are compared with. */
  readonly comparedWith?: AnsweredPeriod
  readonly route: AnsweredRoute
  /** Of the question itself; a comparison has its own. */
  readonly cache: CacheState
  /** Set when the caller's quota is spent: the answer, or what it is compared with, is the one from before. */
  readonly degraded?: DegradedMetrics | undefined
}

/** Why an answer is an older one. */
export interface DegradedMetrics extends DegradedAnswer {
  /** How old it is, in milliseconds; of several parts the oldest. */
  readonly ageMs: number
}

/** Half-open, in the question's time zone. */
export interface AnsweredPeriod {
  readonly from: string
  readonly to: string
  readonly timeZone: string
}

/** Where an answer came from, why no smaller table answered it, and what it cost the server. */
export interface AnsweredRoute extends Route {
  /** Null where it would tell a tenant how much there is of others; the same with the next two. */
  readonly rowsRead: number | null
  readonly bytesRead: number | null
  /** Milliseconds on the server. */
  readonly elapsedMs: number | null
}

/** What several statements cost together. */
export function sumStatistics(statistics: readonly (QueryStatistics | null)[]): Pick<AnsweredRoute, 'rowsRead' | 'bytesRead' | 'elapsedMs'> {
  const known = statistics.filter((one) => one !== null)
  const sum = (of: (one: QueryStatistics) => number): number | null => (known.length < statistics.length ? null : known.reduce((total, one) => total + of(one), 0))
  return { rowsRead: sum((one) => one.rowsRead), bytesRead: sum((one) => one.bytesRead), elapsedMs: sum((one) => one.elapsedMs) }
}

/** What is to be said of results that make one answer; nothing, when all of them are what was asked for. */
export function degradedOf(results: readonly AnalyticsResult[]): Pick<MetricAnswer, 'degraded'> {
  const older = results.flatMap(({ degraded, cache }) => (degraded === undefined ? [] : [{ ...degraded, ageMs: cache.ageMs }]))
  const [first, ...others] = older
  if (first === undefined) return {}
  return { degraded: others.reduce((one, other) => ({ quota: one.quota, retryAfterMs: Math.max(one.retryAfterMs, other.retryAfterMs), ageMs: Math.max(one.ageMs, other.ageMs) }), first) }
}
