import type { GroupRight, StoredOffset } from '../../kafka-api.ts'
import type { KafkaCall } from '../kafka-call.ts'
import type { WireReader } from '../wire-reader.ts'

/** One partition's progress. */
export interface OffsetCommitInput extends GroupRight {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly leaderEpoch: number
  readonly metadata: string
}

/** Whose progress is asked for. */
export interface OffsetFetchInput {
  readonly groupId: string
  readonly topic: string
  readonly partitions: readonly number[]
  /** Refuses a partition whose progress is part of a transaction that has not ended. */
  readonly requireStable: boolean
}

/** Stores a group's progress in one partition, if the member still has the right to. */
export const offsetCommitCall: KafkaCall<OffsetCommitInput, { readonly errorCode: number }> = {
  name: 'OffsetCommit',
  apiKey: 8,
  apiVersion: 7,
  flexible: false,
  lane: 'group',
  write(writer, { groupId, generation, memberId, topic, partition, offset, leaderEpoch, metadata }) {
    const staticId = null
    writer
      .string(groupId)
      .int32(generation)
      .string(memberId)
      .nullableString(staticId)
      .array([topic], (name) =>
        writer.string(name).array([partition], (index) => writer.int32(index).int64(offset).int32(leaderEpoch).nullableString(metadata)),
      )
  },
  read(reader, { topic, partition }) {
    const answers = reader.array(() => {
      const name = reader.string()
      return reader.array(() => ({ name, partition: reader.int32(), errorCode: reader.int16() }))
    })
    const found = answers.flat().find((answer) => answer.name === topic && answer.partition === partition)
    if (found === undefined) throw reader.malformed(`doesn't name partition ${partition} of "${topic}"`)
    return { errorCode: found.errorCode }
  },
}

/** What a group has stored; with offset -1 for a partition where it is nothing. */
export const offsetFetchCall: KafkaCall<OffsetFetchInput, { readonly errorCode: number; readonly offsets: readonly StoredOffset[] }> = {
  name: 'OffsetFetch',
  apiKey: 9,
  apiVersion: 7,
  flexible: true,
  lane: 'group',
  write(writer, { groupId, topic, partitions, requireStable }) {
    writer.compactString(groupId).compactArray([topic], (name) => {
      writer.compactString(name).compactArray(partitions, (partition) => writer.int32(partition)).tags()
    })
    writer.boolean(requireStable).tags()
  },
  read(reader) {
    const topics = reader.compactArray(() => {
      const topic = reader.compactString()
      const partitions = reader.compactArray(() => readStored(reader, topic))
      reader.tags()
      return partitions
    })
    const errorCode = reader.int16()
    reader.tags()
    return { errorCode, offsets: topics.flat() }
  },
}

function readStored(reader: WireReader, topic: string): StoredOffset {
  const partition = reader.int32()
  const offset = reader.int64()
  reader.int32() // leader epoch
  const stored = { topic, partition, offset, metadata: reader.compactNullableString(), errorCode: reader.int16() }
  reader.tags()
  return stored
}
