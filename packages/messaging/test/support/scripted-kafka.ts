import type {
  ClusterMetadata,
  FetchedPartition,
  FetchRequestPartition,
  KafkaApi,
  KafkaConnections,
  KafkaNode,
  KafkaRequestOptions,
  ProduceResult,
} from '../../src/kafka/kafka-api.ts'
import { kafkaError } from '../../src/errors.ts'
import { orAborted } from '../../src/kafka/or-aborted.ts'
import { decodeRecords } from '../../src/kafka/protocol/records/decode-records.ts'
import { ownCopy } from '../../src/kafka/own-memory.ts'

/** What a scripted broker does with one produce request. */
export type ProduceStep =
  | 'store'
  /** Stores, and breaks the connection instead of answering. */
  | 'store and break'
  /** Breaks the connection before the request has left. */
  | 'break before'
  /** Never answers, and has stored nothing. */
  | 'hang'
  /** Never comes to send it: the connection takes for ever to stand. */
  | 'never leave'
  /** Refuses with this code of Kafka's, and stores nothing. */
  | number

/** What one produce request carried. */
export interface ProducedBatch {
  readonly partition: number
  readonly values: readonly string[]
  readonly producerId: bigint
  readonly sequence: number
}

interface StoredBatch extends ProducedBatch {
  readonly baseOffset: bigint
  readonly bytes: Uint8Array
}

const PRODUCER_ID_AT = 43
const SEQUENCE_AT = 53

/** A cluster in a few lines: topics, logs that store a numbered batch once, and a script of what goes wrong. */
export class ScriptedKafka {
  readonly nodes: KafkaNode[] = [
    { nodeId: 1, host: 'one', port: 9092 },
    { nodeId: 2, host: 'two', port: 9092 },
  ]
  topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
  /** Node id of each partition's leader. */
  leaders: number[]
  leaderEpoch = 1
  /** What happens to the next produce requests; afterwards all are stored. */
  readonly script: ProduceStep[] = []
  /** Refuses batches of more bytes, as max.message.bytes does. */
  maxBatchBytes = Infinity
  /** What every fetch of a partition is refused with; 0 for not. */
  fetchRefusal = 0
  /** Every produce request that left. */
  readonly produced: ProducedBatch[] = []
  /** Every fetch request: whom, over which channel, for which partitions. */
  readonly fetched: { readonly nodeId: number; readonly channel: string; readonly partitions: readonly number[] }[] = []
  readonly #logs: StoredBatch[][]
  #producers = 0n

  constructor(partitions = 1) {
    this.leaders = Array.from({ length: partitions }, () => 1)
    this.#logs = Array.from({ length: partitions }, () => [])
  }

  readonly connections: KafkaConnections = {
    seeds: [{ host: 'one', port: 9092 }],
    request: () => Promise.reject(kafkaError('ERR_MESSAGING_PROTOCOL', 'a scripted cluster is asked by its api')),
    close: () => Promise.resolve(),
  }

