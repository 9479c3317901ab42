import { type ClickHouseAdapter, createTable } from '@smart-whale/clickhouse'
import { ConfigurationError, type Row, type TableDefinition } from '@smart-whale/interfaces'
import type { PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { quoteTable, type TimescaleStorage } from '@smart-whale/timescaledb'
import { clickhouseTable, timescaledbTable } from './table-columns.ts'

/** Both stores, as somebody who may create tables. */
export interface TableStores {
  readonly clickhouse: ClickHouseAdapter
  readonly timescaledb: TimescaleStorage
}

/**
 * Makes the tables of a pipeline where they are missing. One that is there stays as it is, as long as it has every column.
 * @throws ConfigurationError naming the columns that a table lacks
 */
export async function prepareTables(definition: PipelineDefinition, stores: TableStores, signal: AbortSignal | undefined): Promise<void> {
  if (definition.sinks.includes('clickhouse')) await prepareClickHouse(definition, stores.clickhouse, signal)
  if (definition.sinks.includes('timescaledb')) await prepareTimescale(definition, stores.timescaledb, signal)
}

async function prepareClickHouse(definition: PipelineDefinition, clickhouse: ClickHouseAdapter, signal: AbortSignal | undefined): Promise<void> {
  const wanted = clickhouseTable(definition)
  await createTable(clickhouse, definition.table, wanted, { signal })
  const { rows } = await clickhouse.execute<Row & { name: string }>('SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}', { table: definition.table }, { signal })
  refuseMissingColumns('ClickHouse', definition, wanted, rows)
}

async function prepareTimescale(definition: PipelineDefinition, timescaledb: TimescaleStorage, signal: AbortSignal | undefined): Promise<void> {
  const wanted = timescaledbTable(definition)
  const call = { signal }
  const columns = (): Promise<(Row & { name: string })[]> =>
    timescaledb.execute('select attname as name from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped', [quoteTable(definition.table)], call)
  if ((await columns()).length === 0) await timescaledb.createTable(definition.table, wanted, call)
  // Also for a table that is there: an earlier start may have ended between the two.
  await timescaledb.createHypertable(definition.table, definition.time, call)
  refuseMissingColumns('PostgreSQL', definition, wanted, await columns())
}

function refuseMissingColumns(store: string, { name, table }: PipelineDefinition, wanted: TableDefinition, there: readonly { name: string }[]): void {
  const known = new Set(there.map((column) => column.name))
  const missing = Object.entries(wanted.columns).filter(([column]) => !known.has(column))
  if (missing.length === 0) return
  const list = missing.map(([column, type]) => `${column} ${type}`).join(', ')
  throw new ConfigurationError(`the pipeline "${name}" has fields that its table "${table}" in ${store} has no column for: ${list}; add them with ALTER TABLE, or name another table`)
}
