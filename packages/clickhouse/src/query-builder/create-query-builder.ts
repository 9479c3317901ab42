import { quoteName } from '../adapter/table-columns.ts'
import { builderError } from './builder-error.ts'
import { quoteAlias } from './expression.ts'
import type { QuerySchema } from './query-schema.ts'
import type { Readable } from './query-types.ts'
import type { RowSource } from './row-source.ts'
import { sourceOf } from './query-source.ts'
import { SelectQuery } from './select-query.ts'
import type { QueryParts } from './write-select.ts'

/** Where typed queries begin. */
export interface QueryBuilder<Tables> {
  /** Reads from a table, under its own name or an alias. @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` when the schema has none of that name */
  from<T extends keyof Tables & string, Alias extends string = T>(table: T, alias?: Alias): SelectQuery<Tables, Record<Alias, Tables[T]>, object>
  /** Reads from another query's answer. */
  from<Output, Alias extends string>(query: Readable<Output>, alias: Alias): SelectQuery<Tables, Record<Alias, Output>, object>
  /** Gives a query a name under which the ones that follow may read from it. */
  with<Name extends string, Output>(name: Name, query: (builder: QueryBuilder<Tables>) => Readable<Output>): QueryBuilder<Tables & Record<Name, Output>>
}

/**
 * Makes typed queries over a schema: names are checked and quoted, values are bound, and what comes back has the type that follows from both.
 * @example
 * const db = createQueryBuilder(schema)
 * const { rows } = await db.from('flights').select({ origin: 'origin', late: (e) => e.count() }).where('delay', '>', 15).groupBy('origin').execute(adapter)
 */
export function createQueryBuilder<Tables>(schema: QuerySchema<Tables>): QueryBuilder<Tables> {
  const prefix = schema.database === undefined ? '' : `${quoteName(schema.database)}.`
  const tables = new Map([...schema.tables].map(([name, columns]): [string, RowSource] => [name, { alias: name, columns, isTable: true, sql: () => `${prefix}${quoteName(name)}` }]))
  return builderOver(tables, []) as QueryBuilder<Tables>
}

function builderOver(tables: ReadonlyMap<string, RowSource>, common: QueryParts['common']): QueryBuilder<unknown> {
  return {
    from: (table: unknown, alias?: string) => new SelectQuery({ ...EMPTY, tables, common, source: sourceOf(tables, table, alias) }) as never,
    with: (name: string, make: (builder: never) => Readable) => {
      if (tables.has(name)) throw builderError([name], `there is a table ${JSON.stringify(name)} already; give the query another name`)
      const sql = quoteAlias(name)
      const query = make(builderOver(tables, common) as never)
      const source: RowSource = { alias: name, columns: query.outputTypes, isTable: false, sql: () => sql }
      return builderOver(new Map([...tables, [name, source]]), [...common, { name, sql: (context) => query.subquery(context) }]) as never
    },
  }
}

const EMPTY = {
  isFinal: false,
  sample: null,
  joins: [],
  outputs: new Map(),
  isDistinct: false,
  prewhere: [],
  where: [],
  groupBy: [],
  having: [],
  orderBy: [],
  interpolated: [],
  limitBy: null,
  limit: null,
  offset: null,
  unions: [],
} as const satisfies Omit<QueryParts, 'tables' | 'common' | 'source'>