  get api(): KafkaApi {
    const missing = (): never => {
      throw kafkaError('ERR_MESSAGING_PROTOCOL', 'the script has no answer to this')
    }
    const none = {} as Record<keyof KafkaApi, () => never>
    return {
      ...(new Proxy(none, { get: () => missing }) as unknown as KafkaApi),
      metadata: async () => this.#metadata(),
      initProducerId: async () => ({ errorCode: 0, producerId: ++this.#producers, producerEpoch: 0 }),
      produce: (_, request, options) => this.#produce(request.partition, request.records, options),
      listOffsets: async (_, { partition, timestamp }) => ({ errorCode: 0, offset: timestamp === -2n ? 0n : this.#end(partition) }),
      fetch: (target, { partitions, maxWaitMs }, options) => this.#fetch((target as KafkaNode).nodeId, partitions, maxWaitMs, options),
    }
  }

  /** The values that are stored in a partition. */
  stored(partition = 0): string[] {
    return (this.#logs[partition] ?? []).flatMap(({ values }) => values)
  }

  #metadata(): ClusterMetadata {
    const partitions = this.leaders.map((leader, partition) => ({ partition, errorCode: 0, leader, leaderEpoch: this.leaderEpoch, replicas: [1, 2], inSync: [1, 2] }))
    return { clusterId: 'scripted', controllerId: 1, nodes: this.nodes, topics: [{ name: 't', id: this.topicId, errorCode: 0, isInternal: false, partitions }] }
  }

  async #produce(partition: number, bytes: Uint8Array, { signal, onSend }: KafkaRequestOptions): Promise<ProduceResult> {
    const step = this.script.shift() ?? 'store'
    const broken = kafkaError('ERR_MESSAGING_CONNECTION', 'the connection broke', { retryable: true })
    if (step === 'break before') throw broken
    if (step === 'never leave') return forever(signal)
    onSend?.()
    const batch = batchOf(partition, bytes)
    this.produced.push(batch)
    if (step === 'hang') return forever(signal)
    if (typeof step === 'number') return answer(step, -1n)
    if (bytes.length > this.maxBatchBytes) return answer(10, -1n)
    const stored = this.#store(partition, bytes, batch)
    if (step === 'store and break') throw broken
    return answer(0, stored)
  }

  /** As a broker does: the same producer's same number is the same batch. */
  #store(partition: number, bytes: Uint8Array, batch: ProducedBatch): bigint {
    const log = this.#logs[partition] as StoredBatch[]
    const same = log.find(({ producerId, sequence }) => producerId === batch.producerId && sequence === batch.sequence)
    if (same !== undefined) return same.baseOffset
    const baseOffset = this.#end(partition)
    const stamped = Buffer.from(bytes)
    stamped.writeBigInt64BE(baseOffset, 0)
    log.push({ ...batch, baseOffset, bytes: stamped })
    return baseOffset
  }

  #end(partition: number): bigint {
    const last = this.#logs[partition]?.at(-1)
    return last === undefined ? 0n : last.baseOffset + BigInt(last.values.length)
  }

  async #fetch(nodeId: number, partitions: readonly FetchRequestPartition[], maxWaitMs: number, { signal, channel = '' }: KafkaRequestOptions) {
    this.fetched.push({ nodeId, channel, partitions: partitions.map(({ partition }) => partition) })
    const giveUpAt = performance.now() + maxWaitMs
    for (;;) {
      const answers = partitions.map((asked) => this.#answer(nodeId, asked))
      const hasNews = answers.some(({ errorCode, records }) => errorCode !== 0 || records.length > 0)
      if (hasNews || performance.now() >= giveUpAt) return { errorCode: 0, partitions: answers }
      await orAborted(new Promise((resolve) => setTimeout(resolve, 2)), signal ?? new AbortController().signal, 'a scripted fetch')
    }
  }

  #answer(nodeId: number, { topicId, partition, fetchOffset }: FetchRequestPartition): FetchedPartition {
    const end = this.#end(partition)
    const said = (errorCode: number, records: Uint8Array = new Uint8Array()): FetchedPartition => ({
      topicId,
      partition,
      errorCode,
      records,
      highWatermark: end,
      lastStableOffset: end,
      logStartOffset: 0n,
      abortedTransactions: [],
    })
    if (this.fetchRefusal !== 0) return said(this.fetchRefusal)
    if (topicId !== this.topicId) return said(100)
    if (this.leaders[partition] !== nodeId) return said(6)
    if (fetchOffset > end) return said(1)
    const wanted = (this.#logs[partition] ?? []).filter(({ baseOffset, values }) => baseOffset + BigInt(values.length) > fetchOffset)
    return said(0, ownCopy(Buffer.concat(wanted.map(({ bytes }) => bytes))))
  }
}

const answer = (errorCode: number, baseOffset: bigint): ProduceResult => ({ errorCode, baseOffset, logAppendTimeMs: -1n, errorMessage: null })

function forever(signal: AbortSignal | undefined): Promise<never> {
  return orAborted(new Promise<never>(() => {}), signal ?? new AbortController().signal, 'a scripted request')
}

function batchOf(partition: number, bytes: Uint8Array): ProducedBatch {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fetched = { topic: 't', topicId: '', partition, errorCode: 0, highWatermark: 0n, lastStableOffset: 1n << 60n, logStartOffset: 0n, abortedTransactions: [], records: buffer, fetchOffset: 0n }
  const records = decodeRecords(fetched)
  const values = Array.from({ length: records.length }, (_, index) => Buffer.from(records.valueAt(index) ?? []).toString())
  return { partition, values, producerId: buffer.readBigInt64BE(PRODUCER_ID_AT), sequence: buffer.readInt32BE(SEQUENCE_AT) }
}
