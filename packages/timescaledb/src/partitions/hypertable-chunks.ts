import type { CallOptions } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { intervalToSql, type TimeInterval } from '../time-series/time-interval.ts'
import type { PartitionInfo } from './list-partitions.ts'
import { partitionedName, type PartitionExecutor, type PartitionTimeType } from './partition-catalog.ts'

/** A table that TimescaleDB keeps in chunks, made by us or by anybody else. */
export interface Hypertable {
  readonly schema: string
  readonly name: string
  readonly timeColumn: string
  /** The column's type as PostgreSQL names it; `integer` kinds are others' tables, whose unit only they know. */
  readonly timeType: string
}

/** How a moment is handed over as a bound of the dimension: the server takes no other type than the column's. */
const AS_BOUND: Readonly<Record<PartitionTimeType, (parameter: string) => string>> = {
  timestamptz: (parameter) => `${parameter}::timestamptz`,
  timestamp: (parameter) => `(${parameter}::timestamptz at time zone 'UTC')`,
  date: (parameter) => `(${parameter}::timestamptz at time zone 'UTC')::date`,
}

/** Only for servers with TimescaleDB. `null` for a table that is none of its. */
export async function findHypertable(executor: PartitionExecutor, table: { schema: string; name: string }, call?: CallOptions): Promise<Hypertable | null> {
  const [found] = await executor.execute<{ column: string; type: string }>(
    `select d.column_name as column, t.typname as type
     from timescaledb_information.dimensions d join pg_type t on t.oid = d.column_type
     where d.hypertable_schema = $1 and d.hypertable_name = $2 and d.dimension_type = 'Time' order by d.dimension_number limit 1`,
    [table.schema, table.name],
    call,
  )
  return found ? { schema: table.schema, name: table.name, timeColumn: found.column, timeType: found.type } : null
}

/**
 * The chunks of a hypertable, in the order of time; with space partitions several share a range.
 * Sizes are the server's own, which count what a compressed chunk has elsewhere.
 */
export async function listChunks(executor: PartitionExecutor, table: Hypertable, call?: CallOptions): Promise<PartitionInfo[]> {
  const rows = await executor.execute<{ schema: string; name: string; from: unknown; to: unknown; bytes: bigint | null }>(
    `select k.chunk_schema as schema, k.chunk_name as name, k.range_start as "from", k.range_end as "to", s.total_bytes as bytes
     from timescaledb_information.chunks k
     left join chunks_detailed_size($3::text::regclass) s on s.chunk_schema = k.chunk_schema and s.chunk_name = k.chunk_name
     where k.hypertable_schema = $1 and k.hypertable_name = $2
     order by k.range_start, k.range_start_integer, k.chunk_name`,
    [table.schema, table.name, partitionedName(table)],
    call,
  )
  return rows.map(({ schema, name, from, to, bytes }) => ({ schema, name, from: finite(from), to: finite(to), bytes: BigInt(bytes ?? 0) }))
}

/**
 * Drops the chunks of one range, unless somebody has done so already. Returns their names.
 *
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_LOCKED` when they are in use for longer than `lockTimeoutMs`,
 *   `ERR_TIMESCALEDB_DEPENDED_ON` when a view or a foreign key rests on them
 */
export async function dropChunksOf(
  transaction: PartitionExecutor,
  table: Hypertable,
  range: { from: Date | null; to: Date; lockTimeoutMs: number },
  call?: CallOptions,
): Promise<string[]> {
  await transaction.execute(`select set_config('lock_timeout', $1, true)`, [`${range.lockTimeoutMs}ms`], call)
  const asBound = AS_BOUND[timeTypeOf(table)]
  // Of an open beginning there is no bound to name.
  const newerThan = range.from === null ? '' : `, newer_than => ${asBound('$3')}`
  const rows = await transaction.execute<{ chunk: string }>(
    `select drop_chunks($1::text::regclass, older_than => ${asBound('$2')}${newerThan})::text as chunk`,
    [partitionedName(table), range.to, ...(range.from === null ? [] : [range.from])],
    call,
  )
  return rows.map(({ chunk }) => chunk)
}

/** Changes how long chunks are from now on. A month counts as 30 days. */
export async function setChunkInterval(executor: PartitionExecutor, table: Hypertable, interval: TimeInterval, call?: CallOptions): Promise<void> {
  timeTypeOf(table)
  await executor.execute(`select set_chunk_time_interval($1::text::regclass, $2::interval)::text`, [partitionedName(table), intervalToSql(interval)], call)
}

/** @throws TimescaleOperationError for a table whose time is a number */
export function timeTypeOf({ name, timeColumn, timeType }: Hypertable): PartitionTimeType {
  if (Object.hasOwn(AS_BOUND, timeType)) return timeType as PartitionTimeType
  const remedy = 'drop its chunks and set their length by SQL of your own, or give it a timestamptz'
  throw new TimescaleOperationError(`hypertable ${name} counts its time ${timeColumn} in ${timeType}, of which nobody but its maker knows the unit: ${remedy}`, {
    code: 'ERR_TIMESCALEDB_NOT_PARTITIONABLE',
    status: 409,
    context: { table: name, timeType },
  })
}

/** Neither an infinite bound nor one beyond the calendar of a Date is a moment. */
function finite(bound: unknown): Date | null {
  return bound instanceof Date && !Number.isNaN(bound.getTime()) ? bound : null
}
