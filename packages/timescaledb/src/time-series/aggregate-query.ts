import type { Row } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { quoteIdentifier, quoteLiteral } from '../quote-identifier.ts'
import { refuseInput } from '../refuse-input.ts'
import { type Aggregation, type Metric, parseAggregation, toMetric } from './aggregation.ts'
import { bucketExpression, intervalLiteral, localBucket } from './bucket-expression.ts'
import type { ColumnDescription } from './column-kind.ts'
import { fillGaps, type GapFill } from './fill-gaps.ts'
import { rangeConditions, timeAsTimestamptz, whereAll } from './range-conditions.ts'
import type { BoundStatement } from './range-query.ts'
import { BoundValues, filterConditions, type RowFilter } from './row-filter.ts'
import { columnOf, type TableDescription, tableName } from './table-description.ts'
import { approximateMs, type TimeInterval } from './time-interval.ts'

/** What is computed for each bucket, checked against its table. */
export interface AggregatePlan {
  readonly table: TableDescription
  readonly start: Date
  readonly end: Date
  readonly interval: TimeInterval
  readonly timeZone: string | undefined
  readonly metrics: readonly Metric[]
  readonly groupBy: readonly ColumnDescription[]
  readonly filter: RowFilter | undefined
  readonly fill: GapFill
  /** Most rows of an answer: buckets × series. */
  readonly maxRows: number
  /** Whether the server has TimescaleDB's functions. */
  readonly timescale: boolean
}

/** Groups of other kinds have no equality, or none that survives the way through JSON. */
const GROUPABLE = ['integer', 'decimal', 'float', 'boolean', 'text', 'timestamp', 'date', 'uuid', 'enum']
const MAX_METRICS = 50
const MAX_GROUPS = 10
/** Number of a row's series, in the order in which series are given. */
const SERIES_COLUMN = '~series'

/** @throws TimescaleValidationError naming the metric, by its place in the list */
export function planMetrics(aggregations: readonly (Aggregation | string)[], context: { table: TableDescription; timescale: boolean }): Metric[] {
  if (aggregations.length === 0 || aggregations.length > MAX_METRICS) {
    refuseInput(['metrics'], `must be 1 to ${MAX_METRICS} aggregations, found ${aggregations.length}`)
  }
  return aggregations.map((given, index) => {
    const path = ['metrics', index]
    return toMetric(typeof given === 'string' ? parseAggregation(given, path) : given, context, path)
  })
}

/** @throws TimescaleValidationError naming the column, by its place in the list */
export function planGroups(names: readonly string[], table: TableDescription): ColumnDescription[] {
  if (names.length > MAX_GROUPS) refuseInput(['groupBy'], `must be at most ${MAX_GROUPS} columns, found ${names.length}`)
  return names.map((name, index) => {
    const column = columnOf(table, name, ['groupBy', index])
    return GROUPABLE.includes(column.kind) ? column : refuseInput(['groupBy', index], `can't be ${name}: rows can't be grouped by ${column.type}`)
  })
}

/**
 * Refuses what can't be answered in bounds or by distinct names, before the server works on it.
 *
 * @throws TimescaleValidationError
 */
export function checkPlan(plan: AggregatePlan): void {
  const buckets = Math.ceil((plan.end.getTime() - plan.start.getTime()) / approximateMs(plan.interval))
  if (buckets > plan.maxRows) {
    refuseInput(['interval'], `makes about ${buckets} buckets of the range; at most ${plan.maxRows} are answered: take a longer one or a shorter range`)
  }
  const names = ['bucket', ...plan.groupBy.map(({ name }) => name), ...plan.metrics.map(({ name }) => name)]
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) refuseInput(['metrics'], `gives two columns the name ${twice}: name one of them with "as"`)
  for (const { name } of plan.metrics) quoteIdentifier(name, 'metrics')
}

