import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, ColumnDescription } from '../adapter-options.ts'
import { quoteName, splitTableName } from '../adapter/table-columns.ts'
import { DataManagementError } from '../operational-errors.ts'

/** A table that keeps its rows in parts. */
export interface KeptTable {
  readonly database: string
  readonly name: string
  /** Both, quoted. */
  readonly quoted: string
  readonly engine: string
  readonly definition: string
  readonly columns: readonly (ColumnDescription & { readonly codec: string })[]
}

/** @throws DataManagementError for a table that isn't there, or keeps no parts */
export async function requireKeptTable(adapter: ClickHouseAdapter, table: string, call: CallOptions): Promise<KeptTable> {
  const [database, name] = splitTableName(table, adapter.database)
  const { rows } = await adapter.execute<Row & { engine: string; definition: string }>(
    'SELECT engine, create_table_query AS definition FROM system.tables WHERE database = {database:String} AND name = {name:String}',
    { database, name },
    call,
  )
  const [found] = rows
  if (found === undefined) throw notKept(table, 'there is none of that name, or this user may not see it', 404)
  if (!found.engine.endsWith('MergeTree')) throw notKept(table, `its engine is ${found.engine}; only MergeTree tables keep parts that can be merged and dropped`, 400)
  const columns = await adapter.execute<Row & { name: string; type: string; codec: string }>(
    'SELECT name, type, compression_codec AS codec FROM system.columns WHERE database = {database:String} AND table = {name:String} ORDER BY position',
    { database, name },
    call,
  )
  return { database, name, quoted: `${quoteName(database)}.${quoteName(name)}`, columns: columns.rows, ...found }
}

/** A partition's id, of its id or its value. @throws DataManagementError when there is none */
export async function requirePartitionId(adapter: ClickHouseAdapter, table: Pick<KeptTable, 'database' | 'name'>, partition: string, call: CallOptions): Promise<string> {
  const id = await findPartitionId(adapter, table, partition, call)
  if (id !== null) return id
  throw notKept(table.name, `it has no partition "${partition}"; system.parts tells which it has`, 404)
}

/** A partition's id, of its id or its value, or null. */
export async function findPartitionId(adapter: ClickHouseAdapter, { database, name }: Pick<KeptTable, 'database' | 'name'>, partition: string, call: CallOptions): Promise<string | null> {
  const { rows } = await adapter.execute<Row & { id: string }>(
    `SELECT DISTINCT partition_id AS id FROM system.parts WHERE active AND database = {database:String} AND table = {name:String}
     AND ({partition:String} IN (partition_id, partition) OR partition = concat('''', {partition:String}, ''''))`,
    { database, name, partition },
    call,
  )
  return rows[0]?.id ?? null
}

function notKept(table: string, what: string, status: number): DataManagementError {
  return new DataManagementError(`nothing can be done with table "${table}": ${what}`, { status, context: { table } })
}
