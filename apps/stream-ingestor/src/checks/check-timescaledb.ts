import type { Row } from '@smart-whale/interfaces'
import type { PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { INGEST_LEDGER_TABLE, quoteIdentifier, quoteTable, type TimescaleStorage } from '@smart-whale/timescaledb'
import { timescaledbTable } from '../table-columns.ts'
import { type CheckResult, good, warning, wrong } from './check-result.ts'
import { compareColumns } from './compare-columns.ts'

/** Compares a pipeline's table in PostgreSQL with its declaration. */
export async function checkTimescale(definition: PipelineDefinition, timescaledb: TimescaleStorage, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const table = definition.tables.timescaledb
  const about = `PostgreSQL table ${table}`
  const sql = `select attname as name, format_type(atttypid, atttypmod) as type, attnotnull and not atthasdef and attidentity = '' as wants
    from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`
  const rows = await timescaledb.execute<Row & Column>(sql, [quoteTable(table)], { signal })
  const wanted = timescaledbTable(definition).columns
  const results = [...compareColumns(about, wanted, definition.columns, rows, plainType), ...unfilledColumns(table, rows, wanted).map((detail) => wrong(about, detail))]
  return results.length > 0 || rows.length === 0 ? results : [good(about, `${rows.length} columns`)]
}

interface Column {
  readonly name: string
  readonly type: string
  /** Whether a row without a value for it is refused. */
  readonly wants: boolean
}

/** Columns that nobody gives a value, and that take no row without one: every row would be refused. */
function unfilledColumns(table: string, there: readonly Column[], wanted: Readonly<Record<string, string>>): string[] {
  return there
    .filter(({ name, wants }) => wants && !Object.hasOwn(wanted, name))
    .map(({ name }) => `column ${name} takes no null, and no field is declared for it; declare one, or let it be null: alter table ${quoteTable(table)} alter column ${quoteIdentifier(name)} drop not null`)
}

function plainType(type: string): string {
  return type.replace(' not null', '').replace('timestamp with time zone', 'timestamptz').replaceAll(' ', '')
}

/** Looks at the server, the ledger, and the settings without which a power failure breaks the promise. */
export async function checkTimescaleServer(timescaledb: TimescaleStorage, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const [row] = await timescaledb.execute<Row & { version: string; fsync: string; pages: string; ledger: string | null }>(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync, current_setting('full_page_writes') as pages, to_regclass($1)::text as ledger`,
    [quoteTable(INGEST_LEDGER_TABLE)],
    { signal },
  )
  const results = [good('PostgreSQL', `version ${row?.version ?? 'unknown'}`)]
  if (row?.fsync === 'off') results.push(warning('PostgreSQL', 'fsync = off: a power failure may take back what the ledger has recorded; set it on'))
  if (row?.pages === 'off') results.push(warning('PostgreSQL', 'full_page_writes = off: a power failure may damage tables, unless the file system writes whole pages; set it on'))
  if (row?.ledger === null) results.push(warning('PostgreSQL', `the ledger's table ${INGEST_LEDGER_TABLE} is not there; the start makes it`))
  return results
}
