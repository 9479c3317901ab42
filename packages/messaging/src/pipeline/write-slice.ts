import {
  type BatchTransaction,
  OperationError,
  type RecoverableBatchWriter,
  type RefusedRow,
  type Slice,
  type SliceClaim,
  type SliceLedger,
  type TransactionalBatchWriter,
  ValidationError,
} from '@smart-whale/interfaces'
import type { IngestRow } from './decode-record.ts'
import { sliceOf, type SliceRecord, withRefusals } from './slice-records.ts'
import { storeWhatIsMissing } from './store-what-is-missing.ts'

/** Where a pipeline's rows go: one of the two stores, or both. */
export interface PipelineStores {
  /** Inserts under a token; rows are seen as soon as they are inserted. */
  readonly clickhouse: RecoverableBatchWriter<IngestRow> | null
  /** Commits rows and ledger entry as one. */
  readonly timescaledb: TransactionalBatchWriter<IngestRow> | null
  /** Remembers the slice in flight; with a transactional store, the one that commits with it. */
  readonly ledger: SliceLedger
}

/** Sends refused records to the dead letters; resolves when they are there durably. */
export type DeadLetterSink = (records: readonly SliceRecord[], options: { signal: AbortSignal }) => Promise<void>

/** What {@link writeSlice} needs to know besides the records. */
export interface WriteSliceOptions {
  /** Where rows go, and what remembers the slice. @default none, required */
  readonly stores: PipelineStores
  /** Where refused records go, before the slice is done. @default none, required */
  readonly deadLetters: DeadLetterSink
  /** The partition as this worker holds it; a ledger refuses one that another has claimed since. @default none, required */
  readonly claim: SliceClaim
  /** Gives the slice up; what it recorded is repeated later. @default none, required */
  readonly signal: AbortSignal
  /** The slice as the ledger has it in flight, when these records were sent before. @default none, required */
  readonly recorded: Slice | null
}

/** What one slice came to. */
export interface SliceOutcome {
  readonly stored: number
  readonly deadLettered: number
}

/**
 * Writes one slice so that each of its records ends up once in every store, or in the dead letters, whatever dies in between.
 *
 * The order is the point. 1: the slice is recorded, so that a restart repeats exactly it. 2: its rows go into an open
 * transaction, where PostgreSQL refuses what it won't take. 3: ClickHouse gets the rows under the slice's token.
 * 4: the refused records go to the dead letters. 5: rows and "done" commit together. A crash before 5 leads back to the
 * recorded slice; a row that either store refuses is excluded from both, which amends the record before anything is sent again.
 */
export async function writeSlice(given: readonly SliceRecord[], options: WriteSliceOptions): Promise<SliceOutcome> {
  const { stores, claim, signal, recorded } = options
  let records = given
  let slice = recorded ?? sliceOf(claim.scope, records)
  let inLedger = recorded !== null
  // Each round excludes at least one record more, and a slice without any left can't be refused: the loop ends.
  for (;;) {
    if (!inLedger) await stores.ledger.record(claim, slice, { signal })
    const included = records.filter((record) => record.refusal === null)
    const excluded = records.filter((record) => record.refusal !== null)
    const refused = await attempt({ slice, included, excluded }, options)
    if (refused.length === 0) return { stored: included.length, deadLettered: excluded.length }
    records = withRefusals(records, new Map(refused.map(({ index, reason }) => [included[index]?.offset ?? -1n, reason])))
    slice = sliceOf(claim.scope, records)
    inLedger = false
  }
}

/** A slice with its records parted into what the stores get and what the dead letters get. */
export interface PartedSlice {
  readonly slice: Slice
  readonly included: readonly SliceRecord[]
  readonly excluded: readonly SliceRecord[]
}

/** One attempt at all of it. Answers the rows that a store refused for their data; then nothing was stored anywhere. */
async function attempt(parted: PartedSlice, { stores, deadLetters, claim, signal, recorded }: WriteSliceOptions): Promise<readonly RefusedRow[]> {
  const rows = parted.included.map((record) => record.row as IngestRow)
  const { clickhouse, timescaledb } = stores
  const transaction = timescaledb === null ? null : await timescaledb.begin({ signal })
  try {
    let refused: readonly RefusedRow[] = []
    if (transaction !== null && timescaledb !== null) refused = await refusedBy(timescaledb, rows, signal, () => transaction.write(rows))
    if (clickhouse !== null && refused.length === 0) {
      refused = await refusedBy(clickhouse, rows, signal, () =>
        recorded === null ? clickhouse.write({ rows, token: parted.slice.token }, { signal }) : storeWhatIsMissing(clickhouse, parted, signal),
      )
    }
    if (refused.length > 0) {
      await transaction?.rollback()
      return refused
    }
    if (parted.excluded.length > 0) await deadLetters(parted.excluded, { signal })
    await finish(stores.ledger, claim, parted.slice, transaction, signal)
    return []
  } catch (error) {
    // The first failure is the one to report; a rollback on a broken connection has nothing to add to it.
    await transaction?.rollback().catch(() => {})
    throw error
  }
}

async function finish(ledger: SliceLedger, claim: SliceClaim, slice: Slice, transaction: BatchTransaction<IngestRow> | null, signal: AbortSignal): Promise<void> {
  if (transaction === null) return ledger.complete(claim, slice, { signal })
  await transaction.complete(claim, slice)
  await transaction.commit()
}

/** Runs a write; when the store refuses it for its data, finds out which rows are to blame. */
async function refusedBy(
  store: Pick<RecoverableBatchWriter<IngestRow>, 'findRefused'>,
  rows: readonly IngestRow[],
  signal: AbortSignal,
  write: () => Promise<unknown>,
): Promise<readonly RefusedRow[]> {
  if (rows.length === 0) return []
  try {
    await write()
    return []
  } catch (error) {
    if (!ValidationError.isInstance(error)) throw error
    const refused = await store.findRefused(rows, { signal })
    if (refused.length > 0) return refused
    // The store refuses the rows together and none alone: no record is to blame, so none may be dead-lettered.
    throw new OperationError('a store refuses a batch for its data, but none of its rows alone', { code: 'ERR_MESSAGING_BATCH_REFUSED', cause: error })
  }
}
