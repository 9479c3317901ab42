import type { OutgoingRecord, PartitionReader } from '../transport.ts'

/** A group's progress that is to be stored with a transaction. */
export interface StagedOffset {
  readonly reader: PartitionReader
  readonly nextOffset: bigint
  readonly metadata: string
}

/**
 * What a broker does for the transactions of one id, one after the other. Who calls sees to the order: begin, sends, then commit or abort.
 * Each call rejects with `ERR_MESSAGING_PRODUCER_FENCED` once another producer has the id.
 */
export interface TransactionKeeper {
  /** Makes way for the next transaction: what an abort that got no answer left is ended first. */
  begin(signal: AbortSignal): Promise<void>
  /** Resolves when the broker has the records, unseen. */
  send(topic: string, records: readonly OutgoingRecord[], signal: AbortSignal): Promise<void>
  /** Throws when progress can't be stored through this reader, or not any more. */
  checkOffset(reader: PartitionReader, nextOffset: bigint): void
  /** Makes it count. Called again after a commit without an answer, it finds out what became of it. */
  commit(offsets: readonly StagedOffset[], signal: AbortSignal): Promise<void>
  /** Whether a commit was asked for that the broker hasn't answered. */
  readonly isUndecided: boolean
  /** Takes everything back. When it rejects, the next `begin` sees to it. */
  abort(signal: AbortSignal): Promise<void>
  close(): void
}
