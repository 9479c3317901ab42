import type { BatchTransaction, CallOptions, ColumnBatch, Row, Slice, SliceClaim, TransactionalBatchWriter } from '@smart-whale/interfaces'
import { TimescaleOperationError, TimescaleValidationError } from '../errors.ts'
import { partitionsOf } from '../partitions/partition-manager.ts'
import { isPartitionMissing, partitionMissingError } from '../partitions/partition-missing.ts'
import { quoteTable } from '../quote-identifier.ts'
import { refuseStaleRefusal } from '../storage/table-descriptions.ts'
import type { TimescaleTransaction } from '../timescale-storage.ts'
import { beginWriting, type BatchWriterStorage, columnsOf, type RoomMaker, type WriterParts } from './begin-writing.ts'
import type { IngestLedger } from './ingest-ledger.ts'
import { refusalFinder } from './search-refused.ts'
import { lastStoredOffset } from './stored-rows.ts'
import { tableLacks } from './table-lacks.ts'

/** How {@link createTransactionalBatchWriter} writes. */
export interface TransactionalBatchWriterOptions {
  /** Where slices are marked done, in the transaction of their rows; over the same database as the storage. @default none, required */
  ledger: Pick<IngestLedger, 'completeWithin'>
  /** Columns to fill; a row that lacks one gets null there. @default every key that a row of the batch has */
  columns?: readonly string[]
  /** Makes the partitions that rows need. @default the storage's */
  partitions?: RoomMaker
  /** How long one statement may take; more than the storage's own limit costs two round trips a batch. @default 30_000 */
  timeoutMs?: number
  /**
   * How long a transaction may wait for its owner before the server ends it, so that an owner that hangs can't keep others
   * from its partition. @default 30_000
   */
  idleTimeoutMs?: number
  /** How long `lastStored` may look. A table without the index of `sourceIndexDefinition` is read as a whole. @default 300_000 */
  lookupTimeoutMs?: number
}

type Signalled = { signal?: AbortSignal | undefined }

/**
 * Writes batches by binary COPY into `table` so that they become visible together with their ledger entry.
 *
 * Partitions are made before the transaction takes its connection. A row is refused for its data when it doesn't fit its column or
 * breaks a constraint; of two rows that can't both be stored, the later one is. `lastStored` reads the columns `source_topic`,
 * `source_partition` and `source_offset`.
 */
export function createTransactionalBatchWriter<R extends object = Row>(
  storage: BatchWriterStorage,
  table: string,
  options: TransactionalBatchWriterOptions,
): TransactionalBatchWriter<R> {
  quoteTable(table)
  const parts: WriterParts = {
    storage,
    table,
    ledger: options.ledger,
    columns: options.columns,
    partitions: options.partitions ?? partitionsOf(storage),
    timeoutMs: options.timeoutMs ?? 30_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 30_000,
  }
  return {
    begin: async ({ signal } = {}) => new CopyTransaction<R>(parts, signal),
    ...refusalFinder<R>(parts),
    lastStored: (source, { signal } = {}) => lastStoredOffset(storage, table, source, { signal, timeoutMs: options.lookupTimeoutMs ?? 300_000 }),
  }
}

class CopyTransaction<R extends object> implements BatchTransaction<R> {
  readonly #parts: WriterParts
  readonly #call: CallOptions & Signalled
  #transaction: TimescaleTransaction | undefined
  #hasRows = false
  #state: 'open' | 'completed' | 'failed' | 'ended' = 'open'

  constructor(parts: WriterParts, signal: AbortSignal | undefined) {
    this.#parts = parts
    this.#call = { signal, timeoutMs: parts.timeoutMs }
  }

  async write(rows: readonly R[]): Promise<void> {
    this.#mustBe('open')
    if (rows.length === 0) return
    const batch = rows as readonly Row[]
    await this.#orFail(() => this.#makingRoom(() => this.#copy(batch)))
  }

  async writeColumns(columns: ColumnBatch): Promise<boolean> {
    this.#mustBe('open')
    return this.#orFail(() => this.#makingRoom(() => this.#copyColumns(columns)))
  }

