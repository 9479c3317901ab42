import type { Lifecycle } from '@smart-whale/interfaces'
import type { RecordPlace, ValuePlace, WrittenContent } from './record-bytes.ts'

export type { ByteRange, RecordPlace, ValuePlace, WrittenContent } from './record-bytes.ts'

/** How one call to a transport ends early. */
export interface TransportCallOptions {
  /** Ends the call; it then rejects with `ERR_ABORTED`. @default undefined */
  signal?: AbortSignal | undefined
  /** How long the call may take, in milliseconds; it then rejects with `ERR_MESSAGING_TIMEOUT`. @default DEFAULT_KAFKA_TIMEOUT */
  timeoutMs?: number | undefined
}

/** A record on its way to a topic. */
export interface OutgoingRecord {
  readonly key?: Uint8Array | string | null | undefined
  readonly value: Uint8Array | string | null
  readonly headers?: Readonly<Record<string, Uint8Array | string>> | undefined
  /** Wins over the key. Without it, equal keys share a partition and keyless records are spread. */
  readonly partition?: number | undefined
  /** Milliseconds since the epoch; without it, when the broker took the record. */
  readonly timestamp?: number | undefined
  /** The same key, value and headers in Kafka's format: a transport that speaks it copies them, and looks at none of them. @default they are written one by one */
  readonly content?: WrittenContent | undefined
}

/** Where a record lies in its topic. */
export interface RecordPosition {
  readonly partition: number
  readonly offset: bigint
}

/**
 * Records of one partition in offset order, as byte ranges of a buffer: nothing is made for a record until it is asked for.
 * What `keyAt`, `valueAt` and `headersAt` return are views, valid as long as they are held; they must not be written to.
 */
export interface RecordBatch {
  readonly topic: string
  readonly partition: number
  /** How many records there are; 0 when nothing came in time. */
  readonly length: number
  /** Bytes of the keys, values and headers. */
  readonly bytes: number
  /** What to commit when the whole batch is done: the offset after it. An empty batch has it too. */
  readonly nextOffset: bigint
  offsetAt(index: number): bigint
  /** Milliseconds since the epoch. */
  timestampAt(index: number): number
  keyAt(index: number): Uint8Array | null
  valueAt(index: number): Uint8Array | null
  /** Says in `place` where the value lies, for whoever reads many without a view of each; false when there is none. @default only views */
  locateValue?(index: number, place: ValuePlace): boolean
  /** Says in `place` where the whole of a record lies, for whoever sends it on. @default records don't lie in Kafka's format */
  locateRecord?(index: number, place: RecordPlace): void
  /** A name that was sent more than once has its last value. */
  headersAt(index: number): Readonly<Record<string, Uint8Array>>
  /** Says that nobody will look at the records any more, nor at a view of one. Saves the collector work. @default memory is left to the collector */
  release?(): void
}

/** How much one {@link PartitionReader.read} may bring, and how long it may wait for it. */
export interface ReadOptions {
  /** Bytes of keys, values and headers. The first record is given even if it alone is larger. @default none, required */
  maxBytes: number
  /** Records at most. @default none, required */
  maxRecords: number
  /** Milliseconds until an empty batch is the answer. 0 never waits. @default none, required */
  maxWaitMs: number
  /** Ends the wait; the read then rejects with `ERR_ABORTED`. @default undefined */
  signal?: AbortSignal | undefined
}

/** A group's progress in one partition. */
export interface CommittedOffset {
  /** The first offset that is not done. */
  readonly offset: bigint
  /** What the committer said besides; '' when nothing. */
  readonly metadata: string
}

/** How one commit is made. */
export interface CommitOptions extends TransportCallOptions {
  /** A text that is stored with the offset, as one: up to 4096 characters of ASCII. @default '' */
  metadata?: string | undefined
}

/** Which end {@link PartitionReader.bounds} tells. */
export interface BoundsOptions extends TransportCallOptions {
  /** Whether records of transactions that have not ended count as well. @default false */
  withOpen?: boolean | undefined
}

/**
 * Reads one partition, on demand: what isn't asked for stays with the broker, so backpressure needs no further word.
 * One `read` at a time.
 */
