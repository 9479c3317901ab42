import { type BoundPlace, placeFor, placeOf } from './bind-value.ts'
import { builderError } from './builder-error.ts'
import { type CompileContext, type QueryExpression, isExpression, quoteAlias } from './expression.ts'
import type { Column } from './query-schema.ts'
import type { ColumnName, ColumnOf, Comparable, NullOf, Operand, Readable, ReadBack, ScalarOf, ShapeOf, SumOf } from './query-types.ts'
import { findColumn, nullableType, type RowSource } from './row-source.ts'
import { sumType } from './sum-type.ts'
import { type StartOf, startType, type TimeUnit, unitWord } from './time-units.ts'

/** How two sides are compared. */
export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=' | 'like' | 'not like' | 'ilike' | 'in' | 'not in'

/** A condition: true, false, or null where a side is. */
export type QueryCondition = QueryExpression<Column<'UInt8', number>>

/** How rows are grouped and ordered for a function that sees its neighbours. */
export interface WindowOptions<S> {
  /** Rows with the same of these see each other. @default all rows see each other */
  partitionBy?: readonly Operand<S>[] | undefined
  /** Their order. @default none */
  orderBy?: readonly (Operand<S> | readonly [Operand<S>, 'asc' | 'desc'])[] | undefined
  /** Which rows around each one it sees, by count; `unbounded` for all. @default ClickHouse's: up to this row and its equals with an order, else all */
  rows?: { preceding: number | 'unbounded'; following: number | 'unbounded' } | undefined
}

const OPERATORS: ReadonlyMap<string, string> = new Map([
  ['=', '='],
  ['!=', '!='],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
  ['like', 'LIKE'],
  ['not like', 'NOT LIKE'],
  ['ilike', 'ILIKE'],
  ['in', 'IN'],
  ['not in', 'NOT IN'],
])

/** Makes the expressions of a query. A string in place of an operand is a column's name; values are bound, never written. */
export class ExpressionBuilder<S> {
  readonly #sources: readonly RowSource[]

  /** @param sources whose columns may be named */
  constructor(sources: readonly RowSource[]) {
    this.#sources = sources
  }

