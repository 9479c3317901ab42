import type { FetchedPartition, FetchRequestPartition } from '../../kafka-api.ts'
import type { KafkaCall } from '../kafka-call.ts'
import type { WireReader } from '../wire-reader.ts'

/** What to fetch, and how long to wait for it. */
export interface FetchInput {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly partitions: readonly FetchRequestPartition[]
}

/** What a fetch brought. */
export interface FetchOutput {
  readonly errorCode: number
  readonly partitions: readonly FetchedPartition[]
}

const NOT_A_REPLICA = -1
const READ_COMMITTED = 1
const NO_SESSION = 0
const NEVER_BECOME_A_SESSION = -1
const UNKNOWN = -1

/** Version 13 names topics by id: one that was made again under the same name can't be mistaken for the first. */
export const fetchCall: KafkaCall<FetchInput, FetchOutput> = {
  name: 'Fetch',
  apiKey: 1,
  apiVersion: 13,
  flexible: true,
  lane: 'fetch',
  sizeHint: ({ partitions }) => 64 + partitions.length * 56,
  write(writer, { maxWaitMs, minBytes, maxBytes, partitions }) {
    writer.int32(NOT_A_REPLICA).int32(maxWaitMs).int32(minBytes).int32(maxBytes).int8(READ_COMMITTED).int32(NO_SESSION).int32(NEVER_BECOME_A_SESSION)
    writer.compactArray([...groupByTopic(partitions)], ([topicId, ofTopic]) => {
      writer.uuid(topicId)
      writer.compactArray(ofTopic, ({ partition, leaderEpoch, fetchOffset, maxBytes: partitionMaxBytes }) => {
        writer.int32(partition).int32(leaderEpoch).int64(fetchOffset).int32(UNKNOWN).int64(BigInt(UNKNOWN)).int32(partitionMaxBytes).tags()
      })
      writer.tags()
    })
    const rack = ''
    writer.compactArray([], () => {}).compactString(rack).tags()
  },
  read(reader) {
    const errorCode = reader.int16()
    reader.int32() // session
    const topics = reader.compactArray(() => {
      const topicId = reader.uuid()
      const partitions = reader.compactArray(() => readPartition(reader, topicId))
      reader.tags()
      return partitions
    })
    reader.tags()
    return { errorCode, partitions: topics.flat() }
  },
}

function groupByTopic(partitions: readonly FetchRequestPartition[]): Map<string, FetchRequestPartition[]> {
  const topics = new Map<string, FetchRequestPartition[]>()
  for (const partition of partitions) {
    const ofTopic = topics.get(partition.topicId)
    if (ofTopic === undefined) topics.set(partition.topicId, [partition])
    else ofTopic.push(partition)
  }
  return topics
}

function readPartition(reader: WireReader, topicId: string): FetchedPartition {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const highWatermark = reader.int64()
  const lastStableOffset = reader.int64()
  const logStartOffset = reader.int64()
  const abortedTransactions = reader.compactArray(() => {
    const aborted = { producerId: reader.int64(), firstOffset: reader.int64() }
    reader.tags()
    return aborted
  })
  reader.int32() // replica to read from instead
  const records = reader.compactNullableBytes()
  reader.tags()
  return { topicId, partition, errorCode, highWatermark, lastStableOffset, logStartOffset, abortedTransactions, records }
}
