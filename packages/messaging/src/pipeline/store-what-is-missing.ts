import { OperationError, type RecoverableBatchWriter } from '@smart-whale/interfaces'
import type { IngestRow } from './decode-record.ts'
import { remainderToken, type SliceRecord } from './slice-records.ts'
import type { PartedSlice } from './write-slice.ts'

/**
 * Stores what a store lacks of a slice that was sent before.
 *
 * Such a slice may be there wholly, in part or not at all, and the store's memory of tokens is bounded and, after a crash,
 * not always true: it may know a token whose rows it lost. So what is there is looked up, only the rest is sent, and the
 * result is looked up again.
 */
export async function storeWhatIsMissing(store: RecoverableBatchWriter<IngestRow>, parted: PartedSlice, signal: AbortSignal): Promise<void> {
  const { slice, forClickHouse } = parted
  let missing = await missingOf(store, parted, signal)
  // Under the slice's own token first: should the earlier attempt still be on its way, the store drops whichever comes second.
  // Also when all is there but views hang on the table: they may lack what the table has, and a repeat fills them alone.
  if (missing.length === forClickHouse.length || (missing.length === 0 && (await store.feedsViews?.({ signal })) === true)) {
    await send(store, forClickHouse, slice.token, signal)
    missing = await missingOf(store, parted, signal)
  }
  if (missing.length === 0) return
  await send(store, missing, remainderToken(slice, missing.map((record) => record.offset)), signal)
  missing = await missingOf(store, parted, signal)
  if (missing.length === 0) return
  throw new OperationError('ClickHouse accepted the rows of a slice but does not have them', {
    code: 'ERR_MESSAGING_SLICE_NOT_STORED',
    retryable: true,
    context: { token: slice.token, missing: missing.length },
  })
}

async function send(store: RecoverableBatchWriter<IngestRow>, records: readonly SliceRecord[], token: string, signal: AbortSignal): Promise<void> {
  if (records.length > 0) await store.write({ rows: records.map((record) => record.row as IngestRow), token }, { signal })
}

async function missingOf(store: RecoverableBatchWriter<IngestRow>, { slice, forClickHouse }: PartedSlice, signal: AbortSignal): Promise<readonly SliceRecord[]> {
  const origin = forClickHouse[0]?.batch
  if (origin === undefined) return []
  const { firstOffset, lastOffset } = slice
  const stored = await store.storedOffsets({ topic: origin.topic, partition: origin.partition, firstOffset, lastOffset }, { signal })
  const there = new Set(stored)
  // Neither can come from this code; if it does, more writing would only hide it.
  const missing = forClickHouse.filter((record) => !there.has(record.offset))
  if (there.size !== stored.length || there.size !== forClickHouse.length - missing.length) {
    throw new OperationError('ClickHouse holds rows of a slice twice, or rows that do not belong into it', {
      code: 'ERR_MESSAGING_SLICE_DOUBLED',
      context: { token: slice.token, rows: stored.length, distinct: there.size },
    })
  }
  return missing
}
