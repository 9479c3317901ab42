import type { KafkaNode } from '../../kafka-api.ts'
import type { KafkaCall } from '../kafka-call.ts'

/** Whose coordinator is asked for. */
export interface FindCoordinatorInput {
  readonly key: string
  readonly kind: 'group' | 'transaction'
}

/** Which node keeps a group's members and progress, or a transaction's state. */
export const findCoordinatorCall: KafkaCall<FindCoordinatorInput, { readonly errorCode: number; readonly node: KafkaNode }> = {
  name: 'FindCoordinator',
  apiKey: 10,
  apiVersion: 2,
  flexible: false,
  lane: 'control',
  write(writer, { key, kind }) {
    writer.string(key).int8(kind === 'group' ? 0 : 1)
  },
  read(reader) {
    const errorCode = reader.int16()
    reader.nullableString() // error message
    return { errorCode, node: { nodeId: reader.int32(), host: reader.string(), port: reader.int32() } }
  },
}
