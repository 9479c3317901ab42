import type { Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, QueryOptions } from '../adapter-options.ts'
import { QueryError } from '../errors.ts'
import { parseColumnType } from '../row-binary/column-type.ts'
import { typescriptOf } from './typescript-of.ts'

/** What types are made of. */
export interface GenerateTypesOptions extends Pick<QueryOptions, 'signal' | 'timeoutMs'> {
  /** Database whose tables and views are described. @default that of the adapter */
  database?: string | undefined
  /** Names of tables; the others are left out. @default all */
  tables?: readonly string[] | undefined
  /** Whether queries name the database, so that they go to it whatever database the connection has. @default false */
  namesDatabase?: boolean | undefined
}

/** What belongs to a table's machinery rather than to its owner: `.inner` tables of materialized views, and those that are being dropped. */
const INTERNAL = /^\.(?:inner|tmp|temp)/

/**
 * Writes a TypeScript module with the types of a database's tables, for `createQueryBuilder`. The same catalogue gives the same text.
 * @throws QueryError `ERR_CLICKHOUSE_UNKNOWN_OBJECT` when the database has no tables that this user may see
 */
export async function generateTypes(adapter: ClickHouseAdapter, options: GenerateTypesOptions = {}): Promise<string> {
  const { database = adapter.database, tables: wanted, namesDatabase = false, ...call } = options
  const { rows } = await adapter.execute<Row & CatalogueRow>(
    'SELECT table, name, type FROM system.columns WHERE database = {database:String} ORDER BY table, position',
    { database },
    call,
  )
  const tables = new Map<string, CatalogueRow[]>()
  for (const row of rows) {
    if (INTERNAL.test(row.table) || (wanted !== undefined && !wanted.includes(row.table))) continue
    tables.set(row.table, [...(tables.get(row.table) ?? []), row])
  }
  if (tables.size === 0) throw new QueryError(`database "${database}" has no tables that this user may see${wanted === undefined ? '' : `, of those asked for`}`, { code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', status: 404 })
  return moduleText(database, tables, namesDatabase)
}

interface CatalogueRow {
  readonly table: string
  readonly name: string
  readonly type: string
}

function moduleText(database: string, tables: ReadonlyMap<string, readonly CatalogueRow[]>, namesDatabase: boolean): string {
  const block = (write: (row: CatalogueRow) => string): string =>
    [...tables].map(([table, rows]) => `  ${property(table)}: {\n${rows.map((row) => `    ${property(row.name)}: ${write(row)}`).join(',\n')},\n  },`).join('\n')
  return `// Made from the tables of database ${JSON.stringify(database)}; made anew, it is written over.
import { type Column, defineSchema } from '@smart-whale/clickhouse'

/** What the tables hold. */
export interface Tables {
${block(({ type }) => `Column<${text(type)}, ${typescriptOf(parseColumnType(type))}>`).replace(/,$/gm, '')}
}

/** The tables, for \`createQueryBuilder\`. */
export const schema = defineSchema<Tables>({
${block(({ type }) => text(type))}
}${namesDatabase ? `, { database: ${text(database)} }` : ''})
`
}

/** A literal that no name can break out of, and no line end either. */
function text(value: string): string {
  const escaped = JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${escaped.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`
}

function property(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) && name !== '__proto__' ? name : name === '__proto__' ? "['__proto__']" : text(name)
}
