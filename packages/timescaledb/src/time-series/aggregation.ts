import { quoteIdentifier } from '../quote-identifier.ts'
import { type InputPath, refuseInput } from '../refuse-input.ts'
import { type ColumnDescription, type ColumnKind, isNumeric } from './column-kind.ts'
import { columnOf, type TableDescription } from './table-description.ts'

/** What can be computed over the rows of a bucket. */
export type AggregateFunction = 'avg' | 'min' | 'max' | 'sum' | 'count' | 'first' | 'last' | 'stddev' | 'percentile'

/** One value a bucket. */
export interface Aggregation {
  readonly function: AggregateFunction
  /** What it is computed over; `count` alone can do without, and then counts rows. */
  readonly column?: string
  /** Which part of the values lies below the percentile: 0.95. Only for `percentile`. */
  readonly fraction?: number
  /** Name in the result. @default `avg_delay`, `count`, `p95_delay` */
  readonly as?: string
}

/** An {@link Aggregation} checked against its table. */
export interface Metric {
  readonly name: string
  readonly sql: string
  /** PostgreSQL's name of the result's type. */
  readonly type: string
  readonly kind: ColumnKind
  readonly isCount: boolean
  /** Whether the server's decimal is a whole number and becomes a bigint. */
  readonly isWhole: boolean
}

const FUNCTIONS: readonly AggregateFunction[] = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last', 'stddev', 'percentile']
const PERCENTILE = /^p(\d{1,2}(?:\.\d{1,4})?|100)$/
const ORDERED: readonly ColumnKind[] = ['integer', 'decimal', 'float', 'text', 'timestamp', 'date']
const KEPT: readonly ColumnKind[] = [...ORDERED, 'boolean', 'uuid', 'enum', 'json']

/**
 * Reads `count`, `avg:delay`, `p95:delay`, `percentile:delay:0.95`.
 *
 * @throws TimescaleValidationError naming what of it can't be read
 */
export function parseAggregation(text: string, path: InputPath = ['metrics']): Aggregation {
  const [name = '', column, fraction, ...rest] = text.split(':')
  const percentile = PERCENTILE.exec(name)
  if (rest.length > 0 || (fraction !== undefined && name !== 'percentile')) {
    refuseInput(path, `has too many parts: ${JSON.stringify(text.slice(0, 100))}; write function:column`)
  }
  if (percentile) return { function: 'percentile', fraction: Number(percentile[1]) / 100, ...(column === undefined ? {} : { column }) }
  if (!isFunction(name)) refuseInput(path, `must begin with one of ${FUNCTIONS.join(', ')} or p95; found ${JSON.stringify(name.slice(0, 100))}`)
  return {
    function: name,
    ...(column === undefined ? {} : { column }),
    ...(fraction === undefined ? {} : { fraction: fraction.trim() === '' ? Number.NaN : Number(fraction) }),
  }
}

/** How the server computes it. */
export interface MetricContext {
  readonly table: TableDescription
  /** Whether TimescaleDB's `first` and `last` are there. */
  readonly timescale: boolean
}

/**
 * The SQL of an aggregation. Integers are added exactly and come back as bigint; averages, deviations and percentiles are floats.
 *
 * @throws TimescaleValidationError naming the column or function that doesn't fit
 */
export function toMetric(aggregation: Aggregation, context: MetricContext, path: InputPath): Metric {
  if (!isFunction(aggregation.function)) refuseInput(path, `must be one of ${FUNCTIONS.join(', ')}`)
  const name = aggregation.as ?? defaultName(aggregation)
  if (aggregation.column === undefined) {
    if (aggregation.function !== 'count') refuseInput(path, `${aggregation.function} needs a column: write ${aggregation.function}:column`)
    return { name, sql: 'count(*)', type: 'bigint', kind: 'integer', isCount: true, isWhole: false }
  }
  const column = columnOf(context.table, aggregation.column, path)
  return { name, isCount: aggregation.function === 'count', isWhole: false, ...BUILDERS[aggregation.function](column, { aggregation, context, path }) }
}

interface BuildContext {
  readonly aggregation: Aggregation
  readonly context: MetricContext
  readonly path: InputPath
}

type Built = Pick<Metric, 'sql' | 'type' | 'kind'> & Partial<Pick<Metric, 'isWhole'>>

