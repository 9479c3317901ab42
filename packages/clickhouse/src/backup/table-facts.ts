import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, ColumnDescription } from '../adapter-options.ts'
import { quoteName, splitTableName } from '../adapter/table-columns.ts'
import { findPartitionId } from '../lifecycle/kept-table.ts'
import { BackupError } from '../operational-errors.ts'
import type { ManifestPartition } from './manifest.ts'

/** A table as a backup looks at it. */
export interface TableFacts {
  readonly database: string
  readonly name: string
  readonly engine: string
  readonly isMergeTree: boolean
  /** The statement that made it. */
  readonly definition: string
  /** Columns that a row is made of: none that are computed. */
  readonly columns: readonly ColumnDescription[]
  /** Materialized views that are filled from it, as `database.name`. */
  readonly dependents: readonly string[]
}

/** Rows and hash of one partition. */
export type PartitionContent = Omit<ManifestPartition, 'inBase'>

interface TableRow extends Row {
  readonly engine: string
  readonly definition: string
  readonly viewDatabases: readonly string[]
  readonly views: readonly string[]
}

/** Engines besides MergeTree's that keep rows which a backup can hold. */
const OTHER_ENGINES = new Set(['Memory', 'Log', 'TinyLog', 'StripeLog'])

/** What is known of a table; null when there is none of that name. */
export async function findTable(adapter: ClickHouseAdapter, table: string, call: CallOptions): Promise<TableFacts | null> {
  const [database, name] = splitTableName(table, adapter.database)
  const tables = await adapter.execute<TableRow>(
    `SELECT engine, create_table_query AS definition, dependencies_database AS viewDatabases, dependencies_table AS views
     FROM system.tables WHERE database = {database:String} AND name = {name:String}`,
    { database, name },
    call,
  )
  const [found] = tables.rows
  if (found === undefined) return null
  const { rows: columns } = await adapter.execute<Row & ColumnDescription>(
    `SELECT name, type FROM system.columns
     WHERE database = {database:String} AND table = {name:String} AND default_kind NOT IN ('ALIAS', 'MATERIALIZED', 'EPHEMERAL') ORDER BY position`,
    { database, name },
    call,
  )
  return {
    database,
    name,
    engine: found.engine,
    isMergeTree: found.engine.endsWith('MergeTree'),
    definition: found.definition,
    columns: columns.map((column) => ({ name: column.name, type: column.type })),
    dependents: found.views.map((view, index) => `${found.viewDatabases[index]}.${view}`),
  }
}

/** The same, of a table that a backup can be made of. @throws BackupError `ERR_CLICKHOUSE_BACKUP_TABLE` */
export async function requireTable(adapter: ClickHouseAdapter, table: string, call: CallOptions): Promise<TableFacts> {
  const facts = await findTable(adapter, table, call)
  if (facts === null) throw tableError(`there is no table "${table}", or this user may not see it`, table, 404)
  if (facts.isMergeTree || OTHER_ENGINES.has(facts.engine)) return facts
  const remedy = facts.engine === 'MaterializedView' ? 'back up the table that it fills' : 'only tables that keep rows of their own can be backed up'
  throw tableError(`"${table}" has the engine ${facts.engine}: ${remedy}`, table, 400)
}

/** A partition's id, of its id or its value. @throws BackupError `ERR_CLICKHOUSE_BACKUP_TABLE` */
export async function partitionIdOf(adapter: ClickHouseAdapter, facts: TableFacts, partition: string, call: CallOptions): Promise<string> {
  const id = await findPartitionId(adapter, facts, partition, call)
  if (id !== null) return id
  throw tableError(`table "${facts.name}" has no partition "${partition}"; system.parts tells which it has`, facts.name, 404)
}

/** Rows and hash of each partition of a table, or of one: equal for equal rows, in whatever order and parts they lie. */
export async function contentOf(adapter: ClickHouseAdapter, facts: Pick<TableFacts, 'database' | 'name' | 'isMergeTree' | 'columns'>, partition: string | null, call: CallOptions): Promise<PartitionContent[]> {
  const row = facts.columns.map(({ name }) => quoteName(name)).join(', ')
  const { rows } = await adapter.execute<Row & { id: string; rows: string; contentHash: string }>(
    `SELECT ${facts.isMergeTree ? '_partition_id' : "''"} AS id, toString(count()) AS rows,
       lower(hex(sum(reinterpretAsUInt128(sipHash128(formatRow('RowBinary', ${row})))))) AS contentHash
     FROM ${quotedNameOf(facts)} ${partition === null ? '' : 'WHERE _partition_id = {partition:String}'} GROUP BY id ORDER BY id`,
    partition === null ? {} : { partition },
    call,
  )
  return rows.map(({ id, rows: count, contentHash }) => ({ id, rows: count, contentHash }))
}

/** `database`.`name`, as it stands in a statement. */
export function quotedNameOf({ database, name }: Pick<TableFacts, 'database' | 'name'>): string {
  return `${quoteName(database)}.${quoteName(name)}`
}

function tableError(message: string, table: string, status: number): BackupError {
  return new BackupError(message, { code: 'ERR_CLICKHOUSE_BACKUP_TABLE', status, context: { table } })
}
