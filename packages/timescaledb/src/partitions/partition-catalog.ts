import type { CallOptions, Row } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { quoteIdentifier, quoteTable } from '../quote-identifier.ts'
import { parseTimeInterval, type TimeInterval } from '../time-series/time-interval.ts'

/** Remembers, in the schema of the tables themselves, how long their partitions are. */
export const PARTITIONING_TABLE = 'smart_whale_partitioning'

/** A storage or one of its transactions. */
export interface PartitionExecutor {
  execute<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<T[]>
}

/** Types that a time line can be cut along. */
export type PartitionTimeType = 'timestamptz' | 'timestamp' | 'date'

/** A table that this package keeps partitioned by time. */
export interface PartitionedTable {
  readonly schema: string
  readonly name: string
  readonly timeColumn: string
  readonly timeType: PartitionTimeType
  readonly interval: TimeInterval
}

/** What kind of table a name stands for. */
export interface TableKind {
  readonly schema: string
  readonly name: string
  /** `null` when the table is not partitioned by us: an ordinary table, a hypertable, somebody else's partitioning. */
  readonly partitioned: PartitionedTable | null
  /** `pg_class.relkind`. */
  readonly kind: string
  readonly isPartition: boolean
}

/** The time range that one partition holds, half-open; an open end is ±Infinity milliseconds. */
export interface PartitionBounds {
  readonly name: string
  readonly fromMs: number
  readonly toMs: number
}

/** The table's name as SQL. */
export function partitionedName(table: { schema: string; name: string }): string {
  return `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`
}

/** @throws TimescaleOperationError `ERR_TIMESCALEDB_UNDEFINED` when there is no such table */
export async function findTableKind(executor: PartitionExecutor, table: string, call?: CallOptions): Promise<TableKind> {
  const [found] = await executor.execute<{
    schema: string
    name: string
    kind: string
    is_partition: boolean
    time_column: string | null
    time_type: string | null
    kept: boolean
  }>(
    `select n.nspname as schema, c.relname as name, c.relkind::text as kind, c.relispartition as is_partition,
            a.attname as time_column, t.typname as time_type,
            to_regclass(quote_ident(n.nspname) || '.${PARTITIONING_TABLE}') is not null as kept
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     left join pg_partitioned_table p on p.partrelid = c.oid and p.partstrat = 'r' and p.partnatts = 1
     left join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
     left join pg_type t on t.oid = a.atttypid
     where c.oid = to_regclass($1)`,
    [quoteTable(table)],
    call,
  )
  if (!found) throw new TimescaleOperationError(`there is no table ${quoteTable(table)}: create it first`, { code: 'ERR_TIMESCALEDB_UNDEFINED', status: 404 })
  const { schema, name, kind } = found
  const interval = found.kept && found.time_column !== null ? await readInterval(executor, found, call) : undefined
  const partitioned = interval
    ? { schema, name, timeColumn: found.time_column as string, timeType: found.time_type as PartitionTimeType, interval }
    : null
  return { schema, name, kind, isPartition: found.is_partition, partitioned }
}

/** The bounds of a table's partitions, in the order of time. */
export async function readBounds(executor: PartitionExecutor, table: PartitionedTable, call?: CallOptions): Promise<PartitionBounds[]> {
  const toTime = table.timeType === 'timestamptz' ? '::timestamptz' : `::timestamp at time zone 'UTC'`
  const rows = await executor.execute<{ name: string; from: Date | null; to: Date | null }>(
    `select c.relname as name,
            (regexp_match(bound, 'FROM \\(''([^'']*)''\\)'))[1]${toTime} as "from",
            (regexp_match(bound, 'TO \\(''([^'']*)''\\)'))[1]${toTime} as "to"
     from pg_inherits i
     join pg_class c on c.oid = i.inhrelid
     cross join lateral pg_get_expr(c.relpartbound, c.oid) as bound
     where i.inhparent = to_regclass($1) and bound <> 'DEFAULT'
     order by 2 nulls first`,
    [partitionedName(table)],
    call,
  )
  return rows.map(({ name, from, to }) => ({ name, fromMs: from?.getTime() ?? -Infinity, toMs: to?.getTime() ?? Infinity }))
}

/** Writes down how long the partitions of a table are, for every process that will add some. */
export async function keepInterval(executor: PartitionExecutor, table: { schema: string; name: string }, timeColumn: string, interval: string): Promise<void> {
  const kept = `${quoteIdentifier(table.schema)}.${quoteIdentifier(PARTITIONING_TABLE)}`
  const [found] = await executor.execute<{ there: boolean }>('select to_regclass($1) is not null as there', [kept])
  if (!found?.there) await createIntervalTable(executor, kept)
  await executor.execute(
    `insert into ${kept} (table_name, time_column, chunk_interval) values ($1, $2, $3)
     on conflict (table_name) do update set time_column = excluded.time_column, chunk_interval = excluded.chunk_interval`,
    [table.name, timeColumn, interval],
  )
}

/** Whoever may write to a table has to know how it is cut; the lengths are no secret. */
async function createIntervalTable(executor: PartitionExecutor, kept: string): Promise<void> {
  await executor.execute(
    `create table if not exists ${kept} (
       table_name text primary key,
       time_column text not null,
       chunk_interval text not null,
       created_at timestamptz not null default clock_timestamp()
     )`,
  )
  await executor.execute(`grant select on ${kept} to public`)
}

async function readInterval(
  executor: PartitionExecutor,
  table: { schema: string; name: string; time_column: string | null },
  call: CallOptions | undefined,
): Promise<TimeInterval | undefined> {
  const [kept] = await executor.execute<{ chunk_interval: string }>(
    `select chunk_interval from ${quoteIdentifier(table.schema)}.${quoteIdentifier(PARTITIONING_TABLE)} where table_name = $1 and time_column = $2`,
    [table.name, table.time_column],
    call,
  )
  return kept && parseTimeInterval(kept.chunk_interval, 'chunk interval')
}
