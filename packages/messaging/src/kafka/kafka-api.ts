import type { TopicMetadata } from './topic-metadata.ts'

/** A broker's address, as the cluster tells it. */
export interface KafkaNode {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

/**
 * Which connection to a broker a request goes over. A broker answers the requests of one connection in their order, so a
 * fetch that waits for records would hold up everything behind it: each kind of work has a connection of its own.
 */
export type KafkaLane = 'control' | 'produce' | 'fetch' | 'group'

/** How one request ends early. */
export interface KafkaRequestOptions {
  /** Ends the wait, with `ERR_ABORTED`; the broker may still carry the request out. @default undefined */
  readonly signal?: AbortSignal | undefined
  /** How long the answer may take, in milliseconds; the connection is given up then. @default none, required */
  readonly timeoutMs: number
  /**
   * Requests of one lane that name different channels go over different connections: a join or a fetch that waits at the broker
   * would hold up the heartbeat of another group, or another reader. Name a group's member, or a reader. @default ''
   */
  readonly channel?: string | undefined
  /** Called when the request's bytes leave; until then it surely isn't carried out, and when its signal aborts before, it never leaves. @default undefined */
  readonly onSend?: (() => void) | undefined
}

/** One request as bytes: what stands between the request header and the end. */
export interface KafkaRequest extends KafkaRequestOptions {
  readonly apiKey: number
  readonly apiVersion: number
  /** Whether this version has tagged fields: its headers then have them as well. @default none, required */
  readonly flexible: boolean
  readonly lane: KafkaLane
  /**
   * In pieces, in order: the records of a batch are a piece of their own, so that the writer has no need to copy them. Whoever sends copies what it
   * hands to a socket: once any attempt was answered the memory is used again, and an earlier one may still stand half sent.
   */
  readonly body: readonly Uint8Array[]
}

/**
 * Connections to brokers, with TLS, authentication, framing and correlation: what a Kafka client library is asked for.
 * Everything that decides whether a message is lost or doubled lies on this side of it.
 */
export interface KafkaConnections {
  /** Addresses to begin with, until the cluster has told its own. */
  readonly seeds: readonly { readonly host: string; readonly port: number }[]
  /**
   * Resolves with the answer's body, behind the response header. Rejects with a retryable `OperationError`
   * `ERR_MESSAGING_CONNECTION` when the broker can't be reached or the connection broke (the request may have been carried
   * out), `ERR_MESSAGING_TIMEOUT` when no answer came in time, and a `ConfigurationError` `ERR_MESSAGING_AUTHENTICATION` when the
   * broker refuses the credentials or its certificate is not trusted. Calls `onSend` before anything of the request can arrive.
   */
  request(node: { readonly host: string; readonly port: number }, request: KafkaRequest): Promise<Uint8Array>
  /** Closes the connections of a channel, and of those whose names go on from it behind a hyphen: nobody will ask over them any more. @default they are left to grow idle */
  closeChannel?(channel: string): void
  /** Closes every connection; requests under way are rejected. Twice is a no-op. */
  close(): Promise<void>
}

/** What the cluster looks like. */
export interface ClusterMetadata {
  readonly clusterId: string | null
  readonly controllerId: number
  readonly nodes: readonly KafkaNode[]
  readonly topics: readonly TopicMetadata[]
}

/** Where a request of the typed API goes. */
export type KafkaTarget = { readonly host: string; readonly port: number }

/** One partition's answer to a produce request. */
export interface ProduceResult {
  readonly errorCode: number
  readonly baseOffset: bigint
  /** -1 unless the broker stamps records itself. */
  readonly logAppendTimeMs: bigint
  readonly errorMessage: string | null
}

/** One partition to fetch. */
export interface FetchRequestPartition {
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly fetchOffset: bigint
  readonly maxBytes: number
}

/** One partition's answer to a fetch. */
export interface FetchedPartition {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly logStartOffset: bigint
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
  /** Record batches, as they lie in the log; the last one may be cut off. */
  readonly records: Uint8Array
}

/** What a join brought. */
export interface JoinGroupResult {
  readonly errorCode: number
  readonly generation: number
  readonly protocol: string | null
  readonly leader: string
  readonly memberId: string
  /** Empty unless this member is the leader. */
  readonly members: readonly { readonly memberId: string; readonly metadata: Uint8Array }[]
}

/** A group's stored progress in one partition; offset -1 when it has none. */
export interface StoredOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly metadata: string | null
  readonly errorCode: number
}

/** The right of one member in one generation of a group. */
export interface GroupRight {
  readonly groupId: string
  readonly generation: number
  readonly memberId: string
}

