import { BATCH, BEFORE_LENGTH_ENDS, COMPRESSION_BITS, CONTROL_BIT, LOG_APPEND_TIME_BIT, MAGIC, MIN_RECORD_BYTES, TRANSACTIONAL_BIT } from './batch-layout.ts'
import { decompress } from './compression.ts'
import { corruptRecords, type RecordsOrigin } from './corrupt-records.ts'
import { crc32c } from './crc32c.ts'
import { VarintCursor } from './varint-cursor.ts'
import { own } from '../../own-memory.ts'

/** What a fetch brought of one partition. */
export interface FetchedRecords extends RecordsOrigin {
  /** What was asked for: a batch may begin before it. */
  readonly fetchOffset: bigint
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
  readonly records: Uint8Array
}

/** A batch whose records are to be handed on, decompressed. */
export interface OpenBatch {
  readonly baseOffset: bigint
  /** How far behind the base the last offset is; it may have been compacted away. */
  readonly lastOffsetDelta: number
  readonly bytes: Uint8Array
  /** Where the records begin and end in the bytes. */
  readonly start: number
  readonly end: number
  readonly count: number
  readonly baseTimestamp: number
  /** Time of all the records, when the broker stamped them; null when each has its own. */
  readonly stampedAt: number | null
}

/** The batches that are whole, and the offset after the last of them. */
export interface OpenBatches {
  readonly batches: readonly OpenBatch[]
  readonly nextOffset: bigint
}

/** Goes through the batches of an answer: control batches and those of aborted transactions aren't handed on. */
export function readBatches(fetched: FetchedRecords, maxBatchBytes: number): OpenBatches {
  const bytes = Buffer.from(fetched.records.buffer, fetched.records.byteOffset, fetched.records.byteLength)
  const aborted = new AbortedProducers(fetched.abortedTransactions)
  const batches: OpenBatch[] = []
  let nextOffset = fetched.fetchOffset
  let at = 0
  while (at + BATCH.records <= bytes.length) {
    const header = readHeader(fetched, bytes, at)
    // The broker cuts off where the fetch's bounds are; the rest comes with the next one.
    if (header.end > bytes.length) break
    const isWanted = header.lastOffset >= fetched.fetchOffset
    if (isWanted) checkChecksum(fetched, bytes, header)
    const isHandedOn = !aborted.covers(bytes, header)
    if (isWanted && isHandedOn && header.count > 0) batches.push(openBatch(fetched, bytes, header, maxBatchBytes))
    if (isWanted) nextOffset = header.lastOffset + 1n
    at = header.end
  }
  return { batches, nextOffset }
}

interface BatchHeader {
  readonly start: number
  readonly end: number
  readonly baseOffset: bigint
  readonly lastOffsetDelta: number
  readonly lastOffset: bigint
  readonly attributes: number
  readonly producerId: bigint
  readonly count: number
}

function readHeader(origin: RecordsOrigin, bytes: Buffer, start: number): BatchHeader {
  const baseOffset = bytes.readBigInt64BE(start + BATCH.baseOffset)
  const length = bytes.readInt32BE(start + BATCH.length)
  const magic = bytes.readInt8(start + BATCH.magic)
  if (magic !== MAGIC) throw corruptRecords(origin, baseOffset, `are in message format ${magic}, and only format ${MAGIC} of Kafka 0.11 and newer is read`)
  const end = start + BEFORE_LENGTH_ENDS + length
  if (end < start + BATCH.records) throw corruptRecords(origin, baseOffset, `name a length of ${length}, less than their header has`)
  const lastOffsetDelta = bytes.readInt32BE(start + BATCH.lastOffsetDelta)
  const count = bytes.readInt32BE(start + BATCH.count)
  if (lastOffsetDelta < 0 || count < 0) throw corruptRecords(origin, baseOffset, `name ${count} records up to offset +${lastOffsetDelta}`)
  return {
    start,
    end,
    baseOffset,
    lastOffsetDelta,
    lastOffset: baseOffset + BigInt(lastOffsetDelta),
    attributes: bytes.readInt16BE(start + BATCH.attributes),
    producerId: bytes.readBigInt64BE(start + BATCH.producerId),
    count,
  }
}