export interface PartitionReader {
  readonly topic: string
  /** Unique to this topic; one that was deleted and made again under the same name has another. */
  readonly topicId: string
  readonly partition: number
  /**
   * Aborts when the partition is revoked or the member leaves. From then on `read` rejects with `ERR_MESSAGING_REVOKED`, while
   * `commit` still works until the handler has returned or the transport's deadline for it has passed.
   */
  readonly signal: AbortSignal
  /** What the group has committed last; null when there is nothing (or no group). */
  committed(options?: TransportCallOptions): Promise<CommittedOffset | null>
  /** The next batch from the current position, which begins at the committed offset, else where `startFrom` says. */
  read(options: ReadOptions): Promise<RecordBatch>
  /** The next `read` begins here. An offset that is no longer (or not yet) there makes that `read` reject with `ERR_MESSAGING_OFFSET_OUT_OF_RANGE`. */
  seek(offset: bigint): void
  /** Stores the group's progress. Rejects with `ERR_MESSAGING_FENCED` when the partition belongs to another member by now. */
  commit(nextOffset: bigint, options?: CommitOptions): Promise<void>
  /**
   * The half-open range of offsets that can be read: [earliest, latest). With `withOpen`, `latest` is behind the records of transactions
   * that have not ended as well: once all of them have, every offset before it is read, or was taken back.
   */
  bounds(options?: BoundsOptions): Promise<{ earliest: bigint; latest: bigint }>
  /** Gives up a reader that {@link MessagingTransport.openPartition} made. A group's reader is closed by its membership. */
  close(): Promise<void>
}

/** Where a reader begins in a partition for which its group has no committed offset. */
export type StartFrom = 'earliest' | 'latest'

/** What a member of a group is. */
export interface JoinOptions {
  /** Group to join; its members share the partitions. @default none, required */
  groupId: string
  /** Topics to read, one at least; each must be there. @default none, required */
  topics: readonly string[]
  /** Where to begin in a partition for which the group has committed nothing. @default 'earliest' */
  startFrom?: StartFrom | undefined
  /**
   * Runs for each partition that the member gets, until `reader.signal` aborts; the transport then waits for it, within a deadline,
   * before the partition goes to another member. Returning early leaves the partition assigned and idle.
   * Rejecting before the signal has aborted ends the membership (see {@link GroupMembership.failed}); afterwards it is expected.
   * @default none, required
   */
  onPartition(reader: PartitionReader): Promise<void>
  /** Leaves the group when it aborts. @default undefined */
  signal?: AbortSignal | undefined
}

/** A membership in a consumer group, from `join` until `leave`. */
export interface GroupMembership {
  readonly groupId: string
  readonly memberId: string
  /**
   * Aborts, with the error as its reason, when the membership ended by itself: a handler rejected, the broker refuses the member or is gone.
   * A member of a Kafka group that was cut off or asleep for too long ends its readers, and joins again by itself.
   */
  readonly failed: AbortSignal
  /** Revokes all partitions, waits for their handlers within the deadline, then hands them over. Twice is a no-op. */
  leave(options?: TransportCallOptions): Promise<void>
}

/** What a topic is made with. */
export interface TopicSettings {
  /** How many partitions the topic gets: as many members of a group can read it at a time. @default none, required */
  partitions: number
  /** Brokers that have each partition; at most as many as there are. @default 1 */
  replication?: number | undefined
  /** Kafka's topic configuration: `retention.ms`, `retention.bytes` … @default {} */
  configs?: Readonly<Record<string, string>> | undefined
}

/** A topic as the broker has it. */
export interface TopicDescription {
  readonly name: string
  /** Unique; a topic that was deleted and made again has another. */
  readonly id: string
  readonly partitions: number
  readonly replication: number
  readonly configs: Readonly<Record<string, string>>
}

/** Makes, removes and describes topics. */
export interface TopicAdmin {
  /** Resolves true when it was made now, false when it was there (as it is, whatever the settings). */
  create(name: string, settings: TopicSettings, options?: TransportCallOptions): Promise<boolean>
  /** Resolves true when it was removed now, false when there was none. */
  delete(name: string, options?: TransportCallOptions): Promise<boolean>
  list(options?: TransportCallOptions): Promise<readonly string[]>
  describe(name: string, options?: TransportCallOptions): Promise<TopicDescription | null>
  /** How many brokers there are: replication can't be higher. */
  brokerCount(options?: TransportCallOptions): Promise<number>
}

/** How far a group is in one partition. */
export interface PartitionLag {
  readonly partition: number
  /** Null when the group has committed nothing here. */
  readonly committed: bigint | null
  /** What the committer said besides; '' when nothing. */
  readonly metadata?: string | undefined
  /** The offset that the next record will get. */
  readonly latest: bigint
  /**
   * Offsets from the first record that is not done to the end: 0 where nothing follows but the ends of transactions, and what they took back.
   * Behind a record, those count as well.
   */
  readonly lag: bigint
}

