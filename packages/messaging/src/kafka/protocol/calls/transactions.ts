import type { GroupRight, PartitionError, ProgressInTransaction, TopicPartition, TransactionRight } from '../../kafka-api.ts'
import type { KafkaCall } from '../kafka-call.ts'
import type { WireReader } from '../wire-reader.ts'
import type { WireWriter } from '../wire-writer.ts'

/** Partitions that a transaction is about to write to. */
export interface AddPartitionsInput extends TransactionRight {
  readonly partitions: readonly TopicPartition[]
}

/** The group whose progress a transaction is about to store. */
export interface AddOffsetsInput extends TransactionRight {
  readonly groupId: string
}

/** How a transaction ends. */
export interface EndTransactionInput extends TransactionRight {
  readonly committed: boolean
}

/** A group's progress, as part of a transaction. */
export interface TransactionOffsetsInput extends TransactionRight, GroupRight {
  readonly offsets: readonly ProgressInTransaction[]
}

type Answer = { readonly errorCode: number }

const writeRight = (writer: WireWriter, { transactionalId, producerId, producerEpoch }: TransactionRight): WireWriter =>
  writer.string(transactionalId).int64(producerId).int16(producerEpoch)

function readAnswer(reader: WireReader): Answer {
  return { errorCode: reader.int16() }
}

function byTopic<T extends TopicPartition>(partitions: readonly T[]): (readonly [string, readonly T[]])[] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)]
}

/** Tells the coordinator where a transaction writes, so that it knows where its end has to be told. */
export const addPartitionsToTransactionCall: KafkaCall<AddPartitionsInput, readonly PartitionError[]> = {
  name: 'AddPartitionsToTxn',
  apiKey: 24,
  apiVersion: 2,
  flexible: false,
  lane: 'produce',
  write(writer, input) {
    writeRight(writer, input).array(byTopic(input.partitions), ([topic, partitions]) => writer.string(topic).array(partitions, ({ partition }) => writer.int32(partition)))
  },
  read(reader) {
    return reader
      .array(() => {
        const topic = reader.string()
        return reader.array(() => ({ topic, partition: reader.int32(), errorCode: reader.int16() }))
      })
      .flat()
  },
}

/** Tells the coordinator of which group a transaction stores progress. */
export const addOffsetsToTransactionCall: KafkaCall<AddOffsetsInput, Answer> = {
  name: 'AddOffsetsToTxn',
  apiKey: 25,
  apiVersion: 2,
  flexible: false,
  lane: 'produce',
  write(writer, input) {
    writeRight(writer, input).string(input.groupId)
  },
  read: readAnswer,
}

/** Decides how a transaction ends. */
export const endTransactionCall: KafkaCall<EndTransactionInput, Answer> = {
  name: 'EndTxn',
  apiKey: 26,
  apiVersion: 2,
  flexible: false,
  lane: 'produce',
  write(writer, input) {
    writeRight(writer, input).boolean(input.committed)
  },
  read: readAnswer,
}

/** Version 3 names the member: who lost its partitions is refused. */
export const transactionOffsetCommitCall: KafkaCall<TransactionOffsetsInput, readonly PartitionError[]> = {
  name: 'TxnOffsetCommit',
  apiKey: 28,
  apiVersion: 3,
  flexible: true,
  lane: 'group',
  write(writer, { transactionalId, groupId, producerId, producerEpoch, generation, memberId, offsets }) {
    const staticId = null
    const leaderEpoch = -1
    writer.compactString(transactionalId).compactString(groupId).int64(producerId).int16(producerEpoch).int32(generation).compactString(memberId).compactNullableString(staticId)
    writer.compactArray(byTopic(offsets), ([topic, partitions]) => {
      writer.compactString(topic)
      writer.compactArray(partitions, ({ partition, offset, metadata }) => writer.int32(partition).int64(offset).int32(leaderEpoch).compactNullableString(metadata).tags())
      writer.tags()
    })
    writer.tags()
  },
  read(reader) {
    const topics = reader.compactArray(() => {
      const topic = reader.compactString()
      const partitions = reader.compactArray(() => {
        const answer = { topic, partition: reader.int32(), errorCode: reader.int16() }
        reader.tags()
        return answer
      })
      reader.tags()
      return partitions
    })
    reader.tags()
    return topics.flat()
  },
}
