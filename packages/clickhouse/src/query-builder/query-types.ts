import type { CompileContext, QueryExpression } from './expression.ts'
import type { Column } from './query-schema.ts'

/** The sources that a query reads from so far: columns by alias. */
export type Sources = object

type Names<S, Alias extends keyof S> = keyof S[Alias] & string

/** What a column may be called: by its name, or with its source's alias before it. */
export type ColumnName<S> = { [Alias in keyof S & string]: Names<S, Alias> | `${Alias}.${Names<S, Alias>}` }[keyof S & string]

type ColumnIn<S, Alias extends keyof S & string, Name extends string> = Name extends keyof S[Alias] ? S[Alias][Name] : Name extends `${Alias}.${infer Rest}` ? (Rest extends keyof S[Alias] ? S[Alias][Rest] : never) : never

/** The column of that name. */
export type ColumnOf<S, Name extends string> = AsColumn<{ [Alias in keyof S & string]: ColumnIn<S, Alias, Name> }[keyof S & string]>

type AsColumn<C> = C extends Column ? C : never

/** A column's name, or an expression. */
export type Operand<S> = ColumnName<S> | QueryExpression

/** What an operand is. */
export type ShapeOf<S, O> = O extends QueryExpression<infer C> ? C : O extends string ? ColumnOf<S, O> : never

/** A type without what only says how it is stored. */
export type Bare<Type extends string> = Type extends `LowCardinality(${infer Inner})` ? Bare<Inner> : Type extends `Nullable(${infer Inner})` ? Inner : Type extends `SimpleAggregateFunction(${string}, ${infer Inner})` ? Bare<Inner> : Type

/** `null` where a column may hold it. */
export type NullOf<Value> = null extends Value ? null : never

type IntegerType = `${'' | 'U'}Int${8 | 16 | 32 | 64 | 128 | 256}`

/** What the sum of a column is. */
export type SumOf<C extends Column> =
  Bare<C['type']> extends IntegerType | 'Bool' ? Column<'Int64', bigint | NullOf<C['value']>> : Bare<C['type']> extends `Decimal${string}` ? Column<'Decimal', string | NullOf<C['value']>> : Column<'Float64', number | NullOf<C['value']>>

/** What a value may be that is compared with a column. */
export type Comparable<C extends Column> = WiderValue<NonNullable<C['value']>>
type WiderValue<Value> = Value extends bigint ? bigint | number : Value extends Date ? Date | string : Value extends number ? number | bigint : Value extends string ? string | Date | Uint8Array | number : Value

/** Columns that a row may lack, because its partner in a join is missing. */
export type Missing<Columns> = { [Name in keyof Columns]: Columns[Name] extends Column<infer Type, infer Value> ? (IsPlain<Type> extends true ? Column<`Nullable(${Type})`, Value | null> : Columns[Name]) : never }
type IsPlain<Type extends string> = Type extends `${'Array' | 'Map' | 'Tuple' | 'Nested' | 'JSON' | 'Variant' | 'Dynamic' | 'Point' | 'Ring' | 'LineString' | 'Polygon' | 'Multi' | 'Geometry' | 'AggregateFunction' | 'QBit'}${string}` ? false : true

/** A query as something that others read from: its columns, and how it is written. */
export interface Readable<Output = unknown> {
  /** Writes it, without brackets. */
  readonly subquery: (context: CompileContext) => string
  /** How many columns it has. */
  readonly width: number
  /** ClickHouse's types of its columns, as far as they are known here. */
  readonly outputTypes: ReadonlyMap<string, string>
  /** For the compiler alone. */
  readonly answer?: Output
}

/** Rows of a query's answer. */
export type RowOf<Output> = { [Name in keyof Output]: Output[Name] extends Column ? Output[Name]['value'] : never }
