import type { ProduceResult } from '../../kafka-api.ts'
import { brokerTimeoutMs, type KafkaCall } from '../kafka-call.ts'
import type { WireReader } from '../wire-reader.ts'

/** Records for one partition. */
export interface ProduceInput {
  readonly topic: string
  readonly partition: number
  readonly records: Uint8Array
  readonly transactionalId: string | null
}

/** Every replica that is in sync must have the records before the broker answers. */
const ACKS_ALL = -1

/** Stores records in one partition; answered when every replica that is in sync has them. */
export const produceCall: KafkaCall<ProduceInput, ProduceResult> = {
  name: 'Produce',
  apiKey: 0,
  apiVersion: 8,
  flexible: false,
  lane: 'produce',
  throttleAt: 'end',
  write(writer, { topic, partition, records, transactionalId }, options) {
    writer
      .nullableString(transactionalId)
      .int16(ACKS_ALL)
      .int32(brokerTimeoutMs(options))
      .array([topic], (name) => writer.string(name).array([partition], (index) => writer.int32(index).bytes(records)))
  },
  read(reader, { topic, partition }) {
    const answers = reader.array(() => {
      const name = reader.string()
      return reader.array(() => ({ name, ...readPartition(reader) }))
    })
    const found = answers.flat().find((answer) => answer.name === topic && answer.partition === partition)
    // A broker that doesn't name the partition hasn't said that it has the records.
    if (found === undefined) throw reader.malformed(`doesn't name partition ${partition} of "${topic}"`)
    const { errorCode, baseOffset, logAppendTimeMs, errorMessage } = found
    return { errorCode, baseOffset, logAppendTimeMs, errorMessage }
  },
}

function readPartition(reader: WireReader): ProduceResult & { readonly partition: number } {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const baseOffset = reader.int64()
  const logAppendTimeMs = reader.int64()
  reader.int64() // where the log begins
  const complaints = reader.array(() => {
    reader.int32() // which record
    return reader.nullableString()
  })
  const errorMessage = reader.nullableString() ?? complaints.find((complaint) => complaint !== null) ?? null
  return { partition, errorCode, baseOffset, logAppendTimeMs, errorMessage }
}
