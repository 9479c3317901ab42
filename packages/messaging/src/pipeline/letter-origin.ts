import { DEAD_LETTER_HEADERS } from '../dead-letter.ts'
import type { RecordBatch } from '../transport.ts'

/** Whose dead letters are meant: those of one partition of a topic, given up by one group. */
export interface LetterSource {
  readonly topic: string
  readonly partition: number
  readonly groupId: string
}

/** The record that a dead letter stands for. Its time tells it from the one at the same offset of an earlier topic of that name. */
export interface LetterOrigin {
  readonly offset: bigint
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** What tells a record from all others of its partition. A topic that was made again has other records at the same offsets, and the letters of the old ones are still there. */
export const letterKey = ({ offset, timestamp }: LetterOrigin): string => `${offset}@${timestamp}`

/** The record that a letter of this source stands for; null for any other letter. */
export function originOfLetter(batch: RecordBatch, index: number, { topic, partition, groupId }: LetterSource): LetterOrigin | null {
  const headers = batch.headersAt(index)
  const text = (name: string): string => Buffer.from(headers[name] ?? []).toString()
  const isOurs = text(DEAD_LETTER_HEADERS.topic) === topic && text(DEAD_LETTER_HEADERS.partition) === String(partition) && text(DEAD_LETTER_HEADERS.group) === groupId
  const offset = text(DEAD_LETTER_HEADERS.offset)
  return isOurs && /^\d{1,19}$/.test(offset) ? { offset: BigInt(offset), timestamp: Number(text(DEAD_LETTER_HEADERS.timestamp)) } : null
}