/** Who writes, as the broker knows it. */
export interface ProducerIdentity {
  readonly errorCode: number
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** What a producer's number is asked for with. */
export interface InitProducerIdRequest {
  /** Null for a producer without transactions. @default none, required */
  readonly transactionalId: string | null
  /** How long the broker lets a transaction stay open that nobody ends, in milliseconds. @default none, required */
  readonly transactionTimeoutMs: number
  /** Who asks for its next epoch; -1 for whoever takes the transactional id over. */
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** By which right a transaction is spoken of. */
export interface TransactionRight {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** One partition's answer. */
export interface PartitionError extends TopicPartition {
  readonly errorCode: number
}

/** A group's progress in one partition that counts with a transaction. */
export interface ProgressInTransaction extends TopicPartition {
  readonly offset: bigint
  readonly metadata: string
}

/**
 * Kafka's requests as typed calls, over any {@link KafkaConnections}. Error codes are handed over as the broker gave them:
 * whoever calls knows which of them it can mend. A malformed answer is an `OperationError` `ERR_MESSAGING_PROTOCOL`.
 */
export interface KafkaApi {
  /** `topics` null asks for all; an unknown one is in the answer with its error code, and is not made. */
  metadata(target: KafkaTarget, topics: readonly string[] | null, options: KafkaRequestOptions): Promise<ClusterMetadata>
  /** One partition a request, always with acks=all: an answer that names several would have to be checked for each. */
  produce(
    target: KafkaTarget,
    request: { readonly topic: string; readonly partition: number; readonly records: Uint8Array; readonly transactionalId: string | null },
    options: KafkaRequestOptions,
  ): Promise<ProduceResult>
  /** Takes a transactional id over, and with it ends what its producer left open; or asks for the next epoch of one's own. */
  initProducerId(target: KafkaTarget, request: InitProducerIdRequest, options: KafkaRequestOptions): Promise<ProducerIdentity>
  addPartitionsToTransaction(target: KafkaTarget, request: TransactionRight & { readonly partitions: readonly TopicPartition[] }, options: KafkaRequestOptions): Promise<readonly PartitionError[]>
  addOffsetsToTransaction(target: KafkaTarget, request: TransactionRight & { readonly groupId: string }, options: KafkaRequestOptions): Promise<{ readonly errorCode: number }>
  transactionOffsetCommit(target: KafkaTarget, request: TransactionRight & GroupRight & { readonly offsets: readonly ProgressInTransaction[] }, options: KafkaRequestOptions): Promise<readonly PartitionError[]>
  endTransaction(target: KafkaTarget, request: TransactionRight & { readonly committed: boolean }, options: KafkaRequestOptions): Promise<{ readonly errorCode: number }>
  /** Reads committed records only. Waits at the broker until `minBytes` are there or `maxWaitMs` is over. */
  fetch(
    target: KafkaTarget,
    request: { readonly maxWaitMs: number; readonly minBytes: number; readonly maxBytes: number; readonly partitions: readonly FetchRequestPartition[] },
    options: KafkaRequestOptions,
  ): Promise<{ readonly errorCode: number; readonly partitions: readonly FetchedPartition[] }>
  /** `timestamp` -1 asks for the end (of what is committed, or with `withOpen` of everything), -2 for the beginning, others for the first record at or after that time. */
  listOffsets(
    target: KafkaTarget,
    request: { readonly topic: string; readonly partition: number; readonly timestamp: bigint; readonly leaderEpoch: number; readonly withOpen?: boolean },
    options: KafkaRequestOptions,
  ): Promise<{ readonly errorCode: number; readonly offset: bigint }>
  findCoordinator(target: KafkaTarget, key: string, kind: 'group' | 'transaction', options: KafkaRequestOptions): Promise<{ readonly errorCode: number; readonly node: KafkaNode }>
  joinGroup(
    target: KafkaTarget,
    request: {
      readonly groupId: string
      readonly memberId: string
      readonly sessionTimeoutMs: number
      readonly rebalanceTimeoutMs: number
      readonly protocols: readonly { readonly name: string; readonly metadata: Uint8Array }[]
    },
    options: KafkaRequestOptions,
  ): Promise<JoinGroupResult>
  syncGroup(
    target: KafkaTarget,
    request: GroupRight & { readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[] },
    options: KafkaRequestOptions,
  ): Promise<{ readonly errorCode: number; readonly assignment: Uint8Array }>
  heartbeat(target: KafkaTarget, right: GroupRight, options: KafkaRequestOptions): Promise<{ readonly errorCode: number }>
  leaveGroup(target: KafkaTarget, right: Pick<GroupRight, 'groupId' | 'memberId'>, options: KafkaRequestOptions): Promise<{ readonly errorCode: number }>
  offsetCommit(
    target: KafkaTarget,
    request: GroupRight & { readonly topic: string; readonly partition: number; readonly offset: bigint; readonly leaderEpoch: number; readonly metadata: string },
    options: KafkaRequestOptions,
  ): Promise<{ readonly errorCode: number }>
  /**
   * A partition for which the group has stored nothing is in the answer with offset -1. `requireStable` has one refused whose progress is part of
   * a transaction that has not ended.
   */
  offsetFetch(
    target: KafkaTarget,
    request: { readonly groupId: string; readonly topic: string; readonly partitions: readonly number[]; readonly requireStable: boolean },
    options: KafkaRequestOptions,
  ): Promise<{ readonly errorCode: number; readonly offsets: readonly StoredOffset[] }>
  createTopic(
    target: KafkaTarget,
    request: { readonly topic: string; readonly partitions: number; readonly replication: number; readonly configs: Readonly<Record<string, string>> },
    options: KafkaRequestOptions,
  ): Promise<{ readonly errorCode: number; readonly errorMessage: string | null }>
  deleteTopic(target: KafkaTarget, topic: string, options: KafkaRequestOptions): Promise<{ readonly errorCode: number }>
  /** The topic's configuration, defaults included; null values are left out. */
  describeTopicConfig(target: KafkaTarget, topic: string, options: KafkaRequestOptions): Promise<{ readonly errorCode: number; readonly configs: Readonly<Record<string, string>> }>
}
