import type { CallOptions } from '@smart-whale/interfaces'
import { partitionedName, type PartitionedTable, type PartitionExecutor, readBounds } from './partition-catalog.ts'

/** One partition, or one chunk of a hypertable. */
export interface PartitionInfo {
  readonly schema: string
  readonly name: string
  /** First moment that it holds; `null` when it is open to the past. */
  readonly from: Date | null
  /** First moment that it no longer holds; `null` when it is open to the future. */
  readonly to: Date | null
  /** With indexes and large values. */
  readonly bytes: bigint
}

/** The native partitions of a table, in the order of time. */
export async function listNativePartitions(executor: PartitionExecutor, table: PartitionedTable, call?: CallOptions): Promise<PartitionInfo[]> {
  const bounds = await readBounds(executor, table, call)
  const sizes = await executor.execute<{ name: string; bytes: bigint }>(
    `select c.relname as name, pg_total_relation_size(c.oid) as bytes
     from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = to_regclass($1)`,
    [partitionedName(table)],
    call,
  )
  const bytesOf = new Map(sizes.map(({ name, bytes }) => [name, BigInt(bytes ?? 0)]))
  return bounds.map(({ name, fromMs, toMs }) => ({ schema: table.schema, name, from: finite(fromMs), to: finite(toMs), bytes: bytesOf.get(name) ?? 0n }))
}

function finite(timeMs: number): Date | null {
  return Number.isFinite(timeMs) ? new Date(timeMs) : null
}
