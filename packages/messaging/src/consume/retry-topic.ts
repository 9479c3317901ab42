import type { Clock } from '@smart-whale/interfaces'
import type { DeadLetterReason, FailedRecord } from '../dead-letter.ts'
import { kindOf, optionError } from '../errors.ts'
import { suffixedTopic } from '../topic-name.ts'
import type { OutgoingRecord } from '../transport.ts'
import type { ReadRecord } from './read-record.ts'

/** Names of the headers that a message carries while it waits in a retry topic, beside those it came with. */
export const RETRY_HEADERS = {
  /** How many retry topics it has been sent to; the first is 1. */
  attempt: 'smartwhale-retry-attempt',
  /** When it is to be handled again, in milliseconds since the epoch. */
  due: 'smartwhale-retry-due',
  /** The group whose handler failed: the only one that it is for. */
  group: 'smartwhale-retry-group',
  topic: 'smartwhale-retry-topic',
  partition: 'smartwhale-retry-partition',
  offset: 'smartwhale-retry-offset',
  timestamp: 'smartwhale-retry-timestamp',
  reasonCode: 'smartwhale-retry-reason-code',
  reason: 'smartwhale-retry-reason',
} as const

/** How messages whose handler failed are handled again later, without holding up those behind them. */
export interface RetryTopicsOptions {
  /** How long a message waits before it is handled again, in milliseconds: one retry topic for each wait. Wins over the other options. @default none: computed */
  delaysMs?: readonly number[] | undefined
  /** How many retry topics there are, 1 to 20. @default 3 */
  attempts?: number | undefined
  /** How long the first wait is, in milliseconds. @default 1_000 */
  baseDelayMs?: number | undefined
  /** How many times as long as the one before each further wait is, 1 to 100. @default 10 */
  factor?: number | undefined
  /** The longest wait, in milliseconds. @default 600_000 */
  maxDelayMs?: number | undefined
}

const MAX_ATTEMPTS = 20
const MAX_DELAY_MS = 7 * 24 * 3_600_000
const MAX_REASON_LENGTH = 1_000
const OWN_HEADERS = new Set<string>(Object.values(RETRY_HEADERS))

/** The topic in which messages wait for their nth retry: `<topic>.retry.<n>`. A name that this would make too long is cut, with a hash of the whole. */
export const retryTopic = (topic: string, attempt: number): string => suffixedTopic(topic, `.retry.${attempt}`)

/** How long each retry topic's messages wait, in milliseconds. */
export function retryDelays(options: RetryTopicsOptions): readonly number[] {
  const { delaysMs, attempts = 3, baseDelayMs = 1_000, factor = 10, maxDelayMs = 600_000 } = options
  if (delaysMs !== undefined) {
    if (!Array.isArray(delaysMs) || delaysMs.length < 1 || delaysMs.length > MAX_ATTEMPTS) throw optionError('retryTopics.delaysMs', delaysMs, `a list of 1 to ${MAX_ATTEMPTS} waits`)
    return delaysMs.map((delay, index) => checkedNumber(`delaysMs[${index}]`, delay, 0, MAX_DELAY_MS))
  }
  checkedNumber('factor', factor, 1, 100)
  checkedNumber('baseDelayMs', baseDelayMs, 0, MAX_DELAY_MS)
  checkedNumber('maxDelayMs', maxDelayMs, 0, MAX_DELAY_MS)
  if (!Number.isInteger(attempts)) throw optionError('retryTopics.attempts', attempts, 'a whole number')
  return Array.from({ length: checkedNumber('attempts', attempts, 1, MAX_ATTEMPTS) }, (_, index) => Math.min(maxDelayMs, baseDelayMs * factor ** index))
}

/** A message as its topic had it, and how often it was retried since. */
export interface RetriedRecord {
  /** Where it came from, with the headers that it came with. */
  readonly origin: FailedRecord & { readonly headers: Readonly<Record<string, Uint8Array>> }
  /** 0 in its own topic. */
  readonly attempt: number
  /** The group that it is for; undefined when it is for every one. */
  readonly groupId: string | undefined
  /** Milliseconds since the epoch; undefined when it is due already. */
  readonly dueAtMs: number | undefined
}

/**
 * What a record of a retry topic says of itself. One that somebody else put there, without these headers, is due now and its own origin.
 *
 * @param topic the topic that the retry topic belongs to; never read from the record, which anybody may have written
 */
export function readRetried(record: ReadRecord, topic: string, attempt: number): RetriedRecord {
  const number = (name: string): number | undefined => {
    const text = textOf(record.headers[name])
    return text !== undefined && /^\d{1,19}$/.test(text) ? Number(text) : undefined
  }
  const offset = textOf(record.headers[RETRY_HEADERS.offset])
  const headers = Object.fromEntries(Object.entries(record.headers).filter(([name]) => !OWN_HEADERS.has(name)))
  const origin = {
    topic,
    partition: number(RETRY_HEADERS.partition) ?? record.partition,
    offset: offset !== undefined && /^\d{1,19}$/.test(offset) ? BigInt(offset) : record.offset,
    timestamp: number(RETRY_HEADERS.timestamp) ?? record.timestamp,
    key: record.key,
    value: record.value,
    headers,
  }
  return { origin, attempt, groupId: textOf(record.headers[RETRY_HEADERS.group]), dueAtMs: number(RETRY_HEADERS.due) }
}

/** The message as it goes to its next retry topic: key and value byte for byte, its own headers kept, the retry's added. */
export function retryRecord(retried: RetriedRecord, next: { groupId: string; delayMs: number; clock: Clock; reason: DeadLetterReason }): OutgoingRecord {
  const { origin, attempt } = retried
  const { groupId, delayMs, clock, reason } = next
  return {
    key: origin.key,
    value: origin.value,
    headers: {
      ...origin.headers,
      [RETRY_HEADERS.attempt]: String(attempt + 1),
      [RETRY_HEADERS.due]: String(Math.ceil(clock.now() + delayMs)),
      [RETRY_HEADERS.group]: groupId,
      [RETRY_HEADERS.topic]: origin.topic,
      [RETRY_HEADERS.partition]: String(origin.partition),
      [RETRY_HEADERS.offset]: String(origin.offset),
      [RETRY_HEADERS.timestamp]: String(origin.timestamp),
      [RETRY_HEADERS.reasonCode]: reason.code.slice(0, MAX_REASON_LENGTH),
      [RETRY_HEADERS.reason]: reason.message.slice(0, MAX_REASON_LENGTH),
    },
  }
}

const textOf = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8'))

function checkedNumber(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value
  throw optionError(`retryTopics.${name}`, value, `a number from ${least} to ${most}, not ${kindOf(value)}`)
}
