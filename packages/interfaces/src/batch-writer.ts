import type { Slice, SliceClaim } from './slice-ledger.ts'

/** Rows that are stored together or not at all. */
export interface Batch<R> {
  readonly rows: readonly R[]
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

/** A writer that can say, without storing anything, which rows its store would refuse, and what it holds of a slice. */
export interface RecoverableBatchWriter<R> extends BatchWriter<R> {
  /** Indexes of the rows that the store refuses for their data, with the reason. Has no lasting effect. */
  findRefused(rows: readonly R[], options?: { signal?: AbortSignal | undefined }): Promise<readonly RefusedRow[]>
  /** Which offsets of the range (both ends included) are stored, ascending, one entry a stored row. */
  storedOffsets(source: SliceSource, options?: { signal?: AbortSignal | undefined }): Promise<readonly bigint[]>
  /** Whether the store derives other tables from these rows, which may lack them although the rows are stored. @default never */
  feedsViews?(options?: { signal?: AbortSignal | undefined }): Promise<boolean>
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
  findRefused(rows: readonly R[], options?: { signal?: AbortSignal | undefined }): Promise<readonly RefusedRow[]>
}

/** One open transaction of a {@link TransactionalBatchWriter}. Disposing of it uncommitted rolls back. */
export interface BatchTransaction<R> extends AsyncDisposable {
  /** @throws ValidationError when a row is refused for its data; the transaction can then only be rolled back */
  write(rows: readonly R[]): Promise<void>
  /** Marks the slice done in this transaction. @throws OperationError `ERR_STALE_EPOCH` when a newer owner has taken over */
  complete(claim: SliceClaim, slice: Slice): Promise<void>
  commit(): Promise<void>
  rollback(): Promise<void>
}
