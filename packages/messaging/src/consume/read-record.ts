import type { FailedRecord } from '../dead-letter.ts'
import type { RecordBatch } from '../transport.ts'

/** A record as it was read. */
export interface ReadRecord extends FailedRecord {
  readonly headers: Readonly<Record<string, Uint8Array>>
}

/** One record of a batch. */
export const recordAt = (batch: RecordBatch, index: number): ReadRecord => ({
  topic: batch.topic,
  partition: batch.partition,
  offset: batch.offsetAt(index),
  key: batch.keyAt(index),
  value: batch.valueAt(index),
  headers: batch.headersAt(index),
  timestamp: batch.timestampAt(index),
})
