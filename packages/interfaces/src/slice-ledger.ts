import { OperationError } from './errors.ts'

/** Whose progress is kept: one partition of one topic, for one pipeline. */
export interface SliceScope {
  readonly pipeline: string
  /** The topic's unique id, not its name: a topic that was deleted and made again starts anew. */
  readonly topicId: string
  readonly partition: number
}

/**
 * An offset range (both ends included) that is written as one, under one token.
 * Once recorded it is sent again exactly as recorded, however often, until it is done.
 */
export interface Slice {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  /** Idempotency token of the rows. Other rows need another token. */
  readonly token: string
  /** Offsets of the range that go to the dead letters and to no store, ascending. */
  readonly excluded: readonly bigint[]
}

/** Where a partition stands. */
export interface SliceState {
  /** First offset that is not done. */
  readonly nextOffset: bigint
  /** Recorded and not yet done: its rows may or may not be in any store. */
  readonly inFlight: Slice | null
  /** Grows with each claim; writes that name an older one are refused. */
  readonly epoch: bigint
  readonly owner: string
}

/** The right to move a partition on, until somebody else claims it. */
export interface SliceClaim extends SliceState {
  readonly scope: SliceScope
}

/**
 * Remembers which slice is in flight before any store sees it, so that a crash at any instruction can be repeated exactly.
 * Every write names its claim's epoch and is refused with `ERR_STALE_EPOCH` when a newer owner has taken over.
 */
export interface SliceLedger {
  /** Takes a partition over. @param startOffset where a partition begins that the ledger doesn't know. */
  claim(scope: SliceScope, owner: string, options?: { startOffset?: bigint; signal?: AbortSignal | undefined }): Promise<SliceClaim>
  /**
   * Commits the slice as in flight, on its own and durably. Replaces a slice in flight only when the range is the same
   * (its token and exclusions are then amended). Any other range while one is in flight, a range that begins before `nextOffset`,
   * and one that ends before it begins are a `ValidationError`.
   */
  record(claim: SliceClaim, slice: Slice, options?: { signal?: AbortSignal | undefined }): Promise<void>
  /** Marks the recorded slice done: `nextOffset` is the one after it, nothing is in flight. A slice not in flight, by range and token, is a `ValidationError`. */
  complete(claim: SliceClaim, slice: Slice, options?: { signal?: AbortSignal | undefined }): Promise<void>
  /** What is known of a partition; `null` when nothing is. */
  inspect(scope: SliceScope, options?: { signal?: AbortSignal | undefined }): Promise<SliceState | null>
}

/** The refusal of a write whose claim a newer owner has taken over. */
export function staleEpochError(scope: SliceScope, epoch: bigint): OperationError<'ERR_STALE_EPOCH'> {
  return new OperationError(
    `partition ${scope.partition} of pipeline "${scope.pipeline}" was claimed by a newer owner: epoch ${epoch} may no longer write; claim it again or stop`,
    { code: 'ERR_STALE_EPOCH', context: { ...scope, epoch: String(epoch) } },
  )
}
