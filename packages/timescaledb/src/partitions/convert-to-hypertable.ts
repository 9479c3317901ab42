import type { CallOptions } from '@smart-whale/interfaces'
import { intervalToSql } from '../time-series/time-interval.ts'
import { findObstacles } from './carry-table-parts.ts'
import { checkPartitionable, type ConversionPlan, notPartitionable, refuseOtherKinds, sameColumn } from './convert-to-partitioned.ts'
import { lockPartitioning } from './create-partitions.ts'
import { findHypertable } from './hypertable-chunks.ts'
import { findTableKind, partitionedName, type PartitionExecutor, type TableKind } from './partition-catalog.ts'

/** What a hypertable can't have; views, triggers, policies and references live on. */
const OBSTACLES = /^(rule|inheritance|publication) /

/**
 * Turns a table, with its rows and all that hangs on it, into a hypertable of TimescaleDB. One that already is stays as it is,
 * and so does one that was cut into native partitions before the extension came.
 *
 * @throws TimescaleValidationError when the column or a unique key makes it impossible
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_NOT_PARTITIONABLE` when the table is none, or something hangs on it that a hypertable can't have
 */
export async function convertToHypertable(transaction: PartitionExecutor, plan: ConversionPlan, call?: CallOptions): Promise<void> {
  const { timeColumn, interval } = plan
  const first = await findTableKind(transaction, plan.table, call)
  await lockPartitioning(transaction, first, plan.limits.lockTimeoutMs, call)
  const kind = await findTableKind(transaction, plan.table, call)
  const partitioned = kind.partitioned ?? (await findHypertable(transaction, kind, call))
  if (partitioned) return void sameColumn(partitioned, timeColumn)
  refuseOtherKinds(kind)
  await checkPartitionable(transaction, kind, plan, call)
  await refuseObstacles(transaction, kind, call)
  await transaction.execute(
    `select create_hypertable($1::text::regclass, $2::name, chunk_time_interval => $3::interval, if_not_exists => true, migrate_data => true)::text`,
    [partitionedName(kind), timeColumn, intervalToSql(interval)],
    call,
  )
}

async function refuseObstacles(transaction: PartitionExecutor, table: TableKind, call?: CallOptions): Promise<void> {
  const obstacles = (await findObstacles(transaction, table, call)).filter((obstacle) => OBSTACLES.test(obstacle))
  if (obstacles.length > 0) throw notPartitionable(table.name, `has what a hypertable can't have: ${obstacles.join(', ')}. Drop it first`)
}
