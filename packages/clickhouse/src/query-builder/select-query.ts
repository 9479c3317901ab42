import type { CallOptions, Row } from '@smart-whale/interfaces'
import { elementsOf, missingElements } from './array-elements.ts'
import type { ClickHouseAdapter, QueryOptions, QueryResult } from '../adapter-options.ts'
import { builderError } from './builder-error.ts'
import { CompileContext, type QueryExpression, quoteAlias } from './expression.ts'
import { type ComparisonOperator, type QueryCondition, directionOf, ExpressionBuilder, outputReference } from './expression-builder.ts'
import { fillGaps, type GapOptions } from './fill-gaps.ts'
import { interpolations } from './interpolate.ts'
import { conditionOf, type JoinCondition, type Made, made, type SelectedColumns, type Selection, type ShapeOfOutput, sourceOf, type SpeciallyJoined, type SpecialJoin, type Unqualified, type Unselected, wholeNumber } from './query-source.ts'
import type { AllMissing, Arrays, ColumnName, ColumnOf, Comparable, Elements, Missing, Operand, Readable, RowOf } from './query-types.ts'
import { findColumn, type RowSource, withNulls } from './row-source.ts'
import { withValues } from '../parameters/with-values.ts'
import { type ArrayJoinKind, type JoinKind, type QueryParts, sourcesOf, SPECIAL_JOINS, writeSelect } from './write-select.ts'

/** A query's text and its values, for `execute`, `stream`, `download` and the analytics service. */
export interface CompiledQuery {
  readonly query: string
  readonly params: Readonly<Record<string, unknown>>
}

/** Tables and common queries by name, and their columns, for the compiler. */
type TableNames<Tables> = keyof Tables & string

/**
 * A query that is being built: each call gives another one, and leaves this one as it is.
 * `S` are the sources with their columns, `O` the columns of the answer, `Tables` what may still be joined.
 */
export class SelectQuery<Tables, S, O> implements Readable<O> {
  readonly #parts: QueryParts
  /** For the compiler alone. */
  readonly answer?: O

  /** Queries begin at `createQueryBuilder(schema).from(…)`. */
  constructor(parts: QueryParts) {
    this.#parts = parts
  }

