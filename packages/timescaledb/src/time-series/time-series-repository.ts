import type { CallOptions, Row } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { quoteTable } from '../quote-identifier.ts'
import { refuseInput } from '../refuse-input.ts'
import type { TimescaleStorage } from '../timescale-storage.ts'
import { aggregateStatement, type AggregatePlan, bucketsStatement, checkPlan, finishRows, planGroups, planMetrics } from './aggregate-query.ts'
import type { Aggregation } from './aggregation.ts'
import type { GapFill } from './fill-gaps.ts'
import { latestStatement } from './latest-query.ts'
import { type RangeBounds, timeAsTimestamptz } from './range-conditions.ts'
import { refusal, type TimeOrder } from './range-cursor.ts'
import { type BoundStatement, cursorAfter, POSITION_COLUMN, rangeStatement } from './range-query.ts'
import type { RowFilter } from './row-filter.ts'
import { describeTable, type TableDescription, tableName } from './table-description.ts'
import { parseTimeInterval, type TimeInterval } from './time-interval.ts'

/** What a {@link TimeSeriesRepository} reads, and within which bounds. */
export interface TimeSeriesRepositoryOptions<T> {
  /** Column that says when a row happened. @default the partition key, else the first time that has an index or is never null */
  timeColumn?: string
  /** Columns that order rows of the same moment; together with the time they must be unique and not null. @default the table's key, else where a row lies */
  tiebreak?: readonly string[]
  /** What a row becomes. @default the row itself */
  map?: (row: Row) => T
  /** Most rows of one answer: page, buckets × series, latest. @default 10_000 */
  maxRows?: number
  /** How long one statement may take. @default 30_000 */
  timeoutMs?: number
  /** How long the table's columns are taken as they are known. @default 60_000 */
  describeAgainMs?: number
}

/** Which page of a range. */
export interface RangeOptions {
  /** Which rows. @default all */
  filter?: RowFilter | undefined
  /** Most rows of the page. @default 1_000 */
  limit?: number | undefined
  /** `nextCursor` of the page before. @default the first page */
  cursor?: string | undefined
  /** Oldest or newest first. @default 'asc' */
  order?: TimeOrder | undefined
  /** Ends the call early. @default never aborted */
  signal?: AbortSignal | undefined
}

/** How buckets are made and filled. */
export interface AggregateOptions {
  /** Columns whose values each make a series of their own. @default one series */
  groupBy?: readonly string[] | undefined
  /** What a bucket without rows becomes, in each series that has rows in the range. @default 'none' */
  fill?: GapFill | undefined
  /** Which rows. @default all */
  filter?: RowFilter | undefined
  /** Zone in which days and months begin: `Europe/Berlin`. @default UTC */
  timeZone?: string | undefined
  /** Ends the call early. @default never aborted */
  signal?: AbortSignal | undefined
}

/** Which newest rows. */
export interface LatestOptions {
  /** Columns that name a series; `limit` then counts for each series. @default the table is one series */
  perSeries?: string | readonly string[] | undefined
  /** Which rows. @default all */
  filter?: RowFilter | undefined
  /** Where to look; a short range is quicker. @default everywhere */
  range?: RangeBounds | undefined
  /** Ends the call early. @default never aborted */
  signal?: AbortSignal | undefined
}

/** A column of an answer. */
export interface ResultColumn {
  readonly name: string
  /** PostgreSQL's name of its type. */
  readonly type: string
}

/** One page of rows. */
export interface RangeResult<T> {
  readonly rows: T[]
  readonly columns: readonly ResultColumn[]
  /** Hand it in for the next page; `null` after the last. */
  readonly nextCursor: string | null
}

/** Rows `{ bucket, <groupBy>, <metrics> }`. */
export interface AggregateResult {
  readonly rows: Row[]
  readonly columns: readonly ResultColumn[]
}

/** What this class needs of the storage. */
export type TimeSeriesStorage = Pick<TimescaleStorage, 'execute' | 'capabilities'>