/** One row a bucket and group that has rows; one row more than allowed shows that there are too many. */
export function aggregateStatement(plan: AggregatePlan): BoundStatement {
  const values = new BoundValues()
  const { table, groupBy, metrics } = plan
  const bucket = bucketExpression(timeAsTimestamptz(table), plan.interval, { timeZone: plan.timeZone, timeBucket: plan.timescale })
  const conditions = [...rangeConditions(table, plan, values), ...filterConditions(table, plan.filter, values)]
  const groups = groupBy.map(({ name }) => quoteIdentifier(name))
  const columns = [`${bucket} as bucket`, ...groups, ...metrics.map(({ name, sql }) => `${sql} as ${quoteIdentifier(name)}`)]
  const places = Array.from({ length: groups.length + 1 }, (_, index) => index + 1)
  // By code point, on every server alike, whatever its collation is.
  const seriesOrder = groupBy.map(({ kind }, index) => `${groups[index]}${kind === 'text' ? ' collate "C"' : ''}`)
  const isFilled = groups.length > 0 && plan.fill !== 'none'
  const series = isFilled ? `, dense_rank() over (order by ${seriesOrder.join(', ')})::int as ${quoteIdentifier(SERIES_COLUMN)}` : ''
  const sql = `select *${series}
    from (select ${columns.join(', ')} from ${tableName(table)} ${whereAll(conditions)} group by ${places.join(', ')}) as aggregated
    order by ${['bucket', ...seriesOrder].join(', ')} limit ${values.add(plan.maxRows + 1)}::int`
  return { sql, params: values.list }
}

/**
 * Every bucket that overlaps the range. Two wall-clock starts can be one moment when clocks change, hence `distinct`; and one can be
 * two moments, hence the looks back, by which clocks are changed.
 */
export function bucketsStatement(plan: AggregatePlan): BoundStatement {
  const { timeZone, interval } = plan
  const zone = quoteLiteral(timeZone ?? 'UTC')
  const first = localBucket(`($1::timestamptz at time zone ${zone})`, interval)
  const looksBack = timeZone !== undefined && interval.months === 0 ? `(interval '0'), (interval '30 minutes'), (interval '1 hour')` : `(interval '0')`
  const bucket = (time: string): string => bucketExpression(time, interval, { timeZone })
  return {
    sql: `select distinct bucket
      from generate_series(${first}, $2::timestamptz at time zone ${zone}, ${intervalLiteral(interval)}) as step,
        (values ${looksBack}) as clocks(back),
        lateral (select ${bucket(`((step at time zone ${zone}) - back)`)} as bucket) as found
      where bucket < $2::timestamptz and bucket >= ${bucket('$1::timestamptz')} order by 1`,
    params: [plan.start, plan.end],
  }
}

/** Rows as they are answered: whole sums as bigint, gaps filled. */
export function finishRows(plan: AggregatePlan, rows: readonly Row[], buckets: readonly Date[]): Row[] {
  if (rows.length > plan.maxRows) throw tooManyRows(plan, `more than ${plan.maxRows}`)
  const whole = plan.metrics.filter(({ isWhole }) => isWhole)
  for (const row of rows) for (const { name } of whole) row[name] = typeof row[name] === 'string' ? BigInt(row[name]) : row[name]
  if (plan.fill === 'none') return [...rows]
  const groupBy = plan.groupBy.map(({ name }) => name)
  const seriesOf = (row: Row): number => (row[SERIES_COLUMN] as number | undefined) ?? 0
  const all = withBucketsOf(rows, buckets)
  const cells = all.length * Math.max(1, new Set(rows.map(seriesOf)).size)
  if (cells > plan.maxRows) throw tooManyRows(plan, String(cells))
  const metrics = plan.metrics.map(({ name, kind, isCount }) => ({ name, isCount, isNumber: kind === 'integer' || kind === 'decimal' || kind === 'float' }))
  return fillGaps(rows, { buckets: all, groupBy, seriesOf, metrics, fill: plan.fill })
}

/** No row is left out for where clocks were changed by something else than hours or halves of them. */
function withBucketsOf(rows: readonly Row[], buckets: readonly Date[]): readonly Date[] {
  const moments = new Set([...buckets, ...rows.map(({ bucket }) => bucket as Date)].map((bucket) => bucket.getTime()))
  return moments.size === buckets.length ? buckets : [...moments].sort((one, other) => one - other).map((moment) => new Date(moment))
}

function tooManyRows(plan: AggregatePlan, found: string): TimescaleOperationError {
  const remedy = 'take a longer interval, fewer groups or a shorter range'
  return new TimescaleOperationError(`the answer would have ${found} rows (buckets × series); at most ${plan.maxRows} are given: ${remedy}`, {
    code: 'ERR_TIMESCALEDB_TOO_MANY_ROWS',
    status: 422,
  })
}
