import { callLeader } from './call-leader.ts'
import type { KafkaClient } from './kafka-client.ts'

/** Which partition is asked about, and how long. */
export interface OffsetQuestion {
  readonly topic: string
  /** When given, the answer is of the topic with this id, and not of another one under its name. @default whichever has the name */
  readonly topicId?: string | undefined
  readonly partition: number
  /** Whether records of transactions that have not ended count for the latest offset. @default false */
  readonly withOpen?: boolean | undefined
  readonly signal: AbortSignal
}

const EARLIEST = -2n
const LATEST = -1n

/** The half-open range of offsets that a partition has: [earliest, latest). */
export async function offsetBounds(client: KafkaClient, question: OffsetQuestion): Promise<{ earliest: bigint; latest: bigint }> {
  const [earliest, latest] = await Promise.all([earliestOffset(client, question), latestOffset(client, question)])
  return { earliest, latest }
}

/** The first offset that is still there. */
export const earliestOffset = (client: KafkaClient, question: OffsetQuestion): Promise<bigint> => offsetAt(client, question, EARLIEST)

/** Behind everything that is committed; with `withOpen`, the offset that the next record will get. */
export const latestOffset = (client: KafkaClient, question: OffsetQuestion): Promise<bigint> => offsetAt(client, question, LATEST)

async function offsetAt(client: KafkaClient, question: OffsetQuestion, timestamp: bigint): Promise<bigint> {
  const { topic, partition, withOpen = false } = question
  const { offset } = await callLeader(client, {
    ...question,
    what: `asking for the bounds of partition ${partition} of topic "${topic}"`,
    call: (target, leaderEpoch, signal) =>
      client.api.listOffsets(target, { topic, partition, timestamp, leaderEpoch, withOpen }, { signal, timeoutMs: client.settings.requestTimeoutMs }),
  })
  return offset
}