  /** A column. @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` when there is none of that name, or several */
  col<Name extends ColumnName<S>>(name: Name): QueryExpression<ColumnOf<S, Name>> {
    return findColumn(this.#sources, name) as QueryExpression<ColumnOf<S, Name>>
  }

  /** A value of its own; its type follows from it, or is that of `typed(type, value)`. */
  value<Value>(value: Value): QueryExpression<Column<string, ReadBack<Value>>> {
    const place = placeOf(value)
    return { sql: (context) => context.bind(place), type: place.type, name: 'value' }
  }

  /** The one value that a query of one column and at most one row has; null for no row. */
  scalar<Output>(query: Readable<Output>): QueryExpression<ScalarOf<Output>> {
    const [type] = query.outputTypes.values()
    if (query.width !== 1 || type === undefined) throw builderError(['scalar'], `a query that stands for a value has ${query.width} columns, and must have one`)
    return { sql: (context) => `(${query.subquery(context)})`, type: nullableType(type), name: 'scalar' }
  }

  // ------------------------------------------------------------ conditions

  /** Compares an operand with a value, another expression, a list of values, or a query of one column. */
  compare<O extends Operand<S>>(left: O, operator: ComparisonOperator, right: Comparable<ShapeOf<S, O>> | readonly Comparable<ShapeOf<S, O>>[] | QueryExpression | Readable): QueryCondition {
    const word = OPERATORS.get(operator)
    if (word === undefined) throw builderError(['operator'], `there is no operator ${JSON.stringify(operator)}; there are ${[...OPERATORS.keys()].join(', ')}`)
    const one = this.operand(left)
    const other = this.#right(one, operator, right)
    return condition((context) => `(${one.sql(context)} ${word} ${other(context)})`)
  }

  /** Equal to a value or an expression. */
  eq<O extends Operand<S>>(left: O, right: Comparable<ShapeOf<S, O>> | QueryExpression): QueryCondition {
    return this.compare(left, '=', right)
  }

  /** Whether an operand lies between two values, both included. */
  between<O extends Operand<S>>(operand: O, from: Comparable<ShapeOf<S, O>>, to: Comparable<ShapeOf<S, O>>): QueryCondition {
    return this.and(this.compare(operand, '>=', from), this.compare(operand, '<=', to))
  }

  /** Whether an operand is null. */
  isNull(operand: Operand<S>): QueryCondition {
    const { sql } = this.operand(operand)
    return condition((context) => `isNull(${sql(context)})`)
  }

  /** Whether an operand is not null. */
  isNotNull(operand: Operand<S>): QueryCondition {
    const { sql } = this.operand(operand)
    return condition((context) => `isNotNull(${sql(context)})`)
  }

  /** All of the conditions; true for none. */
  and(...conditions: readonly QueryCondition[]): QueryCondition {
    return joined(conditions, ' AND ', '1')
  }

  /** Any of the conditions; false for none. */
  or(...conditions: readonly QueryCondition[]): QueryCondition {
    return joined(conditions, ' OR ', '0')
  }

  /** The opposite of a condition. */
  not(of: QueryCondition): QueryCondition {
    return condition((context) => `(NOT ${of.sql(context)})`)
  }

  // ------------------------------------------------------------ aggregates

  /** How many rows; or how many where the operand is not null. */
  count(operand?: Operand<S>): QueryExpression<Column<'UInt64', bigint>> {
    return this.#call('count', 'UInt64', operand === undefined ? [] : [operand])
  }

  /** How many rows fulfil a condition. */
  countIf(when: QueryCondition): QueryExpression<Column<'UInt64', bigint>> {
    return this.#call('countIf', 'UInt64', [when])
  }

  /** How many different values, exactly. */
  countDistinct(...operands: readonly Operand<S>[]): QueryExpression<Column<'UInt64', bigint>> {
    return this.#call('uniqExact', 'UInt64', operands)
  }

  /** The sum. */
  sum<O extends Operand<S>>(operand: O): QueryExpression<SumOf<ShapeOf<S, O>>> {
    return this.#call('sum', sumType(this.operand(operand).type), [operand])
  }

  /** The mean, as a float. */
  avg<O extends Operand<S>>(operand: O): QueryExpression<Column<'Float64', number | NullOf<ShapeOf<S, O>['value']>>> {
    return this.#call('avg', floatLike(this.operand(operand).type), [operand])
  }

  /** The smallest value; the type's own zero for no rows. */
  min<O extends Operand<S>>(operand: O): QueryExpression<ShapeOf<S, O>> {
    return this.#call('min', this.operand(operand).type, [operand])
  }

  /** The largest value; the type's own zero for no rows. */
  max<O extends Operand<S>>(operand: O): QueryExpression<ShapeOf<S, O>> {
    return this.#call('max', this.operand(operand).type, [operand])
  }

  /** Some value. */
  any<O extends Operand<S>>(operand: O): QueryExpression<ShapeOf<S, O>> {
    return this.#call('any', this.operand(operand).type, [operand])
  }

  /** A quantile of numbers, exactly. @param level from 0 to 1 */
  quantile<O extends Operand<S>>(level: number, operand: O): QueryExpression<Column<'Float64', number | NullOf<ShapeOf<S, O>['value']>>> {
    if (typeof level !== 'number' || !(level >= 0 && level <= 1)) throw builderError(['level'], 'a quantile is from 0 to 1')
    const { sql, type } = this.operand(operand)
    // A level is a part of the function's name, which takes no bound value.
    return { sql: (context) => `quantileExactInclusive(${level})(${sql(context)})`, type: floatLike(type), name: 'quantile' }
  }

  /** All values as a list. */
  groupArray<O extends Operand<S>>(operand: O): QueryExpression<Column<'Array', NonNullable<ShapeOf<S, O>['value']>[]>> {
    return this.#call('groupArray', listType(this.operand(operand).type), [operand])
  }

  // -------------------------------------------------------------- windows

  /** The number of each row among those that it sees. */
  rowNumber(): QueryExpression<Column<'UInt64', bigint>> {
    return this.#call('row_number', 'UInt64', [])
  }

  /** The rank of each row; equal rows share it, and it skips as many after them. */
  rank(): QueryExpression<Column<'UInt64', bigint>> {
    return this.#call('rank', 'UInt64', [])
  }

  /** What an aggregate or a window function is over the rows that each row sees. */
  over<C extends Column>(of: QueryExpression<C>, { partitionBy = [], orderBy = [], rows }: WindowOptions<S> = {}): QueryExpression<C> {
    const partitions = partitionBy.map((operand) => this.operand(operand))
    const orders = orderBy.map((entry) => (Array.isArray(entry) ? entry : [entry, 'asc']) as readonly [Operand<S>, string]).map(([operand, direction]) => ({ ...this.operand(operand), direction: directionOf(direction) }))
    const frame = rows === undefined ? '' : ` ROWS BETWEEN ${frameEnd(rows.preceding)} PRECEDING AND ${frameEnd(rows.following)} FOLLOWING`
    const window = (context: CompileContext): string => {
      const partition = partitions.length === 0 ? '' : `PARTITION BY ${partitions.map(({ sql }) => sql(context)).join(', ')}`
      const order = orders.length === 0 ? '' : ` ORDER BY ${orders.map(({ sql, direction }) => `${sql(context)} ${direction}`).join(', ')}`
      return `(${`${partition}${order}${frame}`.trim()})`
    }
    return { ...of, sql: (context) => `${of.sql(context)} OVER ${window(context)}` }
  }

  // ------------------------------------------------------------ functions

  /** The start of the hour, day, month … that a time lies in; a date from weeks on. @param timeZone whose days are meant; the column's own, or the server's, without it */
  startOf<Unit extends TimeUnit, O extends Operand<S>>(unit: Unit, operand: O, timeZone?: string): QueryExpression<StartOf<Unit, ShapeOf<S, O>>> {
    const word = unitWord(unit)
    const { sql, type } = this.operand(operand)
    const zone = timeZone === undefined ? undefined : placeOf(timeZone, 'timeZone')
    return { sql: (context) => `toStartOfInterval(${sql(context)}, toInterval${word}(1)${zone === undefined ? '' : `, ${context.bind(zone)}`})`, type: startType(unit, type), name: `startOf(${unit})` }
  }

  /**
   * Any function of the server's, by its name, with what it gives. Strings among the arguments name columns; give values by `value`.
   * @example e.fn<Column<'String', string>>('lower', 'origin')
   */
  fn<C extends Column = Column>(name: string, ...operands: readonly Operand<S>[]): QueryExpression<C> {
    if (!/^[A-Za-z]\w{0,99}$/.test(name)) throw builderError(['name'], 'the name of a function has letters, digits and _ alone')
    return this.#call(name, '', operands)
  }

  /** A column by its name, or the expression itself. */
  operand(operand: unknown): QueryExpression {
    return isExpression(operand) ? operand : findColumn(this.#sources, operand)
  }

  #call<C extends Column>(name: string, type: string, operands: readonly unknown[]): QueryExpression<C> {
    const parts = operands.map((operand) => this.operand(operand))
    return { sql: (context) => `${name}(${parts.map(({ sql }) => sql(context)).join(', ')})`, type, name }
  }

  #right(left: QueryExpression, operator: ComparisonOperator, right: unknown): (context: CompileContext) => string {
    const takesMany = operator === 'in' || operator === 'not in'
    if (isReadable(right)) {
      if (!takesMany) throw builderError([left.name], `a query stands behind in and not in alone, not behind ${operator}`)
      if (right.width !== 1) throw builderError([left.name], `the query to look for "${left.name}" in has ${right.width} columns, and must have one`)
      return (context) => `(${right.subquery(context)})`
    }
    if (isExpression(right)) return right.sql
    if (Array.isArray(right) !== takesMany) throw builderError([left.name], `"${left.name}" ${operator} takes ${takesMany ? 'a list of values, or a query' : 'one value'}`)
    const place = placeFor(right, left.type, left.name)
    // A text to look for is matched as text, whatever the column is.
    return (context) => context.bind(operator.endsWith('like') ? asText(place, left.name) : place)
  }
}

