import type { KafkaCall } from '../kafka-call.ts'

/** Who writes, as the broker knows it. */
export interface ProducerIdentity {
  readonly errorCode: number
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** How long the broker lets a transaction stay open that nobody ends. */
const TRANSACTION_TIMEOUT_MS = 60_000

/** A producer's number, by which the broker knows a batch that comes again. */
export const initProducerIdCall: KafkaCall<string | null, ProducerIdentity> = {
  name: 'InitProducerId',
  apiKey: 22,
  apiVersion: 1,
  flexible: false,
  lane: 'produce',
  write(writer, transactionalId) {
    writer.nullableString(transactionalId).int32(TRANSACTION_TIMEOUT_MS)
  },
  read(reader) {
    reader.int32() // throttled for, in milliseconds
    return { errorCode: reader.int16(), producerId: reader.int64(), producerEpoch: reader.int16() }
  },
}
