import { type Clock, InfrastructureError, TimeoutError } from '@smart-whale/interfaces'
import { PartialSendError } from '../errors.ts'
import { runCall } from '../run-call.ts'
import type { OutgoingRecord, RecordPosition, TransportCallOptions } from '../transport.ts'
import { checkRecord } from './check-record.ts'
import type { PendingAppend } from './log/append-queue.ts'
import type { FramePart } from './log/frame.ts'
import { recordBytes, writeRecord } from './log/record-layout.ts'
import type { Topic } from './topic.ts'

/** Records that are encoded together; about what one write takes. */
const PART_BYTES = 256 * 1024

/** Some of the records of a send that go to one partition together. */
interface Portion {
  readonly partition: number
  /** Which of the records, in the order given. */
  readonly indices: number[]
  bytes: number
}

/** A portion on its way. */
interface Sending extends Portion {
  readonly pending: PendingAppend
  firstOffset?: number
  error?: unknown
}

/** Sends records to a topic: all of them, or an error that says which are there. */
export async function sendRecords(
  topic: Topic,
  records: readonly OutgoingRecord[],
  clock: Clock,
  options: TransportCallOptions | undefined,
): Promise<readonly RecordPosition[]> {
  const { name, maxRecordBytes } = topic
  records.forEach((record, index) => checkRecord(record, index, { topic: name, partitions: topic.logs.length, maxRecordBytes }))
  const portions = splitByPartition(topic, records)
  const bytes = portions.reduce((sum, portion) => sum + portion.bytes, 0)
  let sendings: Sending[] | undefined
  try {
    await runCall(`sending ${records.length} records to topic "${name}"`, options, clock, async (signal) => {
      await topic.claim(bytes, signal)
      // No wait in between: whoever gave up while waiting for room has sent nothing.
      if (!signal.aborted) sendings = portions.map((portion) => begin(topic, portion, records, clock.now()))
      topic.release(bytes)
      await Promise.all((sendings ?? []).map(outcome))
    })
  } catch (error) {
    if (sendings === undefined) throw TimeoutError.isInstance(error) ? topic.fullError(bytes, error) : error
    for (const sending of sendings) sending.pending.cancel()
    throw failure(name, records.length, sendings, error)
  }
  const failed = sendings?.find((sending) => sending.firstOffset === undefined)
  if (sendings === undefined || failed !== undefined) throw failure(name, records.length, sendings ?? [], failed?.error)
  return positionsOf(records.length, sendings) as RecordPosition[]
}

function splitByPartition(topic: Topic, records: readonly OutgoingRecord[]): Portion[] {
  const portions: Portion[] = []
  const open: (Portion | undefined)[] = []
  topic.chooser.beginSend()
  records.forEach((record, index) => {
    const bytes = recordBytes(record)
    const partition = topic.chooser.choose(record, bytes)
    let portion = open[partition]
    if (portion === undefined || portion.bytes + bytes > PART_BYTES) {
      portion = { partition, indices: [], bytes: 0 }
      open[partition] = portion
      portions.push(portion)
    }
    portion.indices.push(index)
    portion.bytes += bytes
  })
  return portions
}

function begin(topic: Topic, portion: Portion, records: readonly OutgoingRecord[], now: number): Sending {
  const log = topic.logs[portion.partition]
  const pending = log?.append(encode(portion, records, now))
  return { ...portion, pending: pending ?? { stored: Promise.reject(topic.fullError(portion.bytes, undefined)), cancel: () => true } }
}

function encode(portion: Portion, records: readonly OutgoingRecord[], now: number): FramePart {
  return encodeRecords(portion.indices.map((index) => records[index] as OutgoingRecord), portion.bytes, now)
}

/** Records as they go into a frame, whose {@link recordBytes} are so many in all. */
export function encodeRecords(records: readonly OutgoingRecord[], bytes: number, now: number): FramePart {
  const body = Buffer.allocUnsafe(bytes)
  let at = 0
  let maxTimestamp = 0
  for (const record of records) {
    const timestamp = record.timestamp ?? now
    maxTimestamp = Math.max(maxTimestamp, timestamp)
    at = writeRecord(body, at, record, timestamp)
  }
  return { body, records: records.length, maxTimestamp }
}

async function outcome(sending: Sending): Promise<void> {
  try {
    sending.firstOffset = await sending.pending.stored
  } catch (error) {
    sending.error = error
  }
}

function positionsOf(count: number, sendings: readonly Sending[]): (RecordPosition | null)[] {
  const positions = new Array<RecordPosition | null>(count).fill(null)
  for (const { partition, indices, firstOffset } of sendings) {
    if (firstOffset === undefined) continue
    indices.forEach((index, order) => {
      positions[index] = { partition, offset: BigInt(firstOffset + order) }
    })
  }
  return positions
}

function failure(topic: string, count: number, sendings: readonly Sending[], cause: unknown): unknown {
  const stored = positionsOf(count, sendings)
  if (stored.every((position) => position === null)) return cause
  return new PartialSendError({ topic, stored, cause, retryable: InfrastructureError.isInstance(cause) && cause.retryable })
}
