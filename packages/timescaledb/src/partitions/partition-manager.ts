import { type CallOptions, type Clock, type ColumnBatch, type RefusedRow, type Row, systemClock } from '@smart-whale/interfaces'
import { TimescaleOperationError, TimescaleValidationError } from '../errors.ts'
import { findTableKind, keepInterval, partitionedName, type PartitionedTable, readBounds } from './partition-catalog.ts'
import { convertToHypertable } from './convert-to-hypertable.ts'
import { convertToPartitioned } from './convert-to-partitioned.ts'
import { PartitionCoverage } from './partition-coverage.ts'
import { adviseOn, type PartitionAdvice } from './partition-advice.ts'
import { createMissing, lockPartitioning, type PartitionLimits } from './create-partitions.ts'
import { dropChunksOf, findHypertable, type Hypertable, listChunks, setChunkInterval, timeTypeOf } from './hypertable-chunks.ts'
import { listNativePartitions, type PartitionInfo } from './list-partitions.ts'
import { quoteIdentifier } from '../quote-identifier.ts'
import { addInterval, formatTimeInterval, parseTimeInterval } from '../time-series/time-interval.ts'
import type { TimescaleStorage, TimescaleTransaction } from '../timescale-storage.ts'

/** How tables are cut along time. */
export interface PartitionManagerOptions {
  /** Length of a partition where none is asked for: `7 days`, `1 month`, `1 year`. @default '7 days' */
  chunkInterval?: string
  /**
   * How many partitions a table may have; a plan looks at each, so hundreds are fine and thousands are not. Tables that near it
   * get longer partitions. @default 500
   */
  maxPartitions?: number
  /** How long to wait for a lock on a table before giving way to its readers and writers. @default 5_000 */
  lockTimeoutMs?: number
  /** How long one call may take. @default 60_000 */
  timeoutMs?: number
  /** How long a table that isn't partitioned is taken for such without looking again. @default 30_000 */
  recheckMs?: number
  /** Where time comes from. @default the machine's clock */
  clock?: Clock
}

/** What {@link PartitionManager.dropBefore} did, or would do. */
export interface DroppedPartitions {
  readonly dropped: readonly PartitionInfo[]
  /** Sum of their sizes. */
  readonly bytes: bigint
  readonly dryRun: boolean
}

/** What this class needs of the storage. */
export type PartitionStorage = Pick<TimescaleStorage, 'execute' | 'withTransaction' | 'capabilities'>

type Signalled = { signal?: AbortSignal | undefined }

/** What a table is cut into; neither, when it isn't cut. */
interface TableCut {
  readonly partitioned: PartitionedTable | null
  readonly hypertable: Hypertable | null
}

/**
 * Cuts tables along time: as hypertables where the server has TimescaleDB, else as native range partitions,
 * which are made when rows need them, listed, and dropped when they are old.
 */
export class PartitionManager {
  readonly #storage: PartitionStorage
  readonly #chunkInterval: string
  readonly #limits: PartitionLimits
  readonly #timeoutMs: number
  readonly #recheckMs: number
  readonly #clock: Clock
  readonly #known = new Map<string, { coverage: PartitionCoverage | null; seenAtMs: number }>()

  constructor(storage: PartitionStorage, options: PartitionManagerOptions = {}) {
    this.#storage = storage
    this.#chunkInterval = options.chunkInterval ?? '7 days'
    this.#limits = { maxPartitions: options.maxPartitions ?? 500, lockTimeoutMs: options.lockTimeoutMs ?? 5_000 }
    this.#timeoutMs = options.timeoutMs ?? 60_000
    this.#recheckMs = options.recheckMs ?? 30_000
    this.#clock = options.clock ?? systemClock
  }

  /** Partitions a table by a column of it, keeping its rows. A table that is partitioned by that column already stays as it is. */
  async partitionByTime(table: string, timeColumn: string, options: Signalled & { chunkInterval?: string } = {}): Promise<void> {
    // Known before the transaction takes its connection, which may be the only one.
    await this.#storage.capabilities()
    await this.#storage.withTransaction((transaction) => this.partitionWithin(transaction, table, timeColumn, options), this.#call(options))
  }

