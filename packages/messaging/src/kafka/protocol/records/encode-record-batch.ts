import { textBytes, writeText } from '../../../short-text.ts'
import type { OutgoingRecord } from '../../../transport.ts'
import { giveBack, ownMemory } from '../../own-memory.ts'
import { BATCH, BEFORE_LENGTH_ENDS, MAGIC, TRANSACTIONAL_BIT } from './batch-layout.ts'
import { COMPRESSION_IDS, compress, type WritableCompression } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { varintSize, writeVarint } from './varint.ts'

/** How a batch is written. */
export interface EncodeBatchOptions {
  /** How the records are compressed, all of them together. @default 'none' */
  compression?: WritableCompression | undefined
  /** Time of the records that have none, in milliseconds since the epoch. @default none, required */
  now: number
  /** Who writes, so that the broker stores the batch once, however often it comes. @default none: a batch that comes twice is stored twice */
  producer?: { readonly id: bigint; readonly epoch: number; readonly sequence: number; readonly isTransactional?: boolean } | undefined
}

type Bytes = Uint8Array | string | null | undefined

/** Length, attributes, timestamp, offset, lengths of key and value, number of headers, each as long as it may get. */
const MAX_RECORD_OVERHEAD = 5 + 1 + 9 + 5 + 5 + 5 + 5

/** How many bytes a record may take in a batch at most, before compression. */
export function recordSizeBound(record: OutgoingRecord): number {
  if (record.content !== undefined) return MAX_RECORD_OVERHEAD + record.content.bytes
  let size = MAX_RECORD_OVERHEAD + sizeOf(record.key) + sizeOf(record.value)
  for (const name in record.headers) size += 10 + textBytes(name) + sizeOf(record.headers[name])
  return size
}

/** The bytes of a batch around its records. */
export const BATCH_OVERHEAD: number = BATCH.records

/** From here on a batch has memory of its own, that can be given back. */
const LARGE = 128 * 1024

/** Records as one batch of Kafka's format 2, as they go to a partition. There has to be one at least. Whoever has sent it may give its memory back. */
export function encodeRecordBatch(records: readonly OutgoingRecord[], options: EncodeBatchOptions): Uint8Array {
  const { compression = 'none', now } = options
  const baseTimestamp = records[0]?.timestamp ?? now
  const sizes = measure(records, baseTimestamp, now)
  const room = BATCH.records + sizes.total
  let batch = room < LARGE ? Buffer.allocUnsafe(room) : ownMemory(room)
  const maxTimestamp = writeRecords(batch, records, sizes, baseTimestamp, now)
  if (compression !== 'none') {
    const plain = batch
    batch = Buffer.concat([plain.subarray(0, BATCH.records), compress(compression, plain.subarray(BATCH.records))])
    giveBack(plain)
  }
  writeHeader(batch, { count: records.length, baseTimestamp, maxTimestamp, compression, producer: options.producer })
  return batch
}

/** What each record needs: measured once, because a record's length stands before it. */
interface Sizes {
  readonly keys: Int32Array
  readonly values: Int32Array
  readonly bodies: Int32Array
  readonly total: number
}

function measure(records: readonly OutgoingRecord[], baseTimestamp: number, now: number): Sizes {
  const keys = new Int32Array(records.length)
  const values = new Int32Array(records.length)
  const bodies = new Int32Array(records.length)
  let total = 0
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as OutgoingRecord
    const timestamp = (record.timestamp ?? now) - baseTimestamp
    let content = record.content?.bytes
    if (content === undefined) {
      const key = lengthOf(record.key)
      const value = lengthOf(record.value)
      content = varintSize(key) + Math.max(0, key) + varintSize(value) + Math.max(0, value) + headersSize(record.headers)
      keys[index] = key
      values[index] = value
    }
    const body = 1 + varintSize(timestamp) + varintSize(index) + content
    bodies[index] = body
    total += varintSize(body) + body
  }
  return { keys, values, bodies, total }
}

