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
  /** Where the answer says for how long the broker wants to be left alone. @default 'beginning' */
  readonly throttleAt?: 'beginning' | 'end'
  write(writer: WireWriter, input: Input, options: KafkaRequestOptions): void
  /** How many bytes the body will about have. @default a few hundred */
  sizeHint?(input: Input): number
  /** Reads all of the answer but for how long the broker wants to be left alone; the input says what was asked. */
  read(reader: WireReader, input: Input): Output
}

/** What a broker said. */
export interface KafkaAnswer<Output> {
  readonly output: Output
  /** For how long the broker wants to be sent nothing more over the connection, in milliseconds. */
  readonly throttleMs: number
}

/** Asks a broker. */
export async function callKafka<Input, Output>(
  connections: KafkaConnections,
  call: KafkaCall<Input, Output>,
  target: KafkaTarget,
  input: Input,
  options: KafkaRequestOptions,
): Promise<KafkaAnswer<Output>> {
  const writer = new WireWriter(call.sizeHint?.(input))
  call.write(writer, input, options)
  const { apiKey, apiVersion, flexible, lane } = call
  const answer = await connections.request(target, { ...options, apiKey, apiVersion, flexible, lane, body: writer.pieces() })
  return readAnswer(call, answer, input)
}

/** Reads an answer, all of it. */
export function readAnswer<Input, Output>(call: KafkaCall<Input, Output>, answer: Uint8Array, input: Input): KafkaAnswer<Output> {
  const reader = new WireReader(answer, `${call.name} v${call.apiVersion}`)
  const saidFirst = call.throttleAt === 'end' ? null : reader.int32()
  const output = call.read(reader, input)
  const throttleMs = saidFirst ?? reader.int32()
  reader.end()
  return { output, throttleMs }
}

/**
 * How long the broker itself may take over what it waits for. Less than the caller's deadline, so that the answer is the broker's
 * own and the connection needn't be given up.
 */
export function brokerTimeoutMs(options: KafkaRequestOptions): number {
  return Math.max(1, Math.floor(options.timeoutMs * 0.75))
}
