import { corruptRecords, type RecordsOrigin } from './corrupt-records.ts'
import { DecodedRecords, type RecordColumns } from './decoded-records.ts'
import { type FetchedRecords, type OpenBatch, readBatches } from './read-batches.ts'
import { VarintCursor } from './varint-cursor.ts'
import { own } from '../../own-memory.ts'

/** What one batch may be decompressed to, so that a small answer can't fill the memory. */
const MAX_BATCH_BYTES = 256 * 1024 * 1024

/**
 * Finds the records of a fetched partition. Every length is checked here, once, so that what is asked for later needs no look:
 * what can't be is `ERR_MESSAGING_CORRUPT_RECORDS` with topic, partition and offset. A last batch that is cut off is left for
 * the next fetch; when it is the only one, `nextOffset` stays where it was.
 */
export function decodeRecords(fetched: FetchedRecords, maxBatchBytes: number = MAX_BATCH_BYTES): DecodedRecords {
  const { batches, nextOffset } = readBatches(fetched, maxBatchBytes)
  const baseOffset = fetched.fetchOffset
  const columns = columnsFor(batches, baseOffset)
  let length = 0
  for (const [source, batch] of batches.entries()) length = scanBatch(fetched, batch, source, columns, length)
  return new DecodedRecords(length === columns.ends.length ? columns : shortened(columns, length), length, nextOffset)
}

/** Two wide columns and six narrow ones. */
const BYTES_A_RECORD = 2 * 8 + 6 * 4

function columnsFor(batches: readonly OpenBatch[], baseOffset: bigint): RecordColumns {
  const count = batches.reduce((sum, batch) => sum + batch.count, 0)
  // One piece of memory for all of them, to be given back as one.
  const memory = own(new Uint8Array(count * BYTES_A_RECORD))
  const { buffer } = memory
  const narrow = (index: number): number => count * (16 + 4 * index)
  return {
    memory,
    sources: batches.map(({ bytes }) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
    baseOffset,
    offsets: new Float64Array(buffer, 0, count),
    timestamps: new Float64Array(buffer, count * 8, count),
    sourceOf: new Uint32Array(buffer, narrow(0), count),
    keyStarts: new Uint32Array(buffer, narrow(1), count),
    keyLengths: new Int32Array(buffer, narrow(2), count),
    valueStarts: new Uint32Array(buffer, narrow(3), count),
    valueLengths: new Int32Array(buffer, narrow(4), count),
    ends: new Uint32Array(buffer, narrow(5), count),
  }
}

/** Writes the records from the wanted offset on into the columns; returns how many there are by then. */
function scanBatch(origin: RecordsOrigin, batch: OpenBatch, source: number, columns: RecordColumns, found: number): number {
  const { end, baseTimestamp, stampedAt, count, lastOffsetDelta } = batch
  const cursor = new VarintCursor(batch.bytes)
  const skipped = Number(batch.baseOffset - columns.baseOffset)
  let index = found
  let lastDelta = -1
  cursor.at = batch.start
  for (let record = 0; record < count; record++) {
    const length = cursor.next()
    const recordEnd = cursor.at + length
    cursor.at++ // attributes, of which there are none
    const timestampDelta = cursor.next()
    const offsetDelta = cursor.next()
    const keyLength = cursor.next()
    const keyStart = cursor.at
    if (keyLength > 0) cursor.at += keyLength
    const valueLength = cursor.next()
    const valueStart = cursor.at
    if (valueLength > 0) cursor.at += valueLength
    // Comparisons with what isn't a number are false: only what is known to be right passes.
    const isInOrder = offsetDelta > lastDelta && offsetDelta <= lastOffsetDelta && !Number.isNaN(timestampDelta)
    const isSound = isInOrder && recordEnd <= end && keyLength >= -1 && valueLength >= -1 && isHeaderEnd(cursor, recordEnd)
    if (!isSound) throw corruptRecords(origin, batch.baseOffset, `are not laid out as they say (record ${record} of ${count})`)
    lastDelta = offsetDelta
    const offset = skipped + offsetDelta
    if (offset < 0) continue
    columns.sourceOf[index] = source
    columns.offsets[index] = offset
    columns.timestamps[index] = stampedAt ?? baseTimestamp + timestampDelta
    columns.keyStarts[index] = keyStart
    columns.keyLengths[index] = keyLength
    columns.valueStarts[index] = valueStart
    columns.valueLengths[index] = valueLength
    columns.ends[index] = recordEnd
    index++
  }
  if (cursor.at !== end) throw corruptRecords(origin, batch.baseOffset, `have ${end - cursor.at} bytes more than their ${count} records`)
  return index
}

/** Goes through a record's headers; they have to end where the record does. */
function isHeaderEnd(cursor: VarintCursor, recordEnd: number): boolean {
  let rest = cursor.next()
  for (; rest > 0 && cursor.at <= recordEnd; rest--) {
    const nameLength = cursor.next()
    if (!(nameLength >= 0)) return false
    cursor.at += nameLength
    const valueLength = cursor.next()
    if (!(valueLength >= -1)) return false
    cursor.at += Math.max(0, valueLength)
  }
  return rest === 0 && cursor.at === recordEnd
}

function shortened(columns: RecordColumns, length: number): RecordColumns {
  const { memory, sources, baseOffset } = columns
  return {
    memory,
    sources,
    baseOffset,
    sourceOf: columns.sourceOf.subarray(0, length),
    offsets: columns.offsets.subarray(0, length),
    timestamps: columns.timestamps.subarray(0, length),
    keyStarts: columns.keyStarts.subarray(0, length),
    keyLengths: columns.keyLengths.subarray(0, length),
    valueStarts: columns.valueStarts.subarray(0, length),
    valueLengths: columns.valueLengths.subarray(0, length),
    ends: columns.ends.subarray(0, length),
  }
}
