import type { ValidationError } from '@smart-whale/interfaces'
import { kindOf, messagingValidationError } from '../errors.ts'
import { textBytes } from '../short-text.ts'
import type { OutgoingRecord } from '../transport.ts'
import { contentBytes, headerBytes } from './log/record-layout.ts'

/** Headers that a sender may add. */
const MAX_HEADER_BYTES = 64 * 1024
/** Headers in all: with those of a dead letter, which must always find room beside the sender's own. */
const MAX_ALL_HEADER_BYTES = 2 * MAX_HEADER_BYTES
const MAX_HEADER_NAME_BYTES = 1024
const OWN_HEADER = /^smartwhale-/

/** What a record is checked against. */
export interface RecordLimits {
  readonly topic: string
  readonly partitions: number
  readonly maxRecordBytes: number
}

/** Lets a sendable record pass; otherwise throws a `ValidationError` that names the field. */
export function checkRecord(record: OutgoingRecord, index: number, limits: RecordLimits): void {
  if (typeof record !== 'object' || record === null) throw wrong(index, '', `a record must be an object, got ${kindOf(record)}`)
  // Of so few bytes in all, no part is too large, and what wrote them has seen to the rest.
  if (record.content !== undefined && record.content.bytes <= Math.min(MAX_HEADER_BYTES, limits.maxRecordBytes)) return checkPartition(record.partition, index, limits)
  if (record.value !== null && !isContent(record.value)) {
    throw wrong(index, 'value', `must be a string, bytes or null, got ${kindOf(record.value)}; encode objects first`)
  }
  if (record.key !== undefined && record.key !== null && !isContent(record.key)) {
    throw wrong(index, 'key', `must be a string, bytes or null, got ${kindOf(record.key)}`)
  }
  checkPartition(record.partition, index, limits)
  if (record.timestamp !== undefined && !(Number.isFinite(record.timestamp) && record.timestamp >= 0)) {
    throw wrong(index, 'timestamp', `must be milliseconds since the epoch, got ${kindOf(record.timestamp)}`)
  }
  if (record.headers !== undefined) checkHeaders(record.headers, index)
  const bytes = contentBytes(record)
  if (bytes > limits.maxRecordBytes) {
    const message = `key and value have ${bytes} bytes; the broker takes ${limits.maxRecordBytes}: split the message, or raise maxRecordBytes`
    throw wrong(index, 'value', message, 'ERR_MESSAGING_RECORD_TOO_LARGE')
  }
}

function checkPartition(partition: number | undefined, index: number, { topic, partitions }: RecordLimits): void {
  if (partition === undefined || (Number.isInteger(partition) && partition >= 0 && partition < partitions)) return
  throw wrong(index, 'partition', `topic "${topic}" has the partitions 0 to ${partitions - 1}, got ${kindOf(partition)}`)
}

function checkHeaders(headers: Readonly<Record<string, unknown>>, index: number): void {
  if (typeof headers !== 'object' || headers === null) throw wrong(index, 'headers', `must be an object, got ${kindOf(headers)}`)
  for (const name in headers) {
    if (textBytes(name) > MAX_HEADER_NAME_BYTES) throw wrong(index, 'headers', `have a name of more than ${MAX_HEADER_NAME_BYTES} bytes`)
    if (!isContent(headers[name])) throw wrong(index, 'headers', `header "${name.slice(0, 60)}" must be a string or bytes, got ${kindOf(headers[name])}`)
  }
  const all = headers as Readonly<Record<string, string | Uint8Array>>
  if (headerBytes(all) <= MAX_HEADER_BYTES) return
  const foreign = Object.fromEntries(Object.entries(all).filter(([name]) => !OWN_HEADER.test(name)))
  if (headerBytes(foreign) > MAX_HEADER_BYTES || headerBytes(all) > MAX_ALL_HEADER_BYTES) {
    throw wrong(index, 'headers', `have more than ${MAX_HEADER_BYTES} bytes; put large content into the value`, 'ERR_MESSAGING_RECORD_TOO_LARGE')
  }
}

const isContent = (part: unknown): part is string | Uint8Array => typeof part === 'string' || part instanceof Uint8Array

function wrong(
  index: number,
  field: string,
  message: string,
  code: 'ERR_MESSAGING_INVALID_RECORD' | 'ERR_MESSAGING_RECORD_TOO_LARGE' = 'ERR_MESSAGING_INVALID_RECORD',
): ValidationError {
  const path = field === '' ? [index] : [index, field]
  return messagingValidationError(code, `record ${index}${field === '' ? '' : `: ${field}`} ${message}`, [{ path: ['records', ...path], message }])
}
