import { parseColumnType } from '../row-binary/column-type.ts'
import { builderError } from './builder-error.ts'

/** A column as the compiler knows it: what ClickHouse calls its type, and what a row holds. `generateTypes` writes them. */
export interface Column<Type extends string = string, Value = unknown> {
  /** ClickHouse's own type text. */
  readonly type: Type
  /** What a read row holds under the column's name. */
  readonly value: Value
}

/** Type texts by column, for each table of `Tables`. */
export type SchemaColumns<Tables> = {
  readonly [Table in keyof Tables]: { readonly [Name in keyof Tables[Table]]: Tables[Table][Name] extends Column<infer Type> ? Type : never }
}

/** Tables with their columns, known to the compiler and at run time. */
export interface QuerySchema<Tables> {
  /** Database that the tables are in; undefined for the one of the connection. */
  readonly database: string | undefined
  /** Type texts by table and column. */
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** For the compiler alone. */
  readonly shape?: Tables
}

/** What a schema may be told. */
export interface QuerySchemaOptions {
  /** Database that the tables are in. @default the one of the connection */
  database?: string | undefined
}

/**
 * Says which tables and columns queries may name. Mostly written by `generateTypes`.
 * @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` for a column without a type
 * @example
 * interface Tables { flights: { id: Column<'UInt64', bigint>; origin: Column<'String', string> } }
 * const schema = defineSchema<Tables>({ flights: { id: 'UInt64', origin: 'String' } })
 */
export function defineSchema<Tables>(columns: SchemaColumns<Tables>, options: QuerySchemaOptions = {}): QuerySchema<Tables> {
  const tables = Object.entries<Record<string, string>>(columns as Record<string, Record<string, string>>).map(([table, types]) => {
    for (const [name, type] of Object.entries(types)) {
      if (typeof type !== 'string' || parseColumnType(type).name === '') throw builderError([table, name], `column "${name}" of table "${table}" has no type`)
    }
    return [table, new Map(Object.entries(types))] as const
  })
  return { database: options.database, tables: new Map(tables) }
}
