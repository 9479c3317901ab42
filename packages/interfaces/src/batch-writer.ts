import type { ColumnBatch } from './column-batch.ts'
import type { Slice, SliceClaim, SliceScope, TableClaim } from './slice-ledger.ts'

/** Rows that are stored together or not at all. */
export interface Batch<R> {
  readonly rows: readonly R[]
  /** The same rows by column, for a store that takes them so; `rows` may then be made only when it is read. @default none */
  readonly columns?: ColumnBatch | undefined
  /** The same token always stands for the same rows: writing a batch twice stores it once. */
  readonly token: string
}

/** What became of a batch. */
export interface BatchReceipt {
  /** Rows that were handed to the store. A repeat that the store dropped counts as well: it has them. */
  readonly rows: number
}

/**
 * Inserts batches under an idempotency token.
 *
 * A `ValidationError` means that the store refuses a row for its data, and that nothing of the batch was stored;
 * its `issues[].path[0]` is the row's index where the store tells. Any other error says nothing about the data:
 * the batch may be stored, and is to be sent again unchanged. An empty batch stores nothing.
 */
export interface BatchWriter<R> {
  write(batch: Batch<R>, options?: { signal?: AbortSignal | undefined }): Promise<BatchReceipt>
}

/** How far a writer looks for refused rows. */
export interface RefusalSearchOptions {
  /** Ends the search. @default undefined */
  signal?: AbortSignal | undefined
  /** Stops once so many were found, which need not be the first ones. @default all */
  atMost?: number | undefined
  /**
   * Looks only for rows that are refused for a reason of late, where the store knows how to ask for it alone: for a fraction of the work. What is
   * found is refused; others may be missed. @default false
   */
  likely?: boolean | undefined
}

/** A writer that can say, without storing anything, which rows its store would refuse, and what it holds of a slice. */
export interface RecoverableBatchWriter<R> extends BatchWriter<R> {
  /** Indexes of the rows that the store refuses for their data, with the reason. Has no lasting effect. */
  findRefused(rows: readonly R[], options?: RefusalSearchOptions): Promise<readonly RefusedRow[]>
  /** Like `findRefused`, of rows that lie in columns; null when the store wants them as rows. @default it always does */
  findRefusedColumns?(columns: ColumnBatch, options?: RefusalSearchOptions): Promise<readonly RefusedRow[] | null>
  /** Which offsets of the range (both ends included) are stored, ascending, one entry a stored row. */
  storedOffsets(source: SliceSource, options?: { signal?: AbortSignal | undefined }): Promise<readonly bigint[]>
  /** Whether the store derives other tables from these rows, which may lack them although the rows are stored. @default never */
  feedsViews?(options?: { signal?: AbortSignal | undefined }): Promise<boolean>
  /** Whether the store surely still knows the token under which it has the rows of this range; true also where it can't tell. @default can't tell */
  wouldDropRepeat?(source: SliceSource, options?: { signal?: AbortSignal | undefined }): Promise<boolean>
  /** Indexes of those rows that the store may have removed by itself, for their age: that one isn't there says nothing then. @default it removes none */
  expiredAmong?(rows: readonly R[], options?: { signal?: AbortSignal | undefined }): Promise<readonly number[]>
}

/**
 * A place in the order of all who write for one partition. What is sent under a turn is refused once a newer one has been taken,
 * however long it was on its way: an owner that was suspended for hours can't write beside the one that took over.
 */
export interface WriteTurn {
  readonly scope: SliceScope
  /** The claim's; a newer claim's turns come after all turns of an older one. */
  readonly epoch: bigint
  /** Counts the turns that were taken under one epoch. */
  readonly attempt: number
  /** Names this very turn: of two with equal numbers only one counts. */
  readonly holder: string
}

/** What a table knows of the turns that were taken for a partition, whichever pipeline took them. */
export interface LatestTurn {
  /** The largest epoch that one was taken under. */
  readonly epoch: bigint
  /** The pipeline that took the last one. */
  readonly pipeline: string
}

/** A batch that is only written while its turn is the newest. */
export interface TurnBatch<R> extends Batch<R> {
  readonly turn: WriteTurn
}

