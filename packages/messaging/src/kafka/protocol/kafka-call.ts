import type { KafkaConnections, KafkaLane, KafkaRequestOptions, KafkaTarget } from '../kafka-api.ts'
import { WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

/** One of Kafka's requests, in the one version that is spoken: every broker from 3.1 to 4.3 has it. */
export interface KafkaCall<Input, Output> {
  /** As Kafka names it; for error messages. */
  readonly name: string
  readonly apiKey: number
  readonly apiVersion: number
  /** Whether this version has tagged fields. */
  readonly flexible: boolean
  readonly lane: KafkaLane
  write(writer: WireWriter, input: Input, options: KafkaRequestOptions): void
  /** How many bytes the body will about have. @default a few hundred */
  sizeHint?(input: Input): number
  /** Reads the answer up to its end; the input says what was asked. */
  read(reader: WireReader, input: Input): Output
}

/** Asks a broker. */
export async function callKafka<Input, Output>(
  connections: KafkaConnections,
  call: KafkaCall<Input, Output>,
  target: KafkaTarget,
  input: Input,
  options: KafkaRequestOptions,
): Promise<Output> {
  const writer = new WireWriter(call.sizeHint?.(input))
  call.write(writer, input, options)
  const { apiKey, apiVersion, flexible, lane } = call
  const answer = await connections.request(target, { ...options, apiKey, apiVersion, flexible, lane, body: writer.written() })
  return readAnswer(call, answer, input)
}

/** Reads an answer, all of it. */
export function readAnswer<Input, Output>(call: KafkaCall<Input, Output>, answer: Uint8Array, input: Input): Output {
  const reader = new WireReader(answer, `${call.name} v${call.apiVersion}`)
  const output = call.read(reader, input)
  reader.end()
  return output
}

/**
 * How long the broker itself may take over what it waits for. Less than the caller's deadline, so that the answer is the broker's
 * own and the connection needn't be given up.
 */
export function brokerTimeoutMs(options: KafkaRequestOptions): number {
  return Math.max(1, Math.floor(options.timeoutMs * 0.75))
}