  /** Like {@link partitionByTime}, in a transaction of the caller's: a migration, for example. */
  async partitionWithin(
    transaction: Pick<TimescaleTransaction, 'execute'>,
    table: string,
    timeColumn: string,
    options: Signalled & { chunkInterval?: string } = {},
  ): Promise<void> {
    const interval = parseTimeInterval(options.chunkInterval ?? this.#chunkInterval, 'chunkInterval')
    const call = this.#call(options)
    const plan = { table, timeColumn, interval, limits: this.#limits }
    if ((await this.#storage.capabilities()).hypertables) await convertToHypertable(transaction, plan, call)
    else await convertToPartitioned(transaction, plan, call)
    this.forget(table)
  }

  /**
   * Makes the partitions that these rows need and don't have. Costs nothing when they are there, and nothing on a table that isn't partitioned by us
   * or is a hypertable, whose chunks the server makes.
   * Commits on its own: call it before the transaction that stores the rows takes its connection.
   *
   * @throws TimescaleValidationError when a row has no time that a partition could hold; `issues[].path` is its index and the column
   * @throws TimescaleOperationError `ERR_TIMESCALEDB_TOO_MANY_PARTITIONS`
   */
  async ensureForRows(table: string, rows: readonly Row[], options: Signalled = {}): Promise<void> {
    const [first] = await this.makeRoomFor(table, rows, options)
    if (!first) return
    const timeColumn = (await this.#coverageOf(table, options))?.table.timeColumn ?? 'time'
    const issues = [{ path: [first.index, timeColumn], message: first.reason }]
    throw new TimescaleValidationError(`row ${first.index} is refused: ${first.reason}`, { issues })
  }

  /** Like {@link ensureForRows}, but names the rows without a usable time instead of throwing. */
  async makeRoomFor(table: string, rows: readonly Row[], options: Signalled = {}): Promise<readonly RefusedRow[]> {
    const coverage = await this.#coverageOf(table, options)
    if (!coverage) return []
    const { missingMs, refused } = coverage.ofRows(rows)
    await this.#create(table, coverage.table, missingMs, options)
    return refused
  }

  /** Like {@link ensureForRows}, of rows that lie in columns. False, and nothing is made, when only the rows themselves tell what they need. */
  async ensureForColumns(table: string, batch: ColumnBatch, options: Signalled = {}): Promise<boolean> {
    const coverage = await this.#coverageOf(table, options)
    if (!coverage) return true
    const missingMs = coverage.ofColumns(batch)
    if (missingMs === null) return false
    await this.#create(table, coverage.table, missingMs, options)
    return true
  }

  /** Makes the partition of now and of the `count` steps to come. Chunks of a hypertable need no making. */
  async createAhead(table: string, options: Signalled & { count?: number } = {}): Promise<void> {
    const coverage = await this.#coverageOf(table, options)
    if (!coverage) return
    const now = new Date(this.#clock.now())
    const steps = Array.from({ length: (options.count ?? 2) + 1 }, (_, step) => addInterval(now, coverage.table.interval, step).getTime())
    await this.#create(table, coverage.table, coverage.missing(steps), options)
  }

  /** The table's partitions or chunks, in the order of time; empty when it has none. */
  async list(table: string, options: Signalled = {}): Promise<PartitionInfo[]> {
    const call = this.#call(options)
    return this.#listOf(await this.#cutOf(table, call), call)
  }

  /**
   * Drops the partitions that hold nothing from `before` on. Each goes in a transaction of its own that waits at most `lockTimeoutMs` for its lock.
   *
   * @throws TimescaleOperationError `ERR_TIMESCALEDB_LOCKED` when somebody uses one for longer, `ERR_TIMESCALEDB_DEPENDED_ON` when a view or
   *   a foreign key rests on one; those that went before are gone then
   */
  async dropBefore(table: string, before: Date, options: Signalled & { dryRun?: boolean } = {}): Promise<DroppedPartitions> {
    const call = this.#call(options)
    const cut = await this.#cutOf(table, call)
    if (cut.hypertable) timeTypeOf(cut.hypertable)
    const old = (await this.#listOf(cut, call)).filter(({ to }) => to !== null && to.getTime() <= before.getTime())
    const dryRun = options.dryRun ?? false
    const dropped = dryRun ? old : await this.#dropAll(table, cut, old, options)
    return { dropped, bytes: dropped.reduce((sum, { bytes }) => sum + bytes, 0n), dryRun }
  }

  /** Changes how long partitions are from now on; those that exist stay. */
  async setChunkInterval(table: string, chunkInterval: string, options: Signalled = {}): Promise<void> {
    const interval = parseTimeInterval(chunkInterval, 'chunkInterval')
    const call = this.#call(options)
    const { partitioned, hypertable } = await this.#cutOf(table, call)
    if (hypertable) return setChunkInterval(this.#storage, hypertable, interval, call)
    if (!partitioned) throw notPartitioned(table)
    await keepInterval(this.#storage, partitioned, partitioned.timeColumn, formatTimeInterval(interval))
    this.forget(table)
  }

  /** Whether the partitions are of a good size. */
  async advise(table: string, options: Signalled = {}): Promise<PartitionAdvice> {
    return adviseOn(await this.list(table, options), this.#limits.maxPartitions)
  }

  /** Forgets what it knows of a table's partitions, after a write found one missing. */
  forget(table: string): void {
    this.#known.delete(table)
  }

  async #coverageOf(table: string, options: Signalled): Promise<PartitionCoverage | null> {
    const known = this.#known.get(table)
    if (known?.coverage) return known.coverage
    if (known && this.#clock.monotonic() - known.seenAtMs < this.#recheckMs) return null
    const call = this.#call(options)
    const { partitioned } = await findTableKind(this.#storage, table, call)
    const bounds = partitioned ? await readBounds(this.#storage, partitioned, call) : []
    return this.#remember(table, partitioned && new PartitionCoverage(partitioned, bounds))
  }

  async #create(table: string, known: PartitionedTable, missingMs: readonly number[], options: Signalled): Promise<void> {
    if (missingMs.length === 0) return
    const call = this.#call(options)
    const coverage = await this.#storage.withTransaction(async (transaction) => {
      // Somebody may have told it another length since, or made the table anew.
      const partitioned = (await findTableKind(transaction, table, call)).partitioned ?? known
      return new PartitionCoverage(partitioned, await createMissing(transaction, partitioned, missingMs, this.#limits, call))
    }, call)
    this.#remember(table, coverage)
  }

  #remember(table: string, coverage: PartitionCoverage | null): PartitionCoverage | null {
    this.#known.set(table, { coverage, seenAtMs: this.#clock.monotonic() })
    return coverage
  }

  async #dropAll(table: string, { hypertable }: TableCut, partitions: readonly PartitionInfo[], options: Signalled): Promise<readonly PartitionInfo[]> {
    if (hypertable) return this.#dropChunks(hypertable, partitions, options)
    for (const partition of partitions) await this.#drop(table, partition, options)
    return partitions
  }

  /** Range by range; what somebody else has dropped meanwhile isn't counted. */
  async #dropChunks(hypertable: Hypertable, chunks: readonly PartitionInfo[], options: Signalled): Promise<readonly PartitionInfo[]> {
    const call = this.#call(options)
    const { lockTimeoutMs } = this.#limits
    const ranges = new Map(chunks.map(({ from, to }) => [`${from?.getTime()}`, { from, to: to as Date, lockTimeoutMs }]))
    const dropped = new Set<string>()
    for (const range of ranges.values()) {
      const names = await this.#storage.withTransaction((transaction) => dropChunksOf(transaction, hypertable, range, call), call)
      for (const name of names) dropped.add(name)
    }
    return chunks.filter((chunk) => dropped.has(chunkName(chunk)))
  }

  async #drop(table: string, partition: PartitionInfo, options: Signalled): Promise<void> {
    const call = this.#call(options)
    this.forget(table)
    await this.#storage.withTransaction(async (transaction) => {
      const { schema, name } = await findTableKind(transaction, table, call)
      await lockPartitioning(transaction, { schema, name }, this.#limits.lockTimeoutMs, call)
      await transaction.execute(`drop table if exists ${partitionedName(partition)}`, [], call)
    }, call)
    this.forget(table)
  }

  /** By what the table is cut, whoever did it: native partitions can be older than the server's extension. */
  async #cutOf(table: string, call: CallOptions): Promise<TableCut> {
    const kind = await findTableKind(this.#storage, table, call)
    const maybeHypertable = kind.partitioned === null && (await this.#storage.capabilities()).hypertables
    return { partitioned: kind.partitioned, hypertable: maybeHypertable ? await findHypertable(this.#storage, kind, call) : null }
  }

  async #listOf({ partitioned, hypertable }: TableCut, call: CallOptions): Promise<PartitionInfo[]> {
    if (hypertable) return listChunks(this.#storage, hypertable, call)
    return partitioned ? listNativePartitions(this.#storage, partitioned, call) : []
  }

  #call(options: Signalled): CallOptions {
    return { signal: options.signal, timeoutMs: this.#timeoutMs }
  }
}

/** As `drop_chunks` writes it: quoted only where needed. */
function chunkName({ schema, name }: PartitionInfo): string {
  return [schema, name].map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : quoteIdentifier(part))).join('.')
}

function notPartitioned(table: string): TimescaleOperationError {
  return new TimescaleOperationError(`table ${quoteIdentifier(table)} is not partitioned by time: call partitionByTime first`, {
    code: 'ERR_TIMESCALEDB_NOT_PARTITIONABLE',
    status: 409,
  })
}

/** The storage's own partitions where it has some, so that what one write learns of them helps the next. */
export function partitionsOf(storage: PartitionStorage & { readonly partitions?: PartitionManager }): PartitionManager {
  return storage.partitions ?? new PartitionManager(storage)
}

/** The partitions of a storage's tables. */
export function createPartitionManager(storage: PartitionStorage, options?: PartitionManagerOptions): PartitionManager {
  return new PartitionManager(storage, options)
}
