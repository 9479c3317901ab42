import type { CallOptions } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import {
  findTableKind,
  keepInterval,
  partitionedName,
  type PartitionedTable,
  type PartitionExecutor,
  type PartitionTimeType,
  type TableKind,
} from './partition-catalog.ts'
import { createMissing, lockPartitioning, type PartitionLimits, tooMany } from './create-partitions.ts'
import { findKeysWithoutTime, findObstacles, readCarriedParts } from './carry-table-parts.ts'
import { quoteIdentifier } from '../quote-identifier.ts'
import { refuseInput } from '../refuse-input.ts'
import { formatTimeInterval, type TimeInterval } from '../time-series/time-interval.ts'
import { bucketExpression } from '../time-series/bucket-expression.ts'

/** What becomes of a table, and along what. */
export interface ConversionPlan {
  readonly table: string
  readonly timeColumn: string
  readonly interval: TimeInterval
  readonly limits: PartitionLimits
}

const DAY_MS = 86_400_000
/** What the new table takes over by `like`; keys and indexes follow once their names are free. */
const COPIED = ['defaults', 'constraints', 'generated', 'identity', 'storage', 'compression', 'statistics', 'comments']

/**
 * Turns an ordinary table, with its rows, keys, indexes, sequences and grants, into one partitioned by time. A table that already is stays as it is.
 * Runs in the caller's transaction and locks the table until that ends.
 *
 * @throws TimescaleValidationError when the column or a unique key makes it impossible
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_NOT_PARTITIONABLE` when something hangs on the table that would be lost
 */
export async function convertToPartitioned(transaction: PartitionExecutor, plan: ConversionPlan, call?: CallOptions): Promise<PartitionedTable> {
  const first = await findTableKind(transaction, plan.table, call)
  await lockPartitioning(transaction, first, plan.limits.lockTimeoutMs, call)
  const kind = await findTableKind(transaction, plan.table, call)
  if (kind.partitioned) return sameColumn(kind.partitioned, plan.timeColumn)
  refuseOtherKinds(kind)
  const name = partitionedName(kind)
  await transaction.execute(`lock table ${name} in access exclusive mode`, [], call)
  const timeType = await checkPartitionable(transaction, kind, plan, call)
  const others = await findObstacles(transaction, kind, call)
  if (others.length > 0) {
    throw notPartitionable(kind.name, `has what partitioning would lose or break: ${others.join(', ')}. Drop and make them again afterwards`)
  }
  const table: PartitionedTable = { schema: kind.schema, name: kind.name, timeColumn: plan.timeColumn, timeType, interval: plan.interval }
  await transaction.execute(`alter table ${name} alter column ${quoteIdentifier(plan.timeColumn)} set not null`, [], call)
  await replaceByPartitioned(transaction, table, plan.limits, call)
  await indexTime(transaction, table, call)
  return table
}

/** As TimescaleDB does: reads by time have an index to go by, unless the table brings one. */
async function indexTime(transaction: PartitionExecutor, table: PartitionedTable, call?: CallOptions): Promise<void> {
  const [found] = await transaction.execute(
    `select 1 as found from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
     where i.indrelid = to_regclass($1) and a.attname = $2 and i.indpred is null`,
    [partitionedName(table), table.timeColumn],
    call,
  )
  if (!found) await transaction.execute(`create index on ${partitionedName(table)} (${quoteIdentifier(table.timeColumn)} desc)`, [], call)
}

async function replaceByPartitioned(transaction: PartitionExecutor, table: PartitionedTable, limits: PartitionLimits, call?: CallOptions): Promise<void> {
  const name = partitionedName(table)
  const parts = await readCarriedParts(transaction, table, call)
  const oldName = `${table.name.slice(0, 40)}_before_partitions`
  const old = partitionedName({ schema: table.schema, name: oldName })
  await transaction.execute(`alter table ${name} rename to ${quoteIdentifier(oldName)}`, [], call)
  const like = COPIED.map((part) => `including ${part}`).join(' ')
  await transaction.execute(`create table ${name} (like ${old} ${like}) partition by range (${quoteIdentifier(table.timeColumn)})`, [], call)
  await keepInterval(transaction, table, table.timeColumn, formatTimeInterval(table.interval))
  const steps = await readSteps(transaction, old, table, limits, call)
  await createMissing(transaction, table, steps, limits, call)
  if (steps.length > 0 && parts.storedColumns.length > 0) {
    const columns = parts.storedColumns.map((column) => quoteIdentifier(column)).join(', ')
    await transaction.execute(`insert into ${name} (${columns}) overriding system value select ${columns} from ${old}`, [], call)
  }
  for (const statement of parts.beforeDrop(name)) await transaction.execute(statement, [], call)
  await transaction.execute(`drop table ${old}`, [], call)
  for (const statement of parts.afterDrop(name)) await transaction.execute(statement, [], call)
}