/** Returns the latest time of a record. */
function writeRecords(batch: Buffer, records: readonly OutgoingRecord[], sizes: Sizes, baseTimestamp: number, now: number): number {
  let at: number = BATCH.records
  let maxTimestamp = baseTimestamp
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as OutgoingRecord
    const timestamp = record.timestamp ?? now
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
    at = writeVarint(batch, at, sizes.bodies[index] as number)
    batch[at++] = 0 // attributes, of which there are none
    at = writeVarint(batch, at, timestamp - baseTimestamp)
    at = writeVarint(batch, at, index)
    if (record.content !== undefined) {
      at = record.content.write(batch, at)
      continue
    }
    at = writeBytes(batch, at, record.key, sizes.keys[index] as number)
    at = writeBytes(batch, at, record.value, sizes.values[index] as number)
    at = writeHeaders(batch, at, record.headers)
  }
  return maxTimestamp
}

function headersSize(headers: OutgoingRecord['headers']): number {
  if (headers === undefined) return 1
  const names = Object.keys(headers)
  let size = varintSize(names.length)
  for (const name of names) {
    const nameLength = textBytes(name)
    const valueLength = lengthOf(headers[name])
    size += varintSize(nameLength) + nameLength + varintSize(valueLength) + Math.max(0, valueLength)
  }
  return size
}

function writeHeaders(batch: Buffer, start: number, headers: OutgoingRecord['headers']): number {
  if (headers === undefined) return writeVarint(batch, start, 0)
  const names = Object.keys(headers)
  let at = writeVarint(batch, start, names.length)
  for (const name of names) {
    at = writeBytes(batch, at, name, textBytes(name))
    at = writeBytes(batch, at, headers[name], lengthOf(headers[name]))
  }
  return at
}

function writeBytes(batch: Buffer, start: number, value: Bytes, length: number): number {
  const at = writeVarint(batch, start, length)
  if (value === null || value === undefined) return at
  if (typeof value === 'string') writeText(batch, at, value, length)
  else batch.set(value, at)
  return at + length
}

interface HeaderFields {
  readonly count: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly compression: WritableCompression
  readonly producer: EncodeBatchOptions['producer']
}

const NO_PRODUCER = { id: -1n, epoch: -1, sequence: -1 } as const

function writeHeader(batch: Buffer, { count, baseTimestamp, maxTimestamp, compression, producer }: HeaderFields): void {
  const { id, epoch, sequence } = producer ?? NO_PRODUCER
  const attributes = COMPRESSION_IDS[compression] | (producer?.isTransactional === true ? TRANSACTIONAL_BIT : 0)
  batch.writeBigInt64BE(0n, BATCH.baseOffset)
  batch.writeInt32BE(batch.length - BEFORE_LENGTH_ENDS, BATCH.length)
  batch.writeInt32BE(-1, BATCH.leaderEpoch)
  batch.writeInt8(MAGIC, BATCH.magic)
  batch.writeInt16BE(attributes, BATCH.attributes)
  batch.writeInt32BE(count - 1, BATCH.lastOffsetDelta)
  batch.writeBigInt64BE(BigInt(baseTimestamp), BATCH.baseTimestamp)
  batch.writeBigInt64BE(BigInt(maxTimestamp), BATCH.maxTimestamp)
  batch.writeBigInt64BE(id, BATCH.producerId)
  batch.writeInt16BE(epoch, BATCH.producerEpoch)
  batch.writeInt32BE(sequence, BATCH.baseSequence)
  batch.writeInt32BE(count, BATCH.count)
  batch.writeUInt32BE(crc32c(batch, BATCH.attributes), BATCH.crc)
}

/** -1 stands for null. */
function lengthOf(value: Bytes): number {
  if (value === null || value === undefined) return -1
  return typeof value === 'string' ? textBytes(value) : value.length
}

function sizeOf(value: Bytes): number {
  return Math.max(0, lengthOf(value))
}