/** How a {@link TransactionalProducer} is opened. */
export interface TransactionalOptions extends TransportCallOptions {
  /**
   * How long a transaction may stay open, in milliseconds; then it is aborted, here and, should this process be dead or asleep, by the
   * broker. Readers see nothing behind the records of an open one: keep it short. @default 10_000
   */
  transactionTimeoutMs?: number | undefined
}

/**
 * Records of several topics and partitions that are seen all together, or not at all; with them, a group's progress in what they were made
 * from. What fails in between leaves nothing behind: a send that rejects, a deadline, a process that dies.
 */
export interface Transaction {
  /** Aborts when the transaction can't be committed any more, with the reason. What is then still sent with it is refused. */
  readonly signal: AbortSignal
  /**
   * Resolves when the broker has the records, unseen. A send that rejects for whatever reason dooms the transaction: what it was to hold
   * is not whole.
   */
  send(topic: string, records: readonly OutgoingRecord[], options?: TransportCallOptions): Promise<void>
  /**
   * Has the group's progress stored with the records, both or neither; the last word for each partition counts.
   *
   * @throws OperationError `ERR_MESSAGING_FENCED` when the partition belongs to another member by now; also `commit` rejects with it then
   */
  commitOffset(reader: PartitionReader, nextOffset: bigint, options?: { metadata?: string | undefined }): void
  /**
   * Waits for the sends, then makes all of it count. It is decided when this resolves; readers see it a moment later.
   *
   * Rejects with `ERR_MESSAGING_TRANSACTION_ABORTED` when nothing of it will ever be seen, `ERR_MESSAGING_FENCED` (nothing either) when a
   * partition whose progress it holds belongs to another member, `ERR_MESSAGING_PRODUCER_FENCED` (nothing either) when another producer has
   * the id. With `ERR_MESSAGING_TRANSACTION_UNKNOWN` no answer came: it is whole, or nothing. Call `commit` again to find out which.
   */
  commit(options?: TransportCallOptions): Promise<void>
  /** Takes everything back. Without an answer in time the broker does so later. After the commit it is refused; twice is a no-op. */
  abort(options?: TransportCallOptions): Promise<void>
}

/** Sends in transactions, one at a time, under an id that one producer has at a time. */
export interface TransactionalProducer {
  readonly transactionalId: string
  /**
   * The next transaction. The one before must have been committed or aborted; one whose commit got no answer is settled first.
   *
   * @throws OperationError `ERR_MESSAGING_PRODUCER_FENCED` when another producer has opened the id since; `ERR_MESSAGING_TRANSACTION_STATE`
   * when the one before is still open
   */
  begin(options?: TransportCallOptions): Promise<Transaction>
  /** Begins, does the work and commits; whatever the work rejects with aborts, and is passed on. */
  run<T>(work: (transaction: Transaction) => Promise<T>, options?: TransportCallOptions): Promise<T>
  /** Aborts what is open, and gives the id up. Twice is a no-op. */
  close(options?: TransportCallOptions): Promise<void>
}

/** A broker, as everything in this package sees it. Reading is pulled, so that a slow consumer slows nobody else. */
export interface MessagingTransport extends Lifecycle {
  /** The most bytes that a record's key and value may have together; `send` rejects larger ones with a `ValidationError`. */
  readonly maxRecordBytes: number
  /**
   * Resolves when every record is durable; the result names each record's position, in the order given.
   * When only some were stored, rejects with a `PartialSendError` that says which.
   */
  send(topic: string, records: readonly OutgoingRecord[], options?: TransportCallOptions): Promise<readonly RecordPosition[]>
  /**
   * Opens a producer of transactions. Whoever had the id before is refused from now on, and what it left open is aborted before this
   * resolves: the same id for the same piece of work (a partition, a job) keeps the sender of the past out.
   */
  transactional(transactionalId: string, options?: TransactionalOptions): Promise<TransactionalProducer>
  join(options: JoinOptions): Promise<GroupMembership>
  /** Reads a partition without a group: nothing is assigned, `commit` is refused. Begins at the earliest offset. */
  openPartition(topic: string, partition: number, options?: TransportCallOptions): Promise<PartitionReader>
  readonly topics: TopicAdmin
  groupLag(groupId: string, topic: string, options?: TransportCallOptions): Promise<readonly PartitionLag[]>
}
