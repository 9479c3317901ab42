import type { CallOptions } from '@smart-whale/interfaces'
import type { EstimateBudget } from '../../access/request-budget.ts'
import type { Filters, Grain } from '../definition/metric-definition.ts'
import type { PeriodName } from '../periods/resolve-period.ts'

/** What is asked of metrics. */
export interface MetricQuestion<Metric extends string = string, Dimension extends string = string> {
  /** Metrics of one source. */
  readonly metrics: readonly Metric[]
  /** A period by name; or `from` and `to`. */
  readonly period?: PeriodName | undefined
  /** First instant: a `Date`, or ISO text, local time of `timeZone` unless it has an offset. */
  readonly from?: Date | string | undefined
  /** First instant that is no longer meant. By default the end of today. */
  readonly to?: Date | string | undefined
  /** What time is cut into; without it the whole period is one. */
  readonly grain?: Grain | undefined
  /** Whose days and hours are meant. `UTC` by default. */
  readonly timeZone?: string | undefined
  /** What rows are split by. */
  readonly by?: readonly Dimension[] | undefined
  /** What rows must fulfil. */
  readonly where?: Filters<Dimension> | undefined
  /** Only the largest groups of the whole period; with `other` the rest of them as one. */
  readonly top?: { readonly n: number; readonly by?: Metric | undefined; readonly other?: boolean | undefined } | undefined
  /** Adds the values of the period before, or of the same one a year before. */
  readonly compare?: 'previous_period' | 'previous_year' | undefined
  /** Adds the buckets in which nothing happened. */
  readonly fillGaps?: boolean | undefined
  /** Adds the values over everything: computed of the rows, never of the parts. */
  readonly totals?: boolean | undefined
  /** Most rows. 10,000 by default, and at most 100,000. */
  readonly limit?: number | undefined
  /** `raw` asks the source itself, whatever rollups there are. */
  readonly route?: 'auto' | 'raw' | undefined
}

/** How a question is asked. */
export interface AskOptions extends CallOptions {
  /** `false` asks the server in any case and keeps nothing. @default true */
  cache?: boolean | undefined
  /** How long the answer may be served again. @default the analytics service's */
  ttlSeconds?: number | undefined
  /** ClickHouse role to run under. @default the user's default roles */
  role?: string | undefined
  /** Whose answer it is; answers of one scope are never given to another. @default '' */
  scope?: string | undefined
  /** Whose rows it may read, where row policies go by tenant. @default none */
  tenant?: string | undefined
  /** Which trust level it runs at, where the analytics service has several. @default none */
  level?: string | undefined
  /** What it may be estimated to read, together with others of the same request. @default nothing is estimated */
  budget?: EstimateBudget | undefined
  /** Rows that this caller may see, beside what he asks for. @default those of the layer's `rowFilter` */
  rowFilter?: RowFilter | undefined
}

/**
 * Which rows of a source a caller may see, by column. It holds for the source and its rollups alike: a rollup that doesn't keep the
 * column as a dimension is not asked.
 */
export type RowFilter = (source: string) => readonly RowCondition[]

/** A column of the source and what it must be; values are bound, never part of the statement. */
export interface RowCondition {
  readonly column: string
  /** One value, or several of which it must be one; of none there is no row. */
  readonly is: string | number | bigint | boolean | readonly (string | number | bigint | boolean)[]
}
