import { WireReader } from '../protocol/wire-reader.ts'
import { WireWriter } from '../protocol/wire-writer.ts'

/** The embedded protocol of consumers; its bytes are those of Kafka's own clients, so that any tool can describe the group. */
export const CONSUMER_PROTOCOL = 'cooperative-sticky'

/** Partitions by topic. */
export type TopicPartitions = ReadonlyMap<string, readonly number[]>

/** What a member tells the one that assigns. */
export interface Subscription {
  readonly topics: readonly string[]
  readonly owned: TopicPartitions
  /** In which generation it got what it owns; -1 when it owns nothing, or doesn't say. */
  readonly generation: number
}

const SUBSCRIPTION_VERSION = 2
const ASSIGNMENT_VERSION = 0
const NO_BYTES = -1
/** Versions that tell what a member owns, and since when. */
const WITH_OWNED = 1
const WITH_GENERATION = 2

/** Writes a subscription. */
export function encodeSubscription({ topics, owned, generation }: Subscription): Uint8Array {
  const writer = new WireWriter()
  writer.int16(SUBSCRIPTION_VERSION)
  writer.array(topics, (topic) => writer.string(topic))
  writer.int32(NO_BYTES)
  writePartitions(writer, owned)
  writer.int32(generation)
  return writer.written()
}

/**
 * Reads a subscription of this or another client, older and newer ones included.
 *
 * @throws OperationError `ERR_MESSAGING_PROTOCOL` when it is none
 */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const reader = new WireReader(bytes, 'a join, for a member of the group,')
  const version = reader.int16()
  const topics = reader.array(() => reader.string())
  const userData = nullableBytes(reader)
  const owned = version >= WITH_OWNED ? readPartitions(reader) : new Map<string, number[]>()
  if (version >= WITH_GENERATION) return { topics, owned, generation: reader.int32() }
  return { topics, owned, generation: generationOf(userData) }
}

/** Java clients before 3.5 say in bytes of their own since when they own what they own. */
function generationOf(userData: Uint8Array): number {
  return userData.length === 4 ? new WireReader(userData, 'a join').int32() : -1
}

/** Writes what a member gets. */
export function encodeAssignment(assigned: TopicPartitions): Uint8Array {
  const writer = new WireWriter()
  writer.int16(ASSIGNMENT_VERSION)
  writePartitions(writer, assigned)
  writer.int32(NO_BYTES)
  return writer.written()
}

/** Reads what this member got; no bytes at all are nothing. */
export function decodeAssignment(bytes: Uint8Array): TopicPartitions {
  if (bytes.length === 0) return new Map()
  const reader = new WireReader(bytes, 'a sync of the group')
  reader.int16()
  return readPartitions(reader)
}

function writePartitions(writer: WireWriter, partitions: TopicPartitions): void {
  writer.array([...partitions], ([topic, numbers]) => {
    writer.string(topic)
    writer.array(numbers, (partition) => writer.int32(partition))
  })
}

function readPartitions(reader: WireReader): Map<string, number[]> {
  return new Map(reader.array(() => [reader.string(), reader.array(() => reader.int32())] as const))
}

function nullableBytes(reader: WireReader): Uint8Array {
  return Uint8Array.from(reader.array(() => reader.int8()))
}
