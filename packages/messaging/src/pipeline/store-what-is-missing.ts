import { OperationError, type Slice, type TurnBatch, type TurnBatchWriter, type WriteTurn } from '@smart-whale/interfaces'
import { rowsOfRecords } from './columns/slice-columns.ts'
import type { IngestRow } from './decode-record.ts'
import { isRecut, remainderToken, type SliceRecord } from './slice-records.ts'
import type { PartedSlice } from './write-slice.ts'

/** How a slice is repeated. */
export interface RepeatOptions {
  /** What the store is written under. @default none, required */
  readonly turn: WriteTurn
  /** Records the slice under a token that was never sent, and answers it so; null when its own never was. @default none, required */
  readonly renewToken: ((slice: Slice) => Promise<Slice>) | null
  /** Gives the slice up. @default none, required */
  readonly signal: AbortSignal
}

/**
 * Stores what a store lacks of a slice that was sent before, and answers the slice as the ledger has it then.
 *
 * Such a slice may be there wholly, in part or not at all, and the store's memory of tokens is bounded and, after a crash,
 * not always true: it may know a token whose rows it lost. So what is there is looked up, only the rest is sent, and the
 * result is looked up again. Nobody else changes it meanwhile: the turn is the newest, and what was sent under earlier ones has ended.
 * A row that the store removes for its age proves nothing by its absence; it may be sent again, and need not be there afterwards.
 */
export async function storeWhatIsMissing(store: TurnBatchWriter<IngestRow>, parted: PartedSlice, options: RepeatOptions): Promise<Slice> {
  const { forClickHouse, slice } = parted
  const { renewToken, signal } = options
  const found = await lookUp(store, parted, signal)
  if (forClickHouse.length === 0) return slice
  const isNoneThere = found.missing.length === forClickHouse.length
  // Rows that have all expired may have been there, and have fed views.
  if (isNoneThere && (found.lost.length > 0 || renewToken === null || !(await feedsViews(store, signal)))) {
    // Under a token that is surely unknown, and that the ledger knows first: whatever is there later was sent under the recorded one.
    const renewed = renewToken === null ? slice : await renewToken(slice)
    await send(store, forClickHouse, renewed.token, options)
    refuseMissing(await lookUp(store, parted, signal), renewed)
    return renewed
  }
  const isViewLacking = !isRecut(slice) && (await mayViewsLack(store, parted, signal))
  if (isViewLacking) await send(store, forClickHouse, slice.token, options)
  const { lost } = isViewLacking ? await lookUp(store, parted, signal) : found
  if (lost.length > 0) await send(store, lost, remainderToken(slice, lost.map((record) => record.offset)), options)
  if (lost.length > 0) refuseMissing(await lookUp(store, parted, signal), slice)
  return slice
}

function refuseMissing({ lost }: Found, slice: Slice): void {
  if (lost.length === 0) return
  throw new OperationError('ClickHouse accepted the rows of a slice but does not have them', {
    code: 'ERR_MESSAGING_SLICE_NOT_STORED',
    retryable: true,
    context: { token: slice.token, missing: lost.length },
  })
}

/**
 * Views are filled by the insert, after the table: one that was cut short may have filled the table alone. Sending the rows again fills them as
 * long as the table drops the repeat.
 * @throws OperationError `ERR_MESSAGING_VIEWS_UNCERTAIN` when the table may have forgotten the token, so that a repeat would double its rows
 */
async function mayViewsLack(store: TurnBatchWriter<IngestRow>, { slice, forClickHouse }: PartedSlice, signal: AbortSignal): Promise<boolean> {
  const origin = forClickHouse[0]?.batch
  if (origin === undefined || !(await feedsViews(store, signal))) return false
  const { firstOffset, lastOffset } = slice
  if ((await store.wouldDropRepeat?.({ topic: origin.topic, partition: origin.partition, firstOffset, lastOffset }, { signal })) !== false) return true
  throw new OperationError(
    `the views of the table may lack offsets ${firstOffset} to ${lastOffset} of partition ${origin.partition}, and too many inserts came since to fill them by a repeat: delete these rows from table and views, and start again`,
    { code: 'ERR_MESSAGING_VIEWS_UNCERTAIN', context: { token: slice.token } },
  )
}

/** The rows of records, under a token and a turn. */
export function batchOf(records: readonly SliceRecord[], token: string, turn: WriteTurn): TurnBatch<IngestRow> {
  const given = rowsOfRecords(records)
  return {
    get rows() {
      return given.rows
    },
    columns: given.columns,
    token,
    turn,
  }
}

async function send(store: TurnBatchWriter<IngestRow>, records: readonly SliceRecord[], token: string, { turn, signal }: RepeatOptions): Promise<void> {
  if (records.length > 0) await store.write(batchOf(records, token, turn), { signal })
}

const feedsViews = async (store: TurnBatchWriter<IngestRow>, signal: AbortSignal): Promise<boolean> => (await store.feedsViews?.({ signal })) === true

/** What a store has of a slice. */
interface Found {
  /** Records whose row is not there. */
  readonly missing: readonly SliceRecord[]
  /** Those of them whose row should be: the store has not removed it for its age. */
  readonly lost: readonly SliceRecord[]
}

async function lookUp(store: TurnBatchWriter<IngestRow>, { slice, forClickHouse }: PartedSlice, signal: AbortSignal): Promise<Found> {
  const origin = forClickHouse[0]?.batch
  if (origin === undefined) return { missing: [], lost: [] }
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
  // Asked behind the rows: what had expired by then has by now.
  const expired = new Set(missing.length === 0 ? [] : await store.expiredAmong?.(rowsOfRecords(missing).rows, { signal }))
  const lost = missing.filter((_record, index) => !expired.has(index))
  return { missing, lost }
}
