import { InfrastructureError } from '@smart-whale/interfaces'
import { messagingTimeout } from '../../errors.ts'
import type { PartitionReader, RecordBatch } from '../../transport.ts'

const MAX_BYTES = 4 * 1024 * 1024
const WAIT_MS = 1000
/** How many waits in a row may bring nothing before the range counts as unreadable. */
const MAX_EMPTY = 30

/**
 * The records of a half-open range that is in the topic, batch by batch; a batch may go beyond the range's end.
 * Offsets that are not there (compacted, markers of transactions) are passed over. Ends early when retention removes the range meanwhile.
 */
export async function* readRange(reader: PartitionReader, from: bigint, to: bigint, signal: AbortSignal | undefined): AsyncGenerator<RecordBatch> {
  let next = from
  let empty = 0
  reader.seek(from)
  while (next < to) {
    const batch = await readIfThere(reader, Number(to - next > 100_000n ? 100_000n : to - next), signal)
    if (batch === null) return
    if (batch.length > 0) yield batch
    empty = batch.nextOffset > next ? 0 : empty + 1
    if (empty === MAX_EMPTY) throw messagingTimeout(`reading offset ${next} of partition ${reader.partition} of "${reader.topic}"`, MAX_EMPTY * WAIT_MS)
    next = batch.nextOffset > next ? batch.nextOffset : next
  }
}

async function readIfThere(reader: PartitionReader, maxRecords: number, signal: AbortSignal | undefined): Promise<RecordBatch | null> {
  try {
    return await reader.read({ maxBytes: MAX_BYTES, maxRecords, maxWaitMs: WAIT_MS, signal })
  } catch (error) {
    if (InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE') return null
    throw error
  }
}
