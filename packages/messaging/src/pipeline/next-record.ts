import { InfrastructureError } from '@smart-whale/interfaces'
import type { PartitionReader } from '../transport.ts'

/** How long a read may take that finds no record. */
const READ_WAIT_MS = 300

/**
 * The offset of the first record of a range; its end when it has none: what a transaction took back has offsets, and so has its end, so that a topic
 * can grow without anything to be stored. Where the broker brings nothing for now, how far it was looked. The reader is moved.
 */
export async function nextRecordOf(reader: PartitionReader, from: bigint, end: bigint, signal?: AbortSignal): Promise<bigint> {
  reader.seek(from)
  for (let at = from; at < end; ) {
    const batch = await reader.read({ maxRecords: 1, maxBytes: 1, maxWaitMs: READ_WAIT_MS, signal }).catch((error: unknown) => {
      // Retention took the beginning of the range: what is behind it has to be there.
      if (InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE') return null
      throw error
    })
    if (batch === null) return at
    if (batch.length > 0) return batch.offsetAt(0)
    if (batch.nextOffset <= at) return at
    at = batch.nextOffset
  }
  return end
}