/**
 * A writer whose store itself keeps former owners out, late requests of earlier attempts, and other pipelines that would store the same partition.
 * `write` under a turn that is not the newest fails with `ERR_STALE_EPOCH` and stores nothing.
 */
export interface TurnBatchWriter<R> extends RecoverableBatchWriter<R> {
  write(batch: Batch<R> | TurnBatch<R>, options?: { signal?: AbortSignal | undefined }): Promise<BatchReceipt>
  /**
   * Gives the table to a pipeline for all partitions of a topic: of several that ask at once to the same one for all, whatever ledgers they have. It
   * belongs to the pipeline's name from then on, whoever works under that, until it is taken over.
   * @throws OperationError `ERR_TABLE_TAKEN` where another pipeline has it
   */
  claimTable(claim: Omit<TableClaim, 'table'>, options?: { signal?: AbortSignal | undefined }): Promise<void>
  /** The pipeline that has the table for a topic; null when none has. */
  tableHolder(topicId: string, options?: { signal?: AbortSignal | undefined }): Promise<string | null>
  /** Which turns were taken so far for the topic's partition, by whichever pipeline; null when none was. */
  latestTurn(scope: SliceScope, options?: { signal?: AbortSignal | undefined }): Promise<LatestTurn | null>
  /**
   * Takes the newest turn. When it resolves, no write under an earlier turn runs any more, and none that still arrives has an effect:
   * what the store holds now of this partition, it holds until somebody writes under this turn.
   * @throws OperationError `ERR_STALE_EPOCH` when a turn was taken under a larger epoch, or under the same one by another owner; `ERR_TABLE_TAKEN` when another
   *   pipeline has taken the table over
   */
  takeTurn(claim: SliceClaim, options?: { signal?: AbortSignal | undefined }): Promise<WriteTurn>
  /** The largest stored offset that is not below `firstOffset`; null when there is none. */
  lastStored(source: Omit<SliceSource, 'lastOffset'>, options?: { signal?: AbortSignal | undefined }): Promise<bigint | null>
}

/** A row that a store refuses for its data. */
export interface RefusedRow {
  readonly index: number
  readonly reason: string
}

/** An offset range of one partition, by the topic name that rows carry. */
export interface SliceSource {
  readonly topic: string
  readonly partition: number
  readonly firstOffset: bigint
  readonly lastOffset: bigint
}

/**
 * A writer whose rows and whose ledger entry become visible in one commit.
 * Rows are written and checked at `write`; nothing is visible before `commit`.
 */
export interface TransactionalBatchWriter<R> {
  begin(options?: { signal?: AbortSignal | undefined }): Promise<BatchTransaction<R>>
  findRefused(rows: readonly R[], options?: RefusalSearchOptions): Promise<readonly RefusedRow[]>
  /** Like `findRefused`, of rows that lie in columns; null when the store wants them as rows. @default it always does */
  findRefusedColumns?(columns: ColumnBatch, options?: RefusalSearchOptions): Promise<readonly RefusedRow[] | null>
  /**
   * The largest stored offset that is not below `firstOffset`; null when there is none. Rows and ledger entry are one commit: a row behind what
   * the ledger has done tells that the ledger is not the one that it was committed with.
   */
  lastStored(source: Omit<SliceSource, 'lastOffset'>, options?: { signal?: AbortSignal | undefined }): Promise<bigint | null>
}

/** One open transaction of a {@link TransactionalBatchWriter}. Disposing of it uncommitted rolls back. */
export interface BatchTransaction<R> extends AsyncDisposable {
  /** @throws ValidationError when a row is refused for its data; the transaction can then only be rolled back */
  write(rows: readonly R[]): Promise<void>
  /**
   * Like `write`, of rows that lie in columns. False when the store wants them as rows, because of their types or of a value that it may refuse:
   * nothing was written then, and `write` is to be called. @default every batch is written as rows
   */
  writeColumns?(columns: ColumnBatch): Promise<boolean>
  /** Marks the slice done in this transaction. @throws OperationError `ERR_STALE_EPOCH` when a newer owner has taken over */
  complete(claim: SliceClaim, slice: Slice): Promise<void>
  commit(): Promise<void>
  rollback(): Promise<void>
}