/** One moment of each step that holds rows. */
async function readSteps(transaction: PartitionExecutor, old: string, table: PartitionedTable, limits: PartitionLimits, call?: CallOptions): Promise<number[]> {
  const time = quoteIdentifier(table.timeColumn)
  const moment = table.timeType === 'timestamptz' ? time : `${time}::timestamp at time zone 'UTC'`
  const rows = await transaction.execute<{ moment: Date }>(
    `select min(${moment}) as moment from ${old} group by ${bucketExpression(moment, table.interval)} order by 1`,
    [],
    call,
  )
  if (rows.length > limits.maxPartitions) throw tooMany(table, rows.length, limits.maxPartitions)
  return rows.map(({ moment: found }) => {
    const timeMs = found instanceof Date ? found.getTime() : Number.NaN
    if (!Number.isNaN(timeMs)) return timeMs
    return refuseInput([table.timeColumn], 'holds infinite times, which no partition can hold: set them to a moment first')
  })
}

/** The table, when it is partitioned by the column that is asked for. @throws TimescaleValidationError */
export function sameColumn<T extends { readonly name: string; readonly timeColumn: string }>(partitioned: T, timeColumn: string): T {
  if (partitioned.timeColumn === timeColumn) return partitioned
  refuseInput(['timeColumn'], `is ${timeColumn}, but table ${partitioned.name} is partitioned by ${partitioned.timeColumn} already`)
}

/** @throws TimescaleOperationError for a view, a partition, a table that others have partitioned */
export function refuseOtherKinds(kind: TableKind): void {
  if (kind.kind === 'p') throw notPartitionable(kind.name, 'is partitioned already, in another way')
  if (kind.isPartition) throw notPartitionable(kind.name, 'is itself a partition')
  if (kind.kind !== 'r') throw notPartitionable(kind.name, 'is not an ordinary table')
}

/**
 * Whether a table can be cut along a column at all, whatever does the cutting: the type of its time.
 *
 * @throws TimescaleValidationError when the column isn't there, is no time, or isn't part of every unique key
 */
export async function checkPartitionable(
  transaction: PartitionExecutor,
  table: { schema: string; name: string },
  plan: Pick<ConversionPlan, 'timeColumn' | 'interval'>,
  call?: CallOptions,
): Promise<PartitionTimeType> {
  const { timeColumn, interval } = plan
  const [column] = await transaction.execute<{ type: string }>(
    `select t.typname as type from pg_attribute a join pg_type t on t.oid = a.atttypid
     where a.attrelid = to_regclass($1) and a.attname = $2 and a.attnum > 0 and not a.attisdropped`,
    [partitionedName(table), timeColumn],
    call,
  )
  if (!column) refuseInput(['timeColumn'], `is ${timeColumn}, but table ${table.name} has no such column`)
  if (!isTimeType(column.type)) refuseInput(['timeColumn'], `must be of type timestamptz, timestamp or date; ${timeColumn} is ${column.type}`)
  const wholeDays = interval.months > 0 || interval.milliseconds % DAY_MS === 0
  if (column.type === 'date' && !wholeDays) refuseInput(['chunkInterval'], 'must be whole days for a column of type date')
  const keys = await findKeysWithoutTime(transaction, table, timeColumn, call)
  if (keys.length === 0) return column.type
  refuseInput(['timeColumn'], `must be part of every unique key of ${table.name}: add ${timeColumn} to ${keys.join(', ')}`)
}

function isTimeType(type: string): type is PartitionTimeType {
  return type === 'timestamptz' || type === 'timestamp' || type === 'date'
}

/** The refusal of a table that can't be cut along time. */
export function notPartitionable(table: string, why: string): TimescaleOperationError {
  return new TimescaleOperationError(`table ${table} can't be partitioned by time: it ${why}`, {
    code: 'ERR_TIMESCALEDB_NOT_PARTITIONABLE',
    context: { table },
    status: 409,
  })
}
