import { type Clock, InfrastructureError, OperationError, type Slice } from '@smart-whale/interfaces'
import { messagingTimeout } from '../errors.ts'
import type { PartitionReader, RecordBatch } from '../transport.ts'
import type { SliceDecoder } from './decode-batch.ts'
import type { SliceLimits } from './pipeline-definition.ts'
import type { SliceRecord } from './slice-records.ts'

/** How long one read of a slice that is repeated may wait. */
const READ_WAIT_MS = 1000

/** The records of a slice, and the bytes that they have. */
export interface CutSlice {
  readonly records: readonly SliceRecord[]
  readonly bytes: number
}

/**
 * Reads on from the reader's position until a slice is full by rows, bytes or age. Empty when nothing came within `maxAgeMs`.
 * @param grow how many bytes the slice may have when it is full; no more when that is all
 */
export async function cutSlice(reader: PartitionReader, limits: SliceLimits, decoder: SliceDecoder, clock: Clock, grow: () => number): Promise<CutSlice> {
  const records: SliceRecord[] = []
  let bytes = 0
  let { maxBytes } = limits
  let deadline = Number.POSITIVE_INFINITY
  decoder.begin()
  while (records.length < limits.maxRows) {
    if (bytes >= maxBytes) maxBytes = grow()
    if (bytes >= maxBytes) break
    const left = records.length === 0 ? limits.maxAgeMs : deadline - clock.monotonic()
    if (left <= 0) break
    const batch = await reader.read({ maxBytes: maxBytes - bytes, maxRecords: limits.maxRows - records.length, maxWaitMs: Math.ceil(left) })
    if (batch.length === 0) break
    // A record's age counts from when the first of the slice was read, whatever the producer's clock says.
    if (records.length === 0) deadline = clock.monotonic() + limits.maxAgeMs
    bytes += batch.bytes
    decoder.decode(batch, records)
  }
  decoder.end()
  return { records, bytes }
}

/**
 * Reads exactly the records of an offset range again; both ends included. The range may have gaps (a compacted topic).
 * @throws OperationError `ERR_MESSAGING_SLICE_GONE` when the topic no longer holds one of the range's ends; TimeoutError when the broker brings nothing
 * of it for now
 */
export async function rereadRange(reader: PartitionReader, { firstOffset, lastOffset }: Slice, decoder: SliceDecoder): Promise<readonly SliceRecord[]> {
  const records: SliceRecord[] = []
  let next = firstOffset
  reader.seek(firstOffset)
  decoder.begin()
  try {
    while (next <= lastOffset) {
      const batch = await readIfThere(reader, Number(lastOffset - next) + 1)
      if (batch === null || (batch.length > 0 && records.length === 0 && batch.offsetAt(0) !== firstOffset)) break
      if (batch.length === 0 && batch.nextOffset <= next) await refuseSilence(reader, next, lastOffset)
      if (batch.length > 0) decoder.decode(batch, records)
      next = batch.nextOffset
    }
  } finally {
    decoder.end()
  }
  // Where offsets have gaps, as many records as the range has offsets go beyond it.
  while ((records.at(-1)?.offset ?? lastOffset) > lastOffset) records.pop()
  reader.seek(lastOffset + 1n)
  if (records.at(-1)?.offset === lastOffset) return records
  throw sliceGone(reader, firstOffset, lastOffset)
}

/** A read that brought nothing in time says nothing about the topic: a broker may be slow, and this process may have been asleep. */
async function refuseSilence(reader: PartitionReader, next: bigint, lastOffset: bigint): Promise<never> {
  const { earliest, latest } = await reader.bounds()
  if (earliest > next || latest <= lastOffset) throw sliceGone(reader, next, lastOffset)
  throw messagingTimeout(`reading offset ${next} of partition ${reader.partition} of "${reader.topic}"`, READ_WAIT_MS)
}

function sliceGone(reader: PartitionReader, firstOffset: bigint, lastOffset: bigint): OperationError {
  return new OperationError(`the topic "${reader.topic}" no longer holds offsets ${firstOffset} to ${lastOffset} of partition ${reader.partition}, which were being written when the pipeline last stopped`, {
    code: 'ERR_MESSAGING_SLICE_GONE',
  })
}

/** Frees what the records of a slice lie in. Whoever holds one must not look at it any more. */
export function releaseRecords(records: readonly SliceRecord[]): void {
  let last: RecordBatch | null = null
  for (const { batch } of records) {
    if (batch !== last) batch.release?.()
    last = batch
  }
}

async function readIfThere(reader: PartitionReader, maxRecords: number): Promise<RecordBatch | null> {
  try {
    return await reader.read({ maxBytes: 8 * 1024 * 1024, maxRecords, maxWaitMs: READ_WAIT_MS })
  } catch (error) {
    if (InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE') return null
    throw error
  }
}