const BUILDERS: Readonly<Record<AggregateFunction, (column: ColumnDescription, build: BuildContext) => Built>> = {
  count: (column) => ({ sql: `count(${quoteIdentifier(column.name)})`, type: 'bigint', kind: 'integer' }),
  avg: (column, build) => float(column, build, (value) => `avg(${value})`),
  stddev: (column, build) => float(column, build, (value) => `stddev_samp(${value})`),
  sum,
  min: (column, build) => ({ sql: `min(${ordered(column, build)})`, type: column.type, kind: column.kind }),
  max: (column, build) => ({ sql: `max(${ordered(column, build)})`, type: column.type, kind: column.kind }),
  first: (column, build) => atEnd(column, build, 'asc'),
  last: (column, build) => atEnd(column, build, 'desc'),
  percentile,
}

function float(column: ColumnDescription, build: BuildContext, aggregate: (value: string) => string): Built {
  const value = quoteIdentifier(numeric(column, build).name)
  // Of integers and decimals the server averages exactly and rounds once, at the end.
  const sql = column.kind === 'float' ? aggregate(`${value}::float8`) : `${aggregate(value)}::float8`
  return { sql, type: 'double precision', kind: 'float' }
}

function sum(column: ColumnDescription, build: BuildContext): Built {
  const value = quoteIdentifier(numeric(column, build).name)
  if (column.kind === 'float') return { sql: `sum(${value}::float8)`, type: 'double precision', kind: 'float' }
  if (column.kind === 'decimal') return { sql: `sum(${value})`, type: 'numeric', kind: 'decimal' }
  const wide = column.baseType === 'int8'
  return { sql: `sum(${value})`, type: wide ? 'numeric' : 'bigint', kind: 'integer', isWhole: wide }
}

/**
 * The first or last value in time. Of several at the same moment, the one that the table's key puts first or last (texts by code point,
 * on every server alike); without a key the smallest or the largest, where nothing counts as the largest.
 */
function atEnd(column: ColumnDescription, { context, path }: BuildContext, order: 'asc' | 'desc'): Built {
  const value = quoteIdentifier(column.name)
  if (!KEPT.includes(column.kind)) refuseInput(path, `can't be taken of ${column.name}, which is ${column.type}`)
  const { table, timescale } = context
  const tiebreak = table.tiebreak.length > 0 ? table.tiebreak : [column]
  const ordering = [quoteIdentifier(table.timeColumn.name), ...tiebreak.map(orderable)]
  const shared = { type: column.type, kind: column.kind }
  if (timescale) return { sql: `${order === 'asc' ? 'first' : 'last'}(${value}, row(${ordering.join(', ')}))`, ...shared }
  return { sql: `(array_agg(${value} order by ${ordering.map((sql) => `${sql} ${order}`).join(', ')}))[1]`, ...shared }
}

/** A column as something that every server orders in the same way. */
function orderable({ name, kind, baseType }: ColumnDescription): string {
  const sql = quoteIdentifier(name)
  if (kind === 'text') return `${sql} collate "C"`
  return baseType === 'json' ? `${sql}::text collate "C"` : sql
}

function percentile(column: ColumnDescription, build: BuildContext): Built {
  const fraction = build.aggregation.fraction ?? Number.NaN
  if (!(fraction >= 0 && fraction <= 1)) refuseInput(build.path, 'percentile needs a fraction from 0 to 1: write percentile:column:0.95 or p95:column')
  const value = `${quoteIdentifier(numeric(column, build).name)}::float8`
  return { sql: `percentile_cont(${fraction}::float8) within group (order by ${value})`, type: 'double precision', kind: 'float' }
}

function numeric(column: ColumnDescription, { aggregation, path }: BuildContext): ColumnDescription {
  return isNumeric(column.kind) ? column : refuseInput(path, `${aggregation.function} needs a numeric column; ${column.name} is ${column.type}`)
}

function ordered(column: ColumnDescription, { aggregation, path }: BuildContext): string {
  if (!ORDERED.includes(column.kind)) refuseInput(path, `${aggregation.function} needs a column that can be ordered; ${column.name} is ${column.type}`)
  return quoteIdentifier(column.name)
}

function defaultName({ function: name, column, fraction }: Aggregation): string {
  if (column === undefined) return name
  const prefix = name === 'percentile' && fraction !== undefined ? `p${String(Number((fraction * 100).toFixed(4))).replace('.', '_')}` : name
  return `${prefix}_${column}`
}

function isFunction(name: string): name is AggregateFunction {
  return (FUNCTIONS as readonly string[]).includes(name)
}