  async complete(claim: SliceClaim, slice: Slice): Promise<void> {
    this.#mustBe('open')
    await this.#orFail(async () => this.#parts.ledger.completeWithin(await this.#open(), claim, slice, this.#call))
    this.#state = 'completed'
  }

  /** Rows without their ledger entry would be stored again after a restart, so they are not let through. */
  async commit(): Promise<void> {
    this.#mustBe('completed')
    this.#state = 'ended'
    await this.#transaction?.commit()
  }

  async rollback(): Promise<void> {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    const transaction = this.#transaction
    this.#transaction = undefined
    await transaction?.rollback()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rollback()
  }

  async #copy(batch: readonly Row[]): Promise<void> {
    const { partitions, table, columns } = this.#parts
    const [refused] = await partitions.makeRoomFor(table, batch, this.#call)
    if (refused) {
      const issues = [{ path: [refused.index], message: refused.reason }]
      throw new TimescaleValidationError(`row ${refused.index} is refused: ${refused.reason}`, { issues })
    }
    const transaction = await this.#open()
    await transaction.bulkInsert(table, batch, { columns: columns ?? columnsOf(batch), ...this.#call })
    this.#hasRows = true
  }

  async #copyColumns(batch: ColumnBatch): Promise<boolean> {
    const { partitions, table, columns } = this.#parts
    if (batch.rows === 0) return true
    if ((await partitions.ensureForColumns?.(table, batch, this.#call)) !== true) return false
    const transaction = await this.#open()
    const stored = await transaction.insertColumns(table, batch, { columns, ...this.#call })
    this.#hasRows ||= stored !== null
    return stored !== null
  }

  /** A partition may have been dropped after it was last seen. As long as nothing else is in the transaction: begin again, and make it. */
  async #makingRoom<T>(copy: () => Promise<T>): Promise<T> {
    try {
      return await copy()
    } catch (error) {
      if (this.#hasRows || !isPartitionMissing(error)) throw error
      await this.#abandon()
      this.#parts.partitions.forget(this.#parts.table)
      return copy()
    }
  }

  /** The connection is taken as late as that, so that making partitions never waits for one that this very transaction holds. */
  async #open(): Promise<TimescaleTransaction> {
    this.#transaction ??= await beginWriting(this.#parts, this.#call)
    return this.#transaction
  }

  /** Whatever fails ends the transaction at once: nothing of it may stay, and its locks would be in the way of `findRefused`. */
  async #orFail<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.#state = 'failed'
      await this.#abandon()
      await this.#refuseStaleRefusal(error)
      throw explained(error, this.#parts)
    }
  }

  /** Over any connection: the transaction's own went back to the pool, so that this waits for nothing that it holds. */
  async #refuseStaleRefusal(error: unknown): Promise<void> {
    const { storage } = this.#parts
    await refuseStaleRefusal(error, { query: async (sql, params, options) => ({ rows: await storage.execute(sql, params, options) }) }, this.#call)
  }

  /** Rolls back; on a broken connection the server does. */
  async #abandon(): Promise<void> {
    const transaction = this.#transaction
    this.#transaction = undefined
    await transaction?.rollback().catch(() => {})
  }

  #mustBe(expected: 'open' | 'completed'): void {
    if (this.#state === expected) return
    const why = {
      open: 'its slice is not marked done: call complete first',
      completed: 'its slice is marked done already: commit it',
      failed: 'an earlier step failed, and nothing of it was stored: begin another one',
      ended: 'it was committed or rolled back: begin another one',
    }[this.#state]
    throw new TimescaleOperationError(`the transaction on ${this.#parts.table} can't do that: ${why}`, {
      code: this.#state === 'ended' ? 'ERR_TIMESCALEDB_TRANSACTION_ENDED' : 'ERR_TIMESCALEDB_TRANSACTION_FAILED',
    })
  }
}

function explained(error: unknown, { partitions, table }: WriterParts): unknown {
  if (!isPartitionMissing(error)) return tableLacks(error) ?? error
  partitions.forget(table)
  return partitionMissingError(table, error)
}
