import { type ClickHouseAdapter, createTable } from '@smart-whale/clickhouse'
import { ConfigurationError, type Row, type TableDefinition } from '@smart-whale/interfaces'
import type { PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { quoteIdentifier, quoteTable, type TimescaleStorage } from '@smart-whale/timescaledb'
import { clickhouseTable, timescaledbTable } from './table-columns.ts'

/** The stores, as somebody who may create tables; null where no pipeline writes. */
export interface TableStores {
  readonly clickhouse: ClickHouseAdapter | null
  readonly timescaledb: TimescaleStorage | null
}

/**
 * Makes the tables of a pipeline where they are missing. One that is there gains the columns of new fields that may be null.
 * @throws ConfigurationError naming required fields that a table has no column for
 */
export async function prepareTables(definition: PipelineDefinition, stores: TableStores, signal: AbortSignal | undefined): Promise<void> {
  if (stores.clickhouse !== null && definition.sinks.includes('clickhouse')) await prepareClickHouse(definition, stores.clickhouse, signal)
  if (stores.timescaledb !== null && definition.sinks.includes('timescaledb')) await prepareTimescale(definition, stores.timescaledb, signal)
}

async function prepareClickHouse(definition: PipelineDefinition, clickhouse: ClickHouseAdapter, signal: AbortSignal | undefined): Promise<void> {
  const wanted = clickhouseTable(definition)
  await createTable(clickhouse, definition.table, wanted, { signal })
  const { rows } = await clickhouse.execute<Row & { name: string }>('SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}', { table: definition.table }, { signal })
  // Names and types come from the definition, which takes neither quotes nor anything else that could end the statement.
  for (const [column, type] of columnsToAdd('ClickHouse', definition, wanted, rows)) await clickhouse.execute(`ALTER TABLE \`${definition.table}\` ADD COLUMN IF NOT EXISTS \`${column}\` ${type}`, {}, { signal })
}

async function prepareTimescale(definition: PipelineDefinition, timescaledb: TimescaleStorage, signal: AbortSignal | undefined): Promise<void> {
  const wanted = timescaledbTable(definition)
  const call = { signal }
  const columns = (): Promise<(Row & { name: string })[]> =>
    timescaledb.execute('select attname as name from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped', [quoteTable(definition.table)], call)
  if ((await columns()).length === 0) await timescaledb.createTable(definition.table, wanted, call)
  const missing = columnsToAdd('PostgreSQL', definition, wanted, await columns())
  // Also for a table that is there: an earlier start may have ended between the two.
  await timescaledb.createHypertable(definition.table, definition.time, call)
  for (const [column, type] of missing) await timescaledb.execute(`alter table ${quoteTable(definition.table)} add column if not exists ${quoteIdentifier(column)} ${type}`, [], call)
}

/** Columns of fields that a table lacks and that may be null: rows that are there already have none. @throws ConfigurationError for any other */
function columnsToAdd(store: string, { name, table, columns }: PipelineDefinition, wanted: TableDefinition, there: readonly { name: string }[]): (readonly [column: string, type: string])[] {
  const known = new Set(there.map((column) => column.name))
  const missing = Object.entries(wanted.columns).filter(([column]) => !known.has(column))
  const required = missing.filter(([column]) => columns[column]?.endsWith('?') !== true)
  if (required.length === 0) return missing
  const list = required.map(([column]) => column).join(', ')
  throw new ConfigurationError(
    `the pipeline "${name}" has fields that its table "${table}" in ${store} has no column for: ${list}; rows that are there have no value for them: declare them with "?" and the columns are added, or name another table`,
  )
}
