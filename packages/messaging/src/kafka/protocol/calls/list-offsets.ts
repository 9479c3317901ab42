import type { KafkaCall } from '../kafka-call.ts'

/** Which offset of which partition is asked for. */
export interface ListOffsetsInput {
  readonly topic: string
  readonly partition: number
  readonly timestamp: bigint
  readonly leaderEpoch: number
  /** Whether records of transactions that have not ended count. @default false */
  readonly withOpen?: boolean
}

const NOT_A_REPLICA = -1
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

/** The first or last committed offset of a partition, or the first at or after a time. */
export const listOffsetsCall: KafkaCall<ListOffsetsInput, { readonly errorCode: number; readonly offset: bigint }> = {
  name: 'ListOffsets',
  apiKey: 2,
  apiVersion: 5,
  flexible: false,
  lane: 'control',
  write(writer, { topic, partition, timestamp, leaderEpoch, withOpen = false }) {
    writer
      .int32(NOT_A_REPLICA)
      .int8(withOpen ? READ_UNCOMMITTED : READ_COMMITTED)
      .array([topic], (name) => writer.string(name).array([partition], (index) => writer.int32(index).int32(leaderEpoch).int64(timestamp)))
  },
  read(reader, { topic, partition }) {
    const answers = reader.array(() => {
      const name = reader.string()
      return reader.array(() => {
        const answer = { name, partition: reader.int32(), errorCode: reader.int16() }
        reader.int64() // timestamp
        const offset = reader.int64()
        reader.int32() // leader epoch
        return { ...answer, offset }
      })
    })
    const found = answers.flat().find((answer) => answer.name === topic && answer.partition === partition)
    if (found === undefined) throw reader.malformed(`doesn't name partition ${partition} of "${topic}"`)
    return { errorCode: found.errorCode, offset: found.offset }
  },
}
