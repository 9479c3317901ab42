import { quoteName } from '../adapter/table-columns.ts'
import { builderError } from './builder-error.ts'
import { type CompileContext, type QueryExpression, quoteAlias } from './expression.ts'

/** Something with columns that a query reads from, under a name of its own. */
export interface RowSource {
  readonly alias: string
  /** Type texts by column; an empty one where only the server knows. */
  readonly columns: ReadonlyMap<string, string>
  /** Writes it, without its alias. Modifiers are for a source that has its table within. */
  readonly sql: (context: CompileContext, modifiers?: string) => string
  /** Whether it is a table, which alone takes `FINAL` and `SAMPLE`. */
  readonly isTable: boolean
  /** Whether its table stands within brackets, and modifiers with it. @default false */
  readonly isWrapped?: boolean
  /** What its column is written as, where an alias before it is not understood. */
  readonly reference?: string
}

/** Writes a source with its alias, and what its table is to be read with. */
export function aliased(source: RowSource, context: CompileContext, modifiers = ''): string {
  const alias = quoteAlias(source.alias)
  return source.isWrapped === true ? `${source.sql(context, modifiers)} AS ${alias}` : `${source.sql(context)} AS ${alias}${modifiers}`
}

/**
 * Finds a column by its name, or by its source's alias, a dot and its name. It is written with the alias before it: ClickHouse would take a bare name
 * for what the query itself has given that name.
 * @throws ValidationError `ERR_CLICKHOUSE_QUERY_BUILDER` when there is none, or more than one
 */
export function findColumn(sources: readonly RowSource[], name: unknown): QueryExpression {
  if (typeof name !== 'string') throw builderError([], `a column must be named by a string, not by a ${typeof name}`)
  const found = sources.flatMap((source) => {
    const qualified = name.startsWith(`${source.alias}.`) ? name.slice(source.alias.length + 1) : undefined
    return [...new Set([name, qualified])].flatMap((column) => {
      const type = column === undefined ? undefined : source.columns.get(column)
      return type === undefined || column === undefined ? [] : [{ source, column, type }]
    })
  })
  const [only, other] = found
  if (only === undefined) throw builderError([name], `there is no column ${JSON.stringify(name)} in ${sources.map(({ alias }) => JSON.stringify(alias)).join(', ')}`)
  if (other !== undefined) throw builderError([name], `the column ${JSON.stringify(name)} is in more than one source; write ${found.map(({ source, column }) => JSON.stringify(`${source.alias}.${column}`)).join(' or ')}`)
  const sql = only.source.reference ?? `${quoteAlias(only.source.alias)}.${quoteName(only.column)}`
  return { sql: () => sql, type: only.type, name }
}

/** A table within brackets of its own, so that what it is read with is for no other one: ClickHouse 26.7 samples every table of a join as it does the first. */
export function bracketed(source: RowSource): RowSource {
  if (source.isWrapped === true) return source
  const list = [...source.columns.keys()].map((name) => quoteName(name)).join(', ')
  return { ...source, isWrapped: true, sql: (context, modifiers = '') => `(SELECT ${list} FROM ${source.sql(context)}${modifiers})` }
}

const HOLDS_OTHERS = /^(?:Array|Map|Tuple|Nested|Nullable|LowCardinality\(Nullable|JSON|Object|Variant|Dynamic|AggregateFunction|Point|Ring|LineString|Polygon|Multi|Geometry|QBit)/

/** Whether a type can be made nullable, and is not so already. */
function canBeNull(type: string): boolean {
  return type !== '' && !HOLDS_OTHERS.test(type)
}

/** Writes a value of which null is to stand for a missing one. Where only the server knows its type, the server decides whether it can be null. */
export function orNull(sql: string, type: string): string {
  if (type === '') return `arrayElementOrNull([${sql}], 1)`
  return canBeNull(type) ? `toNullable(${sql})` : sql
}

/**
 * A source of which a row may be missing: its columns become nullable. Without that, and without a setting that a read-only user may not give, ClickHouse would
 * fill in zeros and empty texts, which look like values.
 */
export function withNulls(source: RowSource): RowSource {
  const list = [...source.columns].map(([name, type]) => {
    const [column, made] = [quoteName(name), orNull(quoteName(name), type)]
    return made === column ? column : `${made} AS ${column}`
  })
  if (list.every((written) => !written.includes(' AS '))) return source
  return {
    ...source,
    columns: new Map([...source.columns].map(([name, type]) => [name, nullableType(type)])),
    isWrapped: true,
    sql: (context, modifiers = '') => `(SELECT ${list.join(', ')} FROM ${source.sql(context, modifiers)}${source.isWrapped === true ? '' : modifiers})`,
  }
}

/** The type of a value of which null stands for a missing one. */
export function nullableType(type: string): string {
  if (!canBeNull(type)) return type
  const inner = /^LowCardinality\((.*)\)$/s.exec(type)?.[1]
  return inner === undefined ? `Nullable(${type})` : `LowCardinality(Nullable(${inner}))`
}
