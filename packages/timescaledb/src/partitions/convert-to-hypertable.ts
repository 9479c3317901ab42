import type { CallOptions } from '@smart-whale/interfaces'
import { quoteTable } from '../quote-identifier.ts'
import { refuseInput } from '../refuse-input.ts'
import { intervalToSql } from '../time-series/time-interval.ts'
import { checkPartitionable, type ConversionPlan } from './convert-to-partitioned.ts'
import { findTableKind, type PartitionExecutor } from './partition-catalog.ts'

/** Turns a table, with its rows, into a hypertable of TimescaleDB. One that already is stays as it is. */
export async function convertToHypertable(transaction: PartitionExecutor, plan: Omit<ConversionPlan, 'limits'>, call?: CallOptions): Promise<void> {
  const { table, timeColumn, interval } = plan
  const kind = await findTableKind(transaction, table, call)
  const [dimension] = await transaction.execute<{ column_name: string }>(
    `select column_name from timescaledb_information.dimensions
     where hypertable_schema = $1 and hypertable_name = $2 and dimension_type = 'Time' order by dimension_number limit 1`,
    [kind.schema, kind.name],
    call,
  )
  if (dimension?.column_name === timeColumn) return
  if (dimension) refuseInput(['timeColumn'], `is ${timeColumn}, but table ${kind.name} is partitioned by ${dimension.column_name} already`)
  await checkPartitionable(transaction, kind, { timeColumn, interval }, call)
  await transaction.execute(
    `select create_hypertable($1::regclass, $2::name, chunk_time_interval => $3::interval, if_not_exists => true, migrate_data => true)::text`,
    [quoteTable(table), timeColumn, intervalToSql(interval)],
    call,
  )
}