function checkChecksum(origin: RecordsOrigin, bytes: Buffer, { start, end, baseOffset }: BatchHeader): void {
  const said = bytes.readUInt32BE(start + BATCH.crc)
  if (crc32c(bytes, start + BATCH.attributes, end) !== said) throw corruptRecords(origin, baseOffset, "don't match their checksum")
}

function openBatch(origin: RecordsOrigin, bytes: Buffer, header: BatchHeader, maxBatchBytes: number): OpenBatch {
  const { start, end, baseOffset, lastOffsetDelta, attributes, count } = header
  const baseTimestamp = Number(bytes.readBigInt64BE(start + BATCH.baseTimestamp))
  const stampedAt = (attributes & LOG_APPEND_TIME_BIT) === 0 ? null : Number(bytes.readBigInt64BE(start + BATCH.maxTimestamp))
  const compression = attributes & COMPRESSION_BITS
  const open =
    compression === 0
      ? { bytes, start: start + BATCH.records, end }
      : whole(decompressed(origin, baseOffset, compression, bytes.subarray(start + BATCH.records, end), maxBatchBytes))
  // So that a count which lies reserves nothing.
  if (count * MIN_RECORD_BYTES > open.end - open.start) throw corruptRecords(origin, baseOffset, `name ${count} records and have ${open.end - open.start} bytes`)
  return { baseOffset, lastOffsetDelta, count, baseTimestamp, stampedAt, ...open }
}

const whole = (bytes: Uint8Array): Pick<OpenBatch, 'bytes' | 'start' | 'end'> => ({ bytes, start: 0, end: bytes.length })

function decompressed(origin: RecordsOrigin, baseOffset: bigint, compression: number, bytes: Uint8Array, maxBatchBytes: number): Uint8Array {
  let result: Uint8Array | null
  try {
    result = decompress(compression, bytes, maxBatchBytes)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw corruptRecords(origin, baseOffset, `can't be decompressed (${reason})`, cause)
  }
  if (result === null) throw corruptRecords(origin, baseOffset, `are compressed in a way that isn't known (${compression})`)
  return own(result)
}

/** Control records say in the second half of their key how a transaction ended. */
const ABORT = 0

/** Whose records don't count, batch by batch: from an aborted transaction's first offset to the marker that ends it. */
class AbortedProducers {
  readonly #begins: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
  readonly #open = new Set<bigint>()
  #next = 0

  constructor(transactions: FetchedRecords['abortedTransactions']) {
    this.#begins = transactions.length > 1 ? transactions.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1)) : transactions
  }

  /** Whether a batch isn't to be handed on; batches have to be asked for in their order. */
  covers(bytes: Buffer, header: BatchHeader): boolean {
    for (let begin = this.#begins[this.#next]; begin !== undefined && begin.firstOffset <= header.lastOffset; begin = this.#begins[++this.#next]) {
      this.#open.add(begin.producerId)
    }
    if ((header.attributes & CONTROL_BIT) !== 0) {
      if (isAbortMarker(bytes, header)) this.#open.delete(header.producerId)
      return true
    }
    return (header.attributes & TRANSACTIONAL_BIT) !== 0 && this.#open.has(header.producerId)
  }
}

function isAbortMarker(bytes: Buffer, { start, end, count }: BatchHeader): boolean {
  if (count === 0) return false
  const cursor = new VarintCursor(bytes)
  cursor.at = start + BATCH.records
  cursor.next() // length
  cursor.at++ // attributes
  cursor.next() // timestamp
  cursor.next() // offset
  const keyLength = cursor.next()
  return keyLength >= 4 && cursor.at + 4 <= end && bytes.readInt16BE(cursor.at + 2) === ABORT
}
