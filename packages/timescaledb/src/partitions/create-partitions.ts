import type { CallOptions } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { adviseLonger, chooseInterval } from './choose-interval.ts'
import { partitionedName, type PartitionBounds, type PartitionedTable, type PartitionExecutor, readBounds } from './partition-catalog.ts'
import { quoteIdentifier, quoteLiteral } from '../quote-identifier.ts'
import { formatTimeInterval, stepAround, type TimeInterval } from '../time-series/time-interval.ts'

/** PostgreSQL cuts longer names off. */
const MAX_NAME_BYTES = 63

/** What bounds the making of partitions. */
export interface PartitionLimits {
  readonly maxPartitions: number
  readonly lockTimeoutMs: number
}

/**
 * Makes the partitions that the given moments lack, and returns all bounds.
 *
 * Runs in a short transaction of its own, never in that of the rows. One advisory lock a table lets one process create at a time.
 * A partition is built beside the table and then attached: that takes a lock which readers and writers don't wait for,
 * where `create table … partition of` would wait for all of them and make everybody wait behind it.
 */
export async function createMissing(
  transaction: PartitionExecutor,
  table: PartitionedTable,
  timesMs: readonly number[],
  limits: PartitionLimits,
  call?: CallOptions,
): Promise<PartitionBounds[]> {
  await lockPartitioning(transaction, table, limits.lockTimeoutMs, call)
  const bounds = await readBounds(transaction, table, call)
  const uncovered = timesMs.filter((timeMs) => !bounds.some(({ fromMs, toMs }) => timeMs >= fromMs && timeMs < toMs))
  const interval = chooseInterval({ interval: table.interval, existing: bounds.length, maxPartitions: limits.maxPartitions, timesMs: uncovered })
  const missing = planMissing(bounds, uncovered, interval)
  if (missing.length === 0) return bounds
  if (bounds.length + missing.length > limits.maxPartitions) throw tooMany(table, bounds.length + missing.length, limits.maxPartitions)
  const names = await freeNames(transaction, table, missing, call)
  for (const [index, { fromMs, toMs }] of missing.entries()) {
    await attachPartition(transaction, table, { name: names[index] as string, fromMs, toMs }, call)
  }
  return readBounds(transaction, table, call)
}

/** Lets one process at a time change the partitions of a table; ends with the transaction. */
export async function lockPartitioning(
  transaction: PartitionExecutor,
  table: { schema: string; name: string },
  lockTimeoutMs: number,
  call?: CallOptions,
): Promise<void> {
  await transaction.execute(`select set_config('lock_timeout', $1, true)`, [`${lockTimeoutMs}ms`], call)
  await transaction.execute(`select pg_advisory_xact_lock(hashtextextended($1, 0))::text`, [`smart_whale.partitions:${table.schema}.${table.name}`], call)
}

/**
 * The ranges to make, in the order of time: the steps around the moments, cut where partitions of another length already lie.
 * Only steps that hold one of the moments are made, so that one record from 1970 costs one partition and not two thousand.
 */
export function planMissing(
  existing: readonly Pick<PartitionBounds, 'fromMs' | 'toMs'>[],
  timesMs: readonly number[],
  interval: TimeInterval,
): { fromMs: number; toMs: number }[] {
  const planned = new Map<number, { fromMs: number; toMs: number }>()
  for (const timeMs of timesMs) {
    if (existing.some(({ fromMs, toMs }) => timeMs >= fromMs && timeMs < toMs)) continue
    const step = stepAround(new Date(timeMs), interval)
    const fromMs = existing.reduce((latest, { toMs }) => (toMs <= timeMs ? Math.max(latest, toMs) : latest), step.start.getTime())
    const toMs = existing.reduce((earliest, bounds) => (bounds.fromMs > timeMs ? Math.min(earliest, bounds.fromMs) : earliest), step.end.getTime())
    planned.set(fromMs, { fromMs, toMs })
  }
  return [...planned.values()].sort((a, b) => a.fromMs - b.fromMs)
}