  /** Columns to answer with, under their own names; called again, it adds more. */
  select<const Names extends readonly ColumnName<S>[]>(...names: Names): SelectQuery<Tables, S, O & { [Name in Names[number] as Unqualified<S, Name>]: ColumnOf<S, Name> }>
  /** Columns and expressions to answer with, under the names given. */
  select<const X extends Selection<S>>(outputs: X): SelectQuery<Tables, S, O & SelectedColumns<S, X>>
  select(...selected: readonly (string | Selection<S>)[]): unknown {
    const outputs = new Map(this.#parts.outputs)
    const add = (name: string, expression: QueryExpression): void => {
      if (outputs.has(name)) throw builderError([name], `the name ${JSON.stringify(name)} is given twice; give one of them another name`)
      quoteAlias(name)
      outputs.set(name, expression)
    }
    for (const entry of selected) {
      if (typeof entry === 'string') add(this.#ownName(entry), this.#expressions.operand(entry))
      else for (const [name, output] of Object.entries(entry)) add(name, typeof output === 'function' ? made(output(this.#expressions), name) : this.#expressions.operand(output))
    }
    return this.#with({ outputs })
  }

  /** Answers each different row once. */
  distinct(): SelectQuery<Tables, S, O> {
    return this.#with({ isDistinct: true })
  }

  /** Reads rows of a replacing, collapsing or summing table as they will be once all is merged. */
  final(): SelectQuery<Tables, S, O> {
    this.#mustReadTable('final')
    return this.#with({ isFinal: true })
  }

  /**
   * Reads a share of a table that has a sampling key, the same rows each time; sums and counts are those of the share.
   * @param share above 0, to 1 for all
   * @param offset where the share begins, from 0; both together are 1 at most
   */
  sample(share: number, offset = 0): SelectQuery<Tables, S, O> {
    this.#mustReadTable('sample')
    const areNumbers = typeof share === 'number' && typeof offset === 'number'
    if (!areNumbers || !(share > 0 && offset >= 0 && share + offset <= 1)) throw builderError(['sample'], 'a share is above 0, begins from 0, and ends at 1 at most')
    return this.#with({ sample: { share, offset } })
  }

  /** Adds the rows of a table, or of a query, that fit; a row without any is dropped. */
  innerJoin<T extends TableNames<Tables>, Alias extends string = T>(table: T, on: JoinCondition<S, Tables[T], Alias>, alias?: Alias): SelectQuery<Tables, S & Record<Alias, Tables[T]>, O>
  innerJoin<Output, Alias extends string>(query: Readable<Output>, on: JoinCondition<S, Output, Alias>, alias: Alias): SelectQuery<Tables, S & Record<Alias, Output>, O>
  innerJoin(table: unknown, on: unknown, alias?: string): unknown {
    return this.#join('INNER JOIN', table, on, alias)
  }

  /** The same; a row without any is kept, with nulls in their place. */
  leftJoin<T extends TableNames<Tables>, Alias extends string = T>(table: T, on: JoinCondition<S, Tables[T], Alias>, alias?: Alias): SelectQuery<Tables, S & Record<Alias, Missing<Tables[T]>>, O>
  leftJoin<Output, Alias extends string>(query: Readable<Output>, on: JoinCondition<S, Output, Alias>, alias: Alias): SelectQuery<Tables, S & Record<Alias, Missing<Output>>, O>
  leftJoin(table: unknown, on: unknown, alias?: string): unknown {
    return this.#join('LEFT JOIN', table, on, alias)
  }

  /**
   * Keeps the rows of both sides; where one has no partner, nulls stand for it. At least one condition must compare columns of both for being equal.
   * It is called before `select`: what is selected may be null from here on.
   */
  fullJoin<T extends TableNames<Tables>, Alias extends string = T>(table: Unselected<O, T>, on: JoinCondition<AllMissing<S>, Missing<Tables[T]>, Alias>, alias?: Alias): SelectQuery<Tables, AllMissing<S> & Record<Alias, Missing<Tables[T]>>, O>
  fullJoin<Output, Alias extends string>(query: Unselected<O, Readable<Output>>, on: JoinCondition<AllMissing<S>, Missing<Output>, Alias>, alias: Alias): SelectQuery<Tables, AllMissing<S> & Record<Alias, Missing<Output>>, O>
  fullJoin(table: unknown, on: unknown, alias?: string): unknown {
    if (this.#parts.outputs.size > 0) throw builderError(['fullJoin'], 'fullJoin stands before select: what is selected may be null behind it')
    const joins = this.#parts.joins.map((join) => ('elements' in join ? { ...join, elements: join.elements.map(missingElements) } : { ...join, source: withNulls(join.source) }))
    return this.#with({ source: withNulls(this.#parts.source), joins }).#join('FULL JOIN', table, on, alias)
  }

  /**
   * Joins as only ClickHouse does: `any` adds one partner, whichever; `asof` the nearest one by a column that is compared last, besides those that are equal; `semi left` and
   * `anti left` keep the rows that have a partner, or none, and add nothing.
   */
  join<Kind extends SpecialJoin, T extends TableNames<Tables>, Alias extends string = T>(kind: Kind, table: T, on: JoinCondition<S, Tables[T], Alias>, alias?: Alias): SelectQuery<Tables, SpeciallyJoined<Kind, S, Alias, Tables[T]>, O>
  join<Kind extends SpecialJoin, Output, Alias extends string>(kind: Kind, query: Readable<Output>, on: JoinCondition<S, Output, Alias>, alias: Alias): SelectQuery<Tables, SpeciallyJoined<Kind, S, Alias, Output>, O>
  join(kind: SpecialJoin, table: unknown, on: unknown, alias?: string): unknown {
    const word = SPECIAL_JOINS.get(kind)
    if (word === undefined) throw builderError(['join'], `there is no join ${JSON.stringify(kind)}; there are ${[...SPECIAL_JOINS.keys()].join(', ')}`)
    return this.#join(word, table, on, alias)
  }

  /** Makes a row of each element of an array, under the name given; several arrays go side by side, and must be of one length in each row. A row with an empty array is dropped. */
  arrayJoin<const X extends Selection<S>>(arrays: X & Arrays<S, X>): SelectQuery<Tables, S & Elements<S, X>, O> {
    return this.#joinArrays('ARRAY JOIN', arrays)
  }

  /** The same; a row with an empty array is kept, with null in the place of an element. */
  leftArrayJoin<const X extends Selection<S>>(arrays: X & Arrays<S, X>): SelectQuery<Tables, S & AllMissing<Elements<S, X>>, O> {
    return this.#joinArrays('LEFT ARRAY JOIN', arrays)
  }

  /** Keeps the rows that fulfil a condition; called again, they must fulfil both. */
  where<Name extends ColumnName<S>>(name: Name, operator: ComparisonOperator, value: Comparable<ColumnOf<S, Name>> | readonly Comparable<ColumnOf<S, Name>>[] | Readable): SelectQuery<Tables, S, O>
  where(condition: Made<S, QueryCondition>): SelectQuery<Tables, S, O>
  where(first: string | Made<S, QueryCondition>, operator?: ComparisonOperator, value?: unknown): SelectQuery<Tables, S, O> {
    return this.#with({ where: [...this.#parts.where, conditionOf('where', this.#expressions, first, operator, value)] })
  }

  /** The same of the first table alone, whose other columns are then read for these rows only. ClickHouse chooses such conditions itself; this is for where you know better. */
  prewhere<Name extends ColumnName<S>>(name: Name, operator: ComparisonOperator, value: Comparable<ColumnOf<S, Name>> | readonly Comparable<ColumnOf<S, Name>>[] | Readable): SelectQuery<Tables, S, O>
  prewhere(condition: Made<S, QueryCondition>): SelectQuery<Tables, S, O>
  prewhere(first: string | Made<S, QueryCondition>, operator?: ComparisonOperator, value?: unknown): SelectQuery<Tables, S, O> {
    this.#mustReadTable('prewhere')
    return this.#with({ prewhere: [...this.#parts.prewhere, conditionOf('prewhere', new ExpressionBuilder<S>([this.#parts.source]), first, operator, value)] })
  }

  /** Makes one row of all that share these: columns of the sources, or, where there is none of that name, outputs. */
  groupBy(...keys: readonly (Operand<S> | (keyof O & string) | Made<S>)[]): SelectQuery<Tables, S, O> {
    const groups = keys.map((key) => this.#key(key, (name) => this.#sourceFirst(name)))
    return this.#with({ groupBy: [...this.#parts.groupBy, ...groups] })
  }

  /** Keeps the groups that fulfil a condition. */
  having(condition: Made<S, QueryCondition>): SelectQuery<Tables, S, O> {
    return this.#with({ having: [...this.#parts.having, made(condition(this.#expressions), 'having') as QueryCondition] })
  }

  /** Orders the answer by outputs, or by columns of the sources where there is no such output. Nulls come last. */
  orderBy(key: Operand<S> | (keyof O & string) | Made<S>, direction?: 'asc' | 'desc'): SelectQuery<Tables, S, O>
  /**
   * Orders by an output that is a number or a time, and puts in rows for the values that it lacks, with zeros, empty texts and nulls beside them; each for itself within
   * what the answer is ordered by before.
   */
  orderBy<Name extends keyof O & string>(key: Name, direction: 'asc' | 'desc', options: { readonly fill: GapOptions<Comparable<ShapeOfOutput<O[Name]>>> }): SelectQuery<Tables, S, O>
  orderBy(key: unknown, direction: 'asc' | 'desc' = 'asc', { fill }: { readonly fill?: GapOptions } = {}): SelectQuery<Tables, S, O> {
    const by = this.#key(key, (name) => (this.#parts.outputs.has(name) ? outputReference(name) : findColumn(this.#sources, name)))
    const order = { by, direction: directionOf(direction), output: typeof key === 'string' && this.#parts.outputs.has(key) ? key : null }
    if (fill === undefined) return this.#with({ orderBy: [...this.#parts.orderBy, order] })
    const output = this.#parts.outputs.get(key as string)
    if (output === undefined) throw builderError([by.name], `the gaps of "${by.name}" can't be filled, because it is no output`)
    const gaps = fillGaps(fill, { name: by.name, type: output.type, direction: order.direction })
    return this.#with({ orderBy: [...this.#parts.orderBy, { ...order, gaps }] })
  }

  /** In rows that `fill` puts in, these outputs keep what they are in the row before. They are no part of the order. */
  interpolate<const Names extends readonly (keyof O & string)[]>(...names: Names): SelectQuery<Tables, S, O>
  /** The same; they are what is made of what they are in the row before, of which alone it may speak. */
  interpolate(outputs: { readonly [Name in keyof O]?: Made<{ previous: Pick<O, Name> }> }): SelectQuery<Tables, S, O>
  interpolate(...outputs: readonly (string | object)[]): SelectQuery<Tables, S, O> {
    return this.#with({ interpolated: interpolations(this.#parts, outputs as never) })
  }

  /** At most so many rows. */
  limit(rows: number): SelectQuery<Tables, S, O> {
    return this.#with({ limit: wholeNumber(rows, 'limit') })
  }

  /** Leaves out the first rows. */
  offset(rows: number): SelectQuery<Tables, S, O> {
    return this.#with({ offset: wholeNumber(rows, 'offset') })
  }

  /** At most so many rows of each that share these. */
  limitBy(rows: number, ...keys: readonly (Operand<S> | (keyof O & string))[]): SelectQuery<Tables, S, O> {
    return this.#with({ limitBy: { rows: wholeNumber(rows, 'limitBy'), by: keys.map((key) => this.#key(key, (name) => this.#sourceFirst(name))) } })
  }

  /** This query's rows and those of another one with the same columns. */
  unionAll(other: Readable<O>): SelectQuery<Tables, S, O> {
    if (other.width !== this.width) throw builderError(['unionAll'], `one query has ${this.width} columns, the other ${other.width}`)
    return this.#with({ unions: [...this.#parts.unions, other] })
  }

  /** Columns of the answer. */
  get width(): number {
    return this.#parts.outputs.size
  }

  /** ClickHouse's types of the answer's columns, as far as they are known here. */
  get outputTypes(): ReadonlyMap<string, string> {
    return new Map([...this.#parts.outputs].map(([name, { type }]) => [name, type]))
  }

  /** The query's text, and its values, apart from it. @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` when nothing is selected */
  compile(): CompiledQuery {
    const context = new CompileContext()
    return { query: this.subquery(context), params: context.params }
  }

  /** The text with its values in it, to look at and to try out by hand; what runs is `compile()`. */
  toSQL(): string {
    const { query, params } = this.compile()
    return withValues(query, params).text
  }

  /** Changes it where a condition holds. Outputs that are added may be missing; sources that are joined can be named within alone. */
  $if<S2, O2>(condition: boolean, change: (query: SelectQuery<Tables, S, O>) => SelectQuery<Tables, S2, O2>): SelectQuery<Tables, S, O & Partial<Omit<O2, keyof O>>> {
    return (condition ? change(this) : this) as never
  }

  /** Runs it. */
  execute(adapter: Pick<ClickHouseAdapter, 'execute'>, options?: QueryOptions): Promise<QueryResult<RowOf<O> & Row>> {
    const { query, params } = this.compile()
    return adapter.execute(query, params, options)
  }

  /** Runs it and hands on the rows as they come. */
  stream(adapter: Pick<ClickHouseAdapter, 'stream'>, options?: QueryOptions & CallOptions): AsyncIterable<RowOf<O> & Row> {
    const { query, params } = this.compile()
    return adapter.stream(query, params, options)
  }

  /** Writes it as a part of another one. */
  subquery(context: CompileContext): string {
    const queries = [writeSelect(this.#parts, context), ...this.#parts.unions.map((other) => other.subquery(context))]
    return queries.length === 1 ? (queries[0] as string) : queries.map((query) => `(${query})`).join(' UNION ALL ')
  }

  get #sources(): readonly RowSource[] {
    return sourcesOf(this.#parts)
  }

  get #expressions(): ExpressionBuilder<S> {
    return new ExpressionBuilder(this.#sources)
  }

  #with(parts: Partial<QueryParts>): SelectQuery<Tables, S, O> {
    return new SelectQuery({ ...this.#parts, ...parts })
  }

  #join(kind: JoinKind, table: unknown, on: unknown, alias: string | undefined): unknown {
    const found = sourceOf(this.#parts.tables, table, alias)
    if (sourcesOf(this.#parts, true).some((source) => source.alias === found.alias)) throw builderError([found.alias], `there is a source ${JSON.stringify(found.alias)} already; give this one another alias`)
    const source = /LEFT|FULL/.test(kind) ? withNulls(found) : found
    const expressions = new ExpressionBuilder<never>([...this.#sources, source])
    const condition = Array.isArray(on)
      ? expressions.compare(expressions.operand(on[0]) as never, '=', expressions.operand(on[1]) as never)
      : (made((on as (expressions: unknown) => unknown)(expressions), 'on') as QueryCondition)
    return this.#with({ joins: [...this.#parts.joins, { kind, source, on: condition }] })
  }

  #joinArrays(kind: ArrayJoinKind, arrays: object): never {
    const elements = Object.entries(arrays).map(([name, array]: [string, unknown]) => {
      if (this.#sources.some(({ alias, columns }) => alias === name || columns.has(name))) throw builderError([name], `there is a column or a source ${JSON.stringify(name)} already; give the elements another name`)
      return elementsOf(this.#key(array, (column) => findColumn(this.#sources, column)), name, kind === 'LEFT ARRAY JOIN')
    })
    if (elements.length === 0) throw builderError(['arrayJoin'], 'there is no array to join')
    return this.#with({ joins: [...this.#parts.joins, { kind, elements }] }) as never
  }

  #mustReadTable(what: string): void {
    if (!this.#parts.source.isTable) throw builderError([what], `${what} is for a table; put it into the query that is read from`)
  }

  #key(key: unknown, named: (name: string) => QueryExpression): QueryExpression {
    if (typeof key === 'function') return made((key as (expressions: unknown) => unknown)(this.#expressions), 'key')
    return typeof key === 'string' ? named(key) : made(key, 'key')
  }

  #sourceFirst(name: string): QueryExpression {
    const isOutput = this.#parts.outputs.has(name) && !this.#sources.some(({ alias, columns }) => columns.has(name) || (name.startsWith(`${alias}.`) && columns.has(name.slice(alias.length + 1))))
    return isOutput ? outputReference(name) : findColumn(this.#sources, name)
  }

  /** The name of a column without its source's alias. */
  #ownName(name: string): string {
    const source = this.#sources.find(({ alias, columns }) => name.startsWith(`${alias}.`) && columns.has(name.slice(alias.length + 1)))
    return source === undefined || this.#sources.some(({ columns }) => columns.has(name)) ? name : name.slice(source.alias.length + 1)
  }
}