/** Reads a table along its time: pages of a range, values by bucket, the newest rows. Names are checked against the table, values are bound. */
export class TimeSeriesRepository<T = Row> {
  readonly #storage: TimeSeriesStorage
  readonly #table: string
  readonly #options: TimeSeriesRepositoryOptions<T>
  readonly #maxRows: number
  #known: { description: TableDescription; untilMs: number } | undefined

  constructor(storage: TimeSeriesStorage, table: string, options: TimeSeriesRepositoryOptions<T> = {}) {
    quoteTable(table)
    this.#storage = storage
    this.#table = table
    this.#options = options
    this.#maxRows = options.maxRows ?? 10_000
  }

  /** Rows of `[start, end)`, page by page. Rows that come or go between two pages shift none of the others. */
  async getRange(range: RangeBounds | null, options: RangeOptions = {}): Promise<RangeResult<T>> {
    const limit = this.#checkLimit(options.limit ?? Math.min(1_000, this.#maxRows))
    const order = checkOrder(options.order ?? 'asc')
    const table = await this.describe(options)
    const page = { range: checkRange(range), filter: options.filter, order, limit, cursor: options.cursor }
    const rows = await this.#read(rangeStatement(table, page), options).catch((error: unknown) => {
      // The values in a cursor are texts until the server casts them.
      throw options.cursor !== undefined && isUnreadableValue(error) ? refusal() : error
    })
    const kept = rows.slice(0, limit)
    const last = kept.at(-1)?.[POSITION_COLUMN] as string[] | undefined
    const nextCursor = rows.length > limit && last ? cursorAfter(table, order, last) : null
    return { rows: kept.map(({ [POSITION_COLUMN]: _, ...row }) => this.#toResult(row)), columns: columnsOf(table), nextCursor }
  }

  /**
   * One row for each bucket and series. Buckets are labelled by their start, which may lie before the range; only rows of the range count.
   * Without a range, from the first row of the table to its last.
   */
  async getAggregated(
    range: RangeBounds | null,
    interval: string | TimeInterval,
    aggregations: readonly (Aggregation | string)[],
    options: AggregateOptions = {},
  ): Promise<AggregateResult> {
    const step = typeof interval === 'string' ? parseTimeInterval(interval) : interval
    const [table, { hypertables: timescale }] = await Promise.all([this.describe(options), this.#storage.capabilities()])
    const metrics = planMetrics(aggregations, { table, timescale })
    const groupBy = planGroups(options.groupBy ?? [], table)
    const bounds = await this.#boundsOf(table, checkRange(range), options)
    const columns = [{ name: 'bucket', type: 'timestamp with time zone' }, ...groupBy.map(resultColumn), ...metrics.map(resultColumn)]
    if (!bounds) return { rows: [], columns }
    const fill = checkFill(options.fill ?? 'none')
    const timeZone = checkTimeZone(options.timeZone)
    const { filter } = options
    const plan: AggregatePlan = { table, ...bounds, interval: step, timeZone, metrics, groupBy, filter, fill, maxRows: this.#maxRows, timescale }
    checkPlan(plan)
    const rows = await this.#read(aggregateStatement(plan), options)
    const buckets = fill === 'none' ? [] : await this.#read(bucketsStatement(plan), options)
    return { rows: finishRows(plan, rows, buckets.map(({ bucket }) => bucket as Date)), columns }
  }

  /** The newest `limit` rows, newest first; with `perSeries` those of each series. */
  async getLatest(limit = 1, options: LatestOptions = {}): Promise<T[]> {
    const table = await this.describe(options)
    const perSeries = typeof options.perSeries === 'string' ? [options.perSeries] : (options.perSeries ?? [])
    const plan = { limit: this.#checkLimit(limit), perSeries, filter: options.filter, range: checkRange(options.range ?? null), maxRows: this.#maxRows }
    const rows = await this.#read(latestStatement(table, plan), options)
    if (rows.length > this.#maxRows) {
      const message = `there are more than ${this.#maxRows} rows to give: ask for fewer a series, or filter`
      throw new TimescaleOperationError(message, { code: 'ERR_TIMESCALEDB_TOO_MANY_ROWS', status: 422 })
    }
    return rows.map((row) => this.#toResult(row))
  }

  /**
   * The table's columns, its time column and its key, as last read from the catalogue.
   *
   * @throws TimescaleOperationError `ERR_TIMESCALEDB_UNKNOWN_TABLE`
   */
  async describe(options: { signal?: AbortSignal | undefined } = {}): Promise<TableDescription> {
    if (this.#known && performance.now() < this.#known.untilMs) return this.#known.description
    const { hypertables } = await this.#storage.capabilities()
    const description = await describeTable(this.#storage, this.#table, { ...this.#options, hypertables }, this.#call(options))
    this.#known = { description, untilMs: performance.now() + (this.#options.describeAgainMs ?? 60_000) }
    return description
  }

  /** `undefined` when there is nothing to aggregate. An open end becomes that of the table. */
  async #boundsOf(
    table: TableDescription,
    { start, end }: RangeBounds,
    options: { signal?: AbortSignal | undefined },
  ): Promise<{ start: Date; end: Date } | undefined> {
    if (start && end) return start < end ? { start, end } : undefined
    const time = timeAsTimestamptz(table)
    const sql = `select min(${time}) as first, max(${time}) as last from ${tableName(table)} where isfinite(${time})`
    const [extent] = await this.#read({ sql, params: [] }, options)
    const { first, last } = (extent ?? {}) as { first?: Date | null; last?: Date | null }
    const from = start ?? first
    // The last row itself belongs to it, to the microsecond that a Date doesn't show.
    const to = end ?? (last ? new Date(last.getTime() + 1) : undefined)
    return from && to && from < to ? { start: from, end: to } : undefined
  }

  async #read(statement: BoundStatement, options: { signal?: AbortSignal | undefined }): Promise<Row[]> {
    return this.#storage.execute(statement.sql, statement.params, { ...this.#call(options), readOnly: true } as CallOptions)
  }

  #call(options: { signal?: AbortSignal | undefined }): CallOptions {
    return { signal: options.signal, timeoutMs: this.#options.timeoutMs ?? 30_000 }
  }

  #toResult(row: Row): T {
    return this.#options.map ? this.#options.map(row) : (row as T)
  }

  #checkLimit(limit: number): number {
    if (Number.isInteger(limit) && limit >= 1 && limit <= this.#maxRows) return limit
    return refuseInput(['limit'], `must be a whole number from 1 to ${this.#maxRows}`)
  }
}

function checkRange(range: RangeBounds | null): RangeBounds {
  const { start, end } = range ?? {}
  for (const [field, time] of Object.entries({ start, end })) {
    if (time !== undefined && (!(time instanceof Date) || Number.isNaN(time.getTime()))) refuseInput([field], 'must be a valid Date')
    if (time !== undefined && (time.getUTCFullYear() < 1 || time.getUTCFullYear() > 9999)) refuseInput([field], 'must lie in the years 1 to 9999')
  }
  return { start, end }
}

function checkOrder(order: TimeOrder): TimeOrder {
  return order === 'asc' || order === 'desc' ? order : refuseInput(['order'], 'must be asc or desc')
}

function checkFill(fill: GapFill): GapFill {
  return ['none', 'null', 'locf', 'linear'].includes(fill) ? fill : refuseInput(['fill'], 'must be none, null, locf or linear')
}

/** PostgreSQL reads more than IANA names as zones, some of them with the sign turned round; only names are let through. */
function checkTimeZone(timeZone: string | undefined): string | undefined {
  if (timeZone === undefined) return undefined
  const known = /^[A-Za-z][\w+/-]{0,63}$/.test(timeZone) && isKnownZone(timeZone)
  return known ? timeZone : refuseInput(['timeZone'], 'must be the name of a time zone, such as Europe/Berlin')
}

function isKnownZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
    return true
  } catch {
    return false
  }
}

function isUnreadableValue(error: unknown): boolean {
  const state = (error as { context?: { sqlState?: unknown } }).context?.sqlState
  return typeof state === 'string' && state.startsWith('22')
}

function columnsOf(table: TableDescription): ResultColumn[] {
  return table.columns.map(resultColumn)
}

function resultColumn({ name, type }: ResultColumn): ResultColumn {
  return { name, type }
}