/** The refusal to make more partitions than a query plan can bear, with the interval that would do. */
export function tooMany(table: PartitionedTable, wanted: number, maxPartitions: number): TimescaleOperationError {
  const advice = adviseLonger(table.interval, wanted / maxPartitions)
  return new TimescaleOperationError(
    `table ${table.name} would have ${wanted} partitions of ${formatTimeInterval(table.interval)}, more than maxPartitions ${maxPartitions}: ` +
      `set a longer chunk interval (${advice} would do), drop old partitions, or raise maxPartitions`,
    { code: 'ERR_TIMESCALEDB_TOO_MANY_PARTITIONS', status: 422, context: { table: table.name, wanted, maxPartitions, advice } },
  )
}

async function attachPartition(transaction: PartitionExecutor, table: PartitionedTable, partition: PartitionBounds, call?: CallOptions): Promise<void> {
  const parent = partitionedName(table)
  const child = `${quoteIdentifier(table.schema)}.${quoteIdentifier(partition.name)}`
  const like = 'including defaults including constraints including generated including storage including compression including statistics'
  await transaction.execute(`create table ${child} (like ${parent} ${like})`, [], call)
  const [from, to] = [boundLiteral(partition.fromMs, table), boundLiteral(partition.toMs, table)]
  await transaction.execute(`alter table ${parent} attach partition ${child} for values from (${from}) to (${to})`, [], call)
}

function boundLiteral(timeMs: number, table: PartitionedTable): string {
  if (!Number.isFinite(timeMs)) return timeMs < 0 ? 'minvalue' : 'maxvalue'
  const iso = toPostgresTime(new Date(timeMs))
  if (table.timeType === 'date') return quoteLiteral(iso.replace(/ \S+/, ''))
  return quoteLiteral(table.timeType === 'timestamptz' ? iso.replace(/( BC)?$/, '+00$1') : iso)
}

/** PostgreSQL counts years without a zero and has no signed ones: the year 0 is 1 BC. */
export function toPostgresTime(time: Date): string {
  const year = time.getUTCFullYear()
  const [date, clock] = time.toISOString().replace(/^[+-]?\d+-/, '').replace('Z', '').split('T')
  return `${String(year > 0 ? year : 1 - year).padStart(4, '0')}-${date} ${clock}${year > 0 ? '' : ' BC'}`
}

async function freeNames(
  transaction: PartitionExecutor,
  table: PartitionedTable,
  missing: readonly { fromMs: number }[],
  call?: CallOptions,
): Promise<string[]> {
  const wanted = missing.map(({ fromMs }) => partitionName(table.name, new Date(fromMs)))
  const taken = await transaction.execute<{ relname: string }>(
    `select relname from pg_class where relnamespace = $1::text::regnamespace and starts_with(relname, $2)`,
    [quoteIdentifier(table.schema), partitionPrefix(table.name)],
    call,
  )
  const used = new Set(taken.map(({ relname }) => relname))
  return wanted.map((name) => {
    let free = name
    for (let suffix = 2; used.has(free); suffix++) free = `${name}_${suffix}`
    used.add(free)
    return free
  })
}

/** `flights_p20010101`, or `flights_p20010101_060000` for one that doesn't begin at midnight. */
function partitionName(table: string, from: Date): string {
  const digits = toPostgresTime(from).replace(' BC', 'bc').replaceAll('-', '').replaceAll(':', '').replace('.000', '').replace('.', '_').replace(' ', '_')
  return `${partitionPrefix(table)}${digits.replace(/_000000(?=bc|$)/, '')}`
}

function partitionPrefix(table: string): string {
  // Room for the longest time and a suffix; two long names that become equal here get suffixes.
  const bytes = Buffer.from(table)
  const kept = bytes.length + 30 <= MAX_NAME_BYTES ? table : bytes.subarray(0, MAX_NAME_BYTES - 30).toString('utf8').replace(/\uFFFD+$/u, '')
  return `${kept}_p`
}
