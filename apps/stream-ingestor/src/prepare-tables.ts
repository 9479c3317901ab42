import { type ClickHouseAdapter, createTable } from '@smart-whale/clickhouse/ingest'
import { ConfigurationError, InfrastructureError, type Row, type TableDefinition } from '@smart-whale/interfaces'
import type { PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { quoteIdentifier, quoteTable, sourceIndexDefinition, type TimescaleStorage } from '@smart-whale/timescaledb'
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
  if (stores.timescaledb !== null && definition.sinks.includes('timescaledb')) await prepareAmongOthers(definition, stores.timescaledb, signal)
}

async function prepareClickHouse(definition: PipelineDefinition, clickhouse: ClickHouseAdapter, signal: AbortSignal | undefined): Promise<void> {
  const wanted = clickhouseTable(definition)
  const table = definition.tables.clickhouse
  const columns = async (): Promise<readonly (Row & { name: string })[]> =>
    (await clickhouse.execute<Row & { name: string }>('SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}', { table }, { signal })).rows
  // Names and types come from the definition, which takes neither quotes nor anything else that could end the statement.
  const alter = (change: string): Promise<unknown> => clickhouse.execute(`ALTER TABLE \`${table}\` ${change}`, {}, { signal })
  if ((await columns()).length === 0) {
    await createTable(clickhouse, table, wanted, { signal, partitionBy: partitionOf(definition) })
    // Rows come in the order of their offsets: a lookup by where they came from reads a few granules of each part, not all of it.
    await alter('ADD INDEX IF NOT EXISTS source_offset_range source_offset TYPE minmax GRANULARITY 1')
    // Never by way of `toDateTime`, which begins anew after 2106: rows would be gone as soon as they are stored.
    if (definition.clickhouse.ttlDays !== null) await alter(`MODIFY TTL \`${definition.time}\` + INTERVAL ${definition.clickhouse.ttlDays} DAY`)
  }
  for (const [column, type] of columnsToAdd('ClickHouse', definition, wanted, await columns())) await alter(`ADD COLUMN IF NOT EXISTS \`${column}\` ${type}`)
}

const PARTITION_FUNCTIONS: Readonly<Record<Exclude<PipelineDefinition['clickhouse']['partitionBy'], 'none'>, string>> = { day: 'toYYYYMMDD', week: 'toMonday', month: 'toYYYYMM', year: 'toYear' }

function partitionOf({ clickhouse: { partitionBy }, time }: PipelineDefinition): string | undefined {
  return partitionBy === 'none' ? undefined : `${PARTITION_FUNCTIONS[partitionBy]}(\`${time}\`)`
}

/** How often others may be quicker. */
const ATTEMPTS = 5

/** Workers that start at the same moment make the same tables, and "if it isn't there" doesn't keep PostgreSQL's own lists from two at once: whoever comes second finds it made the next time. */
async function prepareAmongOthers(definition: PipelineDefinition, timescaledb: TimescaleStorage, signal: AbortSignal | undefined): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await prepareTimescale(definition, timescaledb, signal)
    } catch (error) {
      if (attempt === ATTEMPTS || !wasMadeMeanwhile(error)) throw error
    }
  }
}

function wasMadeMeanwhile(error: unknown): boolean {
  if (!InfrastructureError.isInstance(error)) return false
  return error.code === 'ERR_TIMESCALEDB_DUPLICATE' || error.code === 'ERR_TIMESCALEDB_CONFLICT' || (error.code === 'ERR_TIMESCALEDB_UNIQUE' && error.message.includes('"pg_'))
}

async function prepareTimescale(definition: PipelineDefinition, timescaledb: TimescaleStorage, signal: AbortSignal | undefined): Promise<void> {
  const wanted = timescaledbTable(definition)
  const table = definition.tables.timescaledb
  const call = { signal }
  const columns = (): Promise<(Row & { name: string })[]> =>
    timescaledb.execute('select attname as name from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped', [quoteTable(table)], call)
  const isNew = (await columns()).length === 0
  if (isNew) await timescaledb.createTable(table, wanted, call)
  const missing = columnsToAdd('PostgreSQL', definition, wanted, await columns())
  // Also for a table that is there: an earlier start may have ended between the two.
  await timescaledb.createHypertable(table, definition.time, call)
  // Spares a lookup by where rows came from most of the table.
  if (isNew) await timescaledb.execute(sourceIndexDefinition(table), [], call)
  for (const [column, type] of missing) await timescaledb.execute(`alter table ${quoteTable(table)} add column if not exists ${quoteIdentifier(column)} ${type}`, [], call)
}

/** Columns of fields that a table lacks and that may be null: rows that are there already have none. @throws ConfigurationError for any other */
function columnsToAdd(store: 'ClickHouse' | 'PostgreSQL', { name, tables, columns }: PipelineDefinition, wanted: TableDefinition, there: readonly { name: string }[]): (readonly [column: string, type: string])[] {
  const known = new Set(there.map((column) => column.name))
  const missing = Object.entries(wanted.columns).filter(([column]) => !known.has(column))
  const required = missing.filter(([column]) => columns[column]?.endsWith('?') !== true)
  if (required.length === 0) return missing
  const table = store === 'ClickHouse' ? tables.clickhouse : tables.timescaledb
  const list = required.map(([column]) => column).join(', ')
  throw new ConfigurationError(
    `the pipeline "${name}" has fields that its table "${table}" in ${store} has no column for: ${list}; rows that are there have no value for them: declare them with "?" and the columns are added, or name another table`,
  )
}
