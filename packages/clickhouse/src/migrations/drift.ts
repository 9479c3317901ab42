import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import { shapeOf, type TableShape } from './table-shape.ts'

/** One thing that is not as the migrations left it. */
export interface Drift {
  readonly table: string
  /** What differs: `table`, `engine`, `column price`, `INDEX by_user`, `ORDER BY`, `TTL`, `setting ttl_only_drop_parts`, `query`. */
  readonly what: string
  /** As the migrations left it; null when they made no such thing. */
  readonly declared: string | null
  /** As it is now; null when it is gone. */
  readonly actual: string | null
  /** Statement that makes it again as it was declared; null when no single statement can, and the table has to be made anew. */
  readonly fix: string | null
}

/** The tables of a database by name, each as its `CREATE` statement. */
export type Schema = Readonly<Record<string, string>>

/** What the server holds now, without the tables whose names begin with `except`. */
export async function readSchema(adapter: ClickHouseAdapter, except: string, call: CallOptions): Promise<Schema> {
  const { rows } = await adapter.execute<Row & { name: string; definition: string }>(
    `SELECT name, create_table_query AS definition FROM system.tables
    WHERE database = {database:String} AND NOT is_temporary AND NOT startsWith(name, {except:String}) AND NOT startsWith(name, '.inner') AND create_table_query != ''
    ORDER BY name`,
    { database: adapter.database, except },
    call,
  )
  return Object.fromEntries(rows.map(({ name, definition }) => [name, definition]))
}

/** What of `actual` is not as declared, table by table. */
export function driftBetween(declared: Schema, actual: Schema): Drift[] {
  const names = [...new Set([...Object.keys(declared), ...Object.keys(actual)])].sort()
  return names.flatMap((table) => {
    const [before, now] = [declared[table], actual[table]]
    if (before === now) return []
    if (now === undefined) return [{ table, what: 'table', declared: before ?? null, actual: null, fix: before ?? null }]
    if (before === undefined) return [{ table, what: 'table', declared: null, actual: now, fix: `DROP TABLE ${quoteName(table)}` }]
    return driftOfTable(table, shapeOf(before), shapeOf(now))
  })
}

function driftOfTable(table: string, declared: TableShape, actual: TableShape): Drift[] {
  const alter = (command: string): string => `ALTER TABLE ${quoteName(table)} ${command}`
  const drift = (what: string, before: string | null | undefined, now: string | null | undefined, fix: string | null): Drift[] =>
    (before ?? null) === (now ?? null) ? [] : [{ table, what, declared: before ?? null, actual: now ?? null, fix }]
  const each = (before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>, compare: (name: string) => Drift[]): Drift[] =>
    [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap(compare)

  return [
    ...drift('kind', declared.kind, actual.kind, null),
    ...drift('engine', declared.engine, actual.engine, null),
    ...each(declared.columns, actual.columns, (name) => drift(`column ${name}`, declared.columns[name], actual.columns[name], columnFix(name, declared, actual, alter))),
    ...each(declared.parts, actual.parts, (name) => drift(name, declared.parts[name], actual.parts[name], partFix(name, declared, actual, alter))),
    ...each(declared.clauses, actual.clauses, (name) => drift(name, declared.clauses[name], actual.clauses[name], clauseFix(name, declared, alter))),
    ...each(declared.settings, actual.settings, (name) => drift(`setting ${name}`, declared.settings[name], actual.settings[name], settingFix(name, declared, alter))),
    ...drift('target', declared.target, actual.target, null),
    ...drift('query', declared.query, actual.query, declared.kind === 'MATERIALIZED VIEW' && declared.query !== null ? alter(`MODIFY QUERY ${declared.query}`) : null),
  ]
}

type Alter = (command: string) => string

function columnFix(name: string, declared: TableShape, actual: TableShape, alter: Alter): string | null {
  if (declared.engine === null) return null
  const [before, now] = [declared.columns[name], actual.columns[name]]
  if (before === undefined) return alter(`DROP COLUMN ${quoteName(name)}`)
  if (now !== undefined) return alter(`MODIFY COLUMN ${quoteName(name)} ${before}`)
  const names = Object.keys(declared.columns)
  const previous = names[names.indexOf(name) - 1]
  return alter(`ADD COLUMN ${quoteName(name)} ${before} ${previous === undefined ? 'FIRST' : `AFTER ${quoteName(previous)}`}`)
}

function partFix(name: string, declared: TableShape, actual: TableShape, alter: Alter): string | null {
  const [kind = '', ...rest] = name.split(' ')
  const quoted = quoteName(rest.join(' '))
  const before = declared.parts[name]
  const drop = name in actual.parts ? `DROP ${kind} ${quoted}` : ''
  const add = before === undefined ? '' : `ADD ${kind} ${quoted} ${before}`
  return alter([drop, add].filter((command) => command !== '').join(', '))
}

/** Only these can be changed of a table that is there. */
function clauseFix(name: string, declared: TableShape, alter: Alter): string | null {
  const before = declared.clauses[name]
  if (name === 'TTL') return alter(before === undefined ? 'REMOVE TTL' : `MODIFY TTL ${before}`)
  if (name === 'COMMENT') return alter(`MODIFY COMMENT ${before ?? "''"}`)
  return null
}

function settingFix(name: string, declared: TableShape, alter: Alter): string {
  const before = declared.settings[name]
  return alter(before === undefined ? `RESET SETTING ${name}` : `MODIFY SETTING ${name} = ${before}`)
}
