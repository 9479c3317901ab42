import type { CompileContext, QueryExpression } from './expression.ts'
import type { TypedValue } from '../parameters/typed-value.ts'
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
export type Bare<Type extends string> = Type extends `LowCardinality(${infer Inner})` ? Bare<Inner> : Type extends `Nullable(${infer Inner})` ? Bare<Inner> : Type extends `SimpleAggregateFunction(${string}, ${infer Inner})` ? Bare<Inner> : Type

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
export type Missing<Columns> = { [Name in keyof Columns]: Columns[Name] extends Column ? MissingColumn<Columns[Name]> : never }

/** The same of every source. */
export type AllMissing<S> = { [Alias in keyof S]: Missing<S[Alias]> }

type MissingColumn<C extends Column> = null extends C['value'] ? C : IsPlain<C['type']> extends true ? Column<`Nullable(${C['type']})`, C['value'] | null> : C
type IsPlain<Type extends string> = Type extends `${'Array' | 'Map' | 'Tuple' | 'Nested' | 'JSON' | 'Variant' | 'Dynamic' | 'Point' | 'Ring' | 'LineString' | 'Polygon' | 'Multi' | 'Geometry' | 'AggregateFunction' | 'QBit'}${string}` ? false : true

/** What is read where a value was bound: whole numbers come back as bigints. */
export type ReadBack<Value> = Value extends number ? number | bigint : Value extends TypedValue ? unknown : Value extends Uint8Array ? string : Value extends readonly (infer Item)[] ? ReadBack<Item>[] : Value

/** Arrays whose elements are joined, by the name of the elements: anything else is refused. */
export type Arrays<S, X> = { readonly [Name in keyof X]: [ElementOf<ShapeOfEntry<S, X[Name]>>] extends [never] ? never : X[Name] }

/** Elements as columns, each a source of its own. */
export type Elements<S, X> = { [Name in keyof X & string]: { [Element in Name]: ElementOf<ShapeOfEntry<S, X[Name]>> } }

type ShapeOfEntry<S, Entry> = Entry extends (expressions: never) => infer E ? ShapeOf<S, E> : ShapeOf<S, Entry>
type ElementOf<C extends Column> = C extends Column<`Array(${infer Inner})`, readonly (infer Value)[]> ? Column<Inner, Value> : C extends Column<'Array', readonly (infer Value)[]> ? Column<string, Value> : never

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

/** The one column of a query, null where it has no row. */
export type ScalarOf<Output> = MissingColumn<AsColumn<Output[keyof Output]>>

/** Rows of a query's answer. */
export type RowOf<Output> = { [Name in keyof Output]: NonNullable<Output[Name]> extends Column ? NonNullable<Output[Name]>['value'] : never }
