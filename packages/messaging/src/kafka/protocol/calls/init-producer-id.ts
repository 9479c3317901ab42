import type { InitProducerIdRequest, ProducerIdentity } from '../../kafka-api.ts'
import type { KafkaCall } from '../kafka-call.ts'

/** A producer's number, by which the broker knows a batch that comes again; with a transactional id, the right to its transactions. */
export const initProducerIdCall: KafkaCall<InitProducerIdRequest, ProducerIdentity> = {
  name: 'InitProducerId',
  apiKey: 22,
  apiVersion: 4,
  flexible: true,
  lane: 'produce',
  write(writer, { transactionalId, transactionTimeoutMs, producerId, producerEpoch }) {
    writer.compactNullableString(transactionalId).int32(transactionTimeoutMs).int64(producerId).int16(producerEpoch).tags()
  },
  read(reader) {
    const identity = { errorCode: reader.int16(), producerId: reader.int64(), producerEpoch: reader.int16() }
    reader.tags()
    return identity
  },
}
