import { quoteName } from '../adapter/table-columns.ts'
import { builderError } from './builder-error.ts'
import { type CompileContext, type QueryExpression, quoteAlias } from './expression.ts'

/** Something with columns that a query reads from, under a name of its own. */
export interface RowSource {
  readonly alias: string
  /** Type texts by column; an empty one where only the server knows. */
  readonly columns: ReadonlyMap<string, string>
  /** Writes it, without its alias. */
  readonly sql: (context: CompileContext) => string
}

/** Writes a source with its alias. */
export function aliased(source: RowSource, context: CompileContext): string {
  return `${source.sql(context)} AS ${quoteAlias(source.alias)}`
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
  const sql = `${quoteAlias(only.source.alias)}.${quoteName(only.column)}`
  return { sql: () => sql, type: only.type, name }
}

const HOLDS_OTHERS = /^(?:Array|Map|Tuple|Nested|Nullable|LowCardinality\(Nullable|JSON|Object|Variant|Dynamic|AggregateFunction|Point|Ring|LineString|Polygon|Multi|Geometry|QBit)/

/** Whether a type can be made nullable, and is not so already. */
export function canBeNull(type: string): boolean {
  return type !== '' && !HOLDS_OTHERS.test(type)
}

/**
 * A source of which a row may be missing: its columns become nullable. Without that, and without a setting that a read-only user may not give, ClickHouse would
 * fill in zeros and empty texts, which look like values.
 */
export function withNulls(source: RowSource): RowSource {
  const list = [...source.columns].map(([name, type]) => (canBeNull(type) ? `toNullable(${quoteName(name)}) AS ${quoteName(name)}` : quoteName(name))).join(', ')
  return {
    alias: source.alias,
    columns: new Map([...source.columns].map(([name, type]) => [name, nullableType(type)])),
    sql: (context) => `(SELECT ${list} FROM ${source.sql(context)})`,
  }
}

function nullableType(type: string): string {
  if (!canBeNull(type)) return type
  const inner = /^LowCardinality\((.*)\)$/s.exec(type)?.[1]
  return inner === undefined ? `Nullable(${type})` : `LowCardinality(Nullable(${inner}))`
}
