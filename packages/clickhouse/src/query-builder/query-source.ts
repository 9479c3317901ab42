import { builderError } from './builder-error.ts'
import { isExpression, type QueryExpression, quoteAlias } from './expression.ts'
import { type ComparisonOperator, type ExpressionBuilder, isReadable, type QueryCondition } from './expression-builder.ts'
import type { Column } from './query-schema.ts'
import type { ColumnName, Missing, ShapeOf } from './query-types.ts'
import type { RowSource } from './row-source.ts'

/** An expression, or what makes one. */
export type Made<S, E extends QueryExpression = QueryExpression> = (expressions: ExpressionBuilder<S>) => E

/** Outputs by name: a column's name, or what makes an expression. */
export type Selection<S> = Readonly<Record<string, ColumnName<S> | Made<S>>>

/** What these are in the answer. */
export type SelectedColumns<S, X> = { -readonly [Name in keyof X]: X[Name] extends (expressions: never) => infer E ? ShapeOf<S, E> : ShapeOf<S, X[Name]> }

/** What a join may be given while nothing is selected. */
export type Unselected<O, Given> = keyof O extends never ? Given : never

/** An output as a column. */
export type ShapeOfOutput<Output> = Output extends Column ? Output : never

/** What a name becomes in the answer: without the alias of its source. */
export type Unqualified<S, Name extends string> = { [Alias in keyof S & string]: Name extends keyof S[Alias] ? Name : Name extends `${Alias}.${infer Rest}` ? (Rest extends keyof S[Alias] ? Rest : never) : never }[keyof S & string]

/** Joins of ClickHouse's own: of any one partner, of the nearest one, or of whether there is one. */
export type SpecialJoin = 'any inner' | 'any left' | 'asof inner' | 'asof left' | 'semi left' | 'anti left'

/** What may be named behind such a join. */
export type SpeciallyJoined<Kind extends SpecialJoin, S, Alias extends string, Columns> = Kind extends 'semi left' | 'anti left' ? S : S & Record<Alias, Kind extends 'any left' | 'asof left' ? Missing<Columns> : Columns>

/** Two columns that must be equal, or any condition over both sides. */
export type JoinCondition<S, Columns, Alias extends string> = readonly [left: ColumnName<S & Record<Alias, Columns>>, right: ColumnName<S & Record<Alias, Columns>>] | ((expressions: ExpressionBuilder<S & Record<Alias, Columns>>) => QueryCondition)

/** A table by its name, or a query, as something to read from. @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` when there is no such table */
export function sourceOf(tables: ReadonlyMap<string, RowSource>, table: unknown, alias?: string): RowSource {
  if (isReadable(table)) {
    if (alias === undefined) throw builderError(['alias'], 'a query that is read from needs an alias')
    quoteAlias(alias)
    return { alias, columns: table.outputTypes, isTable: false, sql: (context) => `(${table.subquery(context)})` }
  }
  const found = typeof table === 'string' ? tables.get(table) : undefined
  if (found === undefined) throw builderError(['table'], `there is no table ${JSON.stringify(table)} in the schema`)
  if (alias !== undefined) quoteAlias(alias)
  return { ...found, alias: alias ?? found.alias }
}

/** What a function for a part of a query has made. */
export function made(expression: unknown, where: string): QueryExpression {
  if (!isExpression(expression)) throw builderError([where], `the function for ${JSON.stringify(where)} must return an expression`)
  return expression
}

/** A count of rows. */
export function wholeNumber(value: number, name: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw builderError([name], `${name} must be a whole number from 0`)
}

/** A condition by its three parts, or by what makes it. */
export function conditionOf<S>(where: string, expressions: ExpressionBuilder<S>, first: string | Made<S, QueryCondition>, operator: ComparisonOperator | undefined, value: unknown): QueryCondition {
  if (typeof first === 'function') return made(first(expressions), where) as QueryCondition
  return expressions.compare(first as never, operator as ComparisonOperator, value as never)
}
