import { suffixedTopic } from './topic-name.ts'
import type { OutgoingRecord } from './transport.ts'

/** Names of the headers that a dead letter carries beside those it came with. */
export const DEAD_LETTER_HEADERS = {
  reasonCode: 'smartwhale-dlq-reason-code',
  reason: 'smartwhale-dlq-reason',
  topic: 'smartwhale-dlq-topic',
  partition: 'smartwhale-dlq-partition',
  offset: 'smartwhale-dlq-offset',
  timestamp: 'smartwhale-dlq-timestamp',
  /** The group whose handler gave it up; absent when nobody in particular did. */
  group: 'smartwhale-dlq-group',
  /** How many retry topics it had been through; absent when none. */
  retries: 'smartwhale-dlq-retries',
} as const

/** A record that could not be handled, as it was read. */
export interface FailedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: Readonly<Record<string, Uint8Array | string>>
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** Why it could not be handled. */
export interface DeadLetterReason {
  /** An error code, to group by. */
  readonly code: string
  /** A sentence for whoever looks at it. Cut after 1,000 characters. */
  readonly message: string
  /** The group whose handler gave it up. */
  readonly groupId?: string
  /** How many retry topics it had been through. */
  readonly retries?: number
}

const SUFFIX = '.dlq'
const MAX_REASON_LENGTH = 1_000

/** Where the dead letters of a topic go: `<topic>.dlq`. A name that this would make too long is cut, with a hash of the whole. */
export const deadLetterTopic = (topic: string): string => suffixedTopic(topic, SUFFIX)

/**
 * The record as it goes to the dead letters: key and value byte for byte as they were (null stays null), its own headers kept,
 * reason and origin added. One that had been a dead letter before has the newest reason and origin.
 */
export function deadLetterRecord(record: FailedRecord, reason: DeadLetterReason): OutgoingRecord {
  return {
    key: record.key,
    value: record.value,
    headers: {
      ...record.headers,
      [DEAD_LETTER_HEADERS.reasonCode]: reason.code.slice(0, MAX_REASON_LENGTH),
      [DEAD_LETTER_HEADERS.reason]: reason.message.slice(0, MAX_REASON_LENGTH),
      [DEAD_LETTER_HEADERS.topic]: record.topic,
      [DEAD_LETTER_HEADERS.partition]: String(record.partition),
      [DEAD_LETTER_HEADERS.offset]: String(record.offset),
      [DEAD_LETTER_HEADERS.timestamp]: String(record.timestamp),
      ...(reason.groupId !== undefined && { [DEAD_LETTER_HEADERS.group]: reason.groupId }),
      ...(reason.retries !== undefined && reason.retries > 0 && { [DEAD_LETTER_HEADERS.retries]: String(reason.retries) }),
    },
  }
}