/** Lists leave nulls out. */
function listType(type: string): string {
  return type === '' ? '' : `Array(${type.replace(/^Nullable\((.*)\)$/s, '$1').replace(/^LowCardinality\(Nullable\((.*)\)\)$/s, 'LowCardinality($1)')})`
}

/** A float, or null where the operand may be. */
function floatLike(type: string): string {
  if (type === '') return ''
  return type.includes('Nullable(') ? 'Nullable(Float64)' : 'Float64'
}

function asText(place: BoundPlace, name: string): BoundPlace {
  if (typeof place.value !== 'string') throw builderError([name], `"${name}" must be matched with text`)
  return { type: 'String', value: place.value }
}

function condition(sql: QueryExpression['sql']): QueryCondition {
  return { sql, type: 'UInt8', name: 'condition' }
}

function joined(conditions: readonly QueryCondition[], word: string, none: string): QueryCondition {
  if (conditions.length === 1) return conditions[0] as QueryCondition
  return condition((context) => (conditions.length === 0 ? none : `(${conditions.map(({ sql }) => sql(context)).join(word)})`))
}

/** Whether a value is a query that others can read from. */
export function isReadable(value: unknown): value is Readable {
  return typeof value === 'object' && value !== null && typeof (value as Readable).subquery === 'function'
}

/** `ASC` or `DESC`. @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` for any other word */
export function directionOf(direction: string): 'ASC' | 'DESC' {
  if (direction === 'asc') return 'ASC'
  if (direction === 'desc') return 'DESC'
  throw builderError(['direction'], 'an order is asc or desc')
}

function frameEnd(rows: number | 'unbounded'): string {
  if (rows === 'unbounded') return 'UNBOUNDED'
  if (Number.isInteger(rows) && rows >= 0 && rows <= 1_000_000_000) return String(rows)
  throw builderError(['rows'], "a window's end is a count of rows, or unbounded")
}

/** Quoted, so that it means what the query has given that name. */
export function outputReference(name: string): QueryExpression {
  const sql = quoteAlias(name)
  return { sql: () => sql, type: '', name }
}
