import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { splitTableName } from '../adapter/table-columns.ts'
import { describeQuery } from '../analytics/query-text.ts'
import { type SqlToken, sqlTokens } from '../sql-tokens.ts'
import type { BackupManifest, ManifestView } from './manifest.ts'
import type { TableFacts } from './table-facts.ts'

interface ViewRow extends Row {
  readonly view: string
  readonly engine: string
  readonly select: string
  readonly definition: string
}

/** Views over a table, those that others read first: materialized ones that it fills, and plain ones that read it, be it through each other. */
export async function viewsOver(adapter: ClickHouseAdapter, facts: TableFacts, call: CallOptions): Promise<ManifestView[]> {
  const { rows } = await adapter.execute<ViewRow>(
    `SELECT concat(database, '.', name) AS view, engine, as_select AS select, create_table_query AS definition FROM system.tables
     WHERE engine IN ('View', 'MaterializedView') AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') ORDER BY view`,
    {},
    call,
  )
  const found = new Map(rows.filter(({ view }) => facts.dependents.includes(view)).map((row) => [row.view, manifestView(row)]))
  const over = new Set([`${facts.database}.${facts.name}`, ...found.keys()])
  const plain = new Map(rows.filter(({ engine }) => engine === 'View').map((row) => [row, readBy(row, adapter.database)]))
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const [row, reads] of plain) {
      if (found.has(row.view) || !reads.some((name) => over.has(name))) continue
      found.set(row.view, manifestView(row))
      over.add(row.view)
    }
  }
  return [...found.values()]
}

const manifestView = ({ view, engine, definition }: ViewRow): ManifestView => ({ name: view, isMaterialized: engine === 'MaterializedView', definition })

function readBy({ select }: ViewRow, home: string): string[] {
  const { tables } = describeQuery(select)
  return [...(tables === 'any' ? [] : tables.named.map(({ database = home, name }) => `${database}.${name}`)), ...calledBy(select, home)]
}

/** What is called may be a view with parameters. */
function calledBy(select: string, home: string): string[] {
  const tokens = [...sqlTokens(select)]
  const nameOf = (token: SqlToken | undefined): string => (token?.kind === 'name' ? token.value : (token?.text ?? ''))
  return tokens.flatMap((token, index) => {
    if ((token.kind !== 'word' && token.kind !== 'name') || tokens[index + 1]?.text !== '(') return []
    return [`${tokens[index - 1]?.text === '.' ? nameOf(tokens[index - 2]) : home}.${nameOf(token)}`]
  })
}

/** What a restore does about views that were there at the backup, and are not now. */
export interface MissingViews {
  /** Made again when the table is there. */
  readonly made: readonly ManifestView[]
  readonly left: readonly ManifestView[]
}

/**
 * Decides about missing views. Where the table stands, one that is missing was dropped on purpose, and another may fill its table now: made again, both would.
 *
 * @param wanted what the caller says; undefined makes them when the table itself is missing
 */
export async function missingViews(adapter: ClickHouseAdapter, table: string, manifest: BackupManifest, wanted: boolean | undefined, call: CallOptions): Promise<MissingViews> {
  const { views = [], database, table: name } = manifest
  const home = `${database}.${name}`
  // A copy under another name has no views: they read the original.
  if (views.length === 0 || splitTableName(table, adapter.database).join('.') !== home) return { made: [], left: [] }
  const { rows } = await adapter.execute<{ found: string }>(
    "SELECT concat(database, '.', name) AS found FROM system.tables WHERE found IN {names:Array(String)}",
    { names: [home, ...views.map((view) => view.name)] },
    call,
  )
  const there = new Set(rows.map(({ found }) => found))
  const missing = views.filter((view) => !there.has(view.name))
  return (wanted ?? !there.has(home)) ? { made: missing, left: [] } : { made: [], left: missing }
}

/** Makes views, in as many rounds as they need each other. @returns those that could not be made, and why */
export async function makeViews(adapter: ClickHouseAdapter, views: readonly ManifestView[], call: CallOptions): Promise<{ readonly view: ManifestView; readonly error: unknown }[]> {
  let failed: { view: ManifestView; error: unknown }[] = []
  for (let left = views; left.length > 0; left = failed.map(({ view }) => view)) {
    failed = []
    for (const view of left) {
      const statement = view.definition.replace(/^CREATE ((?:MATERIALIZED )?VIEW) /, 'CREATE $1 IF NOT EXISTS ')
      await adapter.execute(statement, {}, call).catch((error: unknown) => failed.push({ view, error }))
    }
    if (failed.length === left.length) return failed
  }
  return failed
}
