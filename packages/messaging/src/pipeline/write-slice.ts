import {
  type DeadLetterPosition,
  OperationError,
  type RecoverableBatchWriter,
  type Slice,
  type SliceClaim,
  type SliceLedger,
  staleEpochError,
  type TransactionalBatchWriter,
  type TurnBatchWriter,
  ValidationError,
} from '@smart-whale/interfaces'
import { writeRecords } from './columns/write-records.ts'
import type { IngestRow } from './decode-record.ts'
import type { DeadLetterSink } from './dead-letter-outbox.ts'
import { findCulprits, type JudgingStore, type Refusals } from './find-culprits.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { LetterRight } from './letter-right.ts'
import type { PartitionHold } from './partition-hold.ts'
import { goesTo, isRecut, isRouted, liesBehindLedger, namedLike, namedScope, partByRefusal, recut, sliceOf, type SliceRecord, underEpoch, withNewToken, withRefusals } from './slice-records.ts'
import { SliceLetters } from './slice-letters.ts'
import { refuseStoredExclusions } from './take-up-slice.ts'
import { batchOf, storeWhatIsMissing } from './store-what-is-missing.ts'

/** Where a pipeline's rows go: one of the two stores, or both. */
export interface PipelineStores {
  /** Inserts under a token and a turn; rows are seen as soon as they are inserted. */
  readonly clickhouse: TurnBatchWriter<IngestRow> | null
  /** Commits rows and ledger entry as one. */
  readonly timescaledb: TransactionalBatchWriter<IngestRow> | null
  /**
   * Remembers the slice in flight; with a transactional store, the one that commits with it. Null for a pipeline with ClickHouse alone
   * that keeps it with the group's offsets.
   */
  readonly ledger: SliceLedger | null
}

/** What {@link writeSlice} needs to know besides the records. */
export interface WriteSliceOptions {
  /** Where rows go. @default none, required */
  readonly stores: Omit<PipelineStores, 'ledger'>
  /** What remembers the slice. @default none, required */
  readonly ledger: SliceLedger
  /** Where refused records go, before the slice is done. @default none, required */
  readonly deadLetters: DeadLetterSink
  /** The partition as this worker holds it; ledger and stores refuse one that another has taken since. @default none, required */
  readonly hold: Pick<PartitionHold, 'claim' | 'doneUpTo' | 'lettersOf' | 'storedUpTo' | 'turn'>
  /** Gives the slice up; what it recorded is repeated later. @default none, required */
  readonly signal: AbortSignal
  /** Counts rows that a store refused, before they are dead-lettered; throws when they are a flood. @default none, required */
  readonly flood: Pick<FloodGuard, 'admitRefused' | 'expectRefused'>
  /** The slice as the ledger has it in flight, when these records were sent before. @default none, required */
  readonly recorded: Slice | null
  /** Whether another hold of the partition recorded it first, and may have done more with it than the ledger says. @default none, required */
  readonly isTakenOver: boolean
  /** Of the definition that made the rows; see {@link sliceOf}. @default none, required */
  readonly fingerprint: string
}

/** What one slice came to. */
export interface SliceOutcome {
  /** Records whose row is in each store that it is routed to. */
  readonly stored: number
  readonly deadLettered: number
  /** Records that a transform or a route left out on purpose. */
  readonly leftOut: number
}

/**
 * Writes one slice so that each of its records ends up once in every store, or in the dead letters, whatever dies in between.
 *
 * The order is the point. 1: the slice is recorded, so that a restart repeats exactly it. 2: its rows go into an open
 * transaction, where PostgreSQL refuses what it won't take. 3: ClickHouse gets the rows under the slice's token, and this worker's turn;
 * letters of the refused records go to the broker meanwhile, where nobody sees them. 4: the slice is marked done in the transaction, which
 * keeps everybody else from the ledger's entry. 5: the letters count. 6: rows and "done" commit together. A crash before 6 leads back to the recorded slice; a row that either store refuses
 * is excluded from both, which amends the record before anything is sent again.
 */
export async function writeSlice(given: readonly SliceRecord[], options: WriteSliceOptions): Promise<SliceOutcome> {
  const { ledger, signal, recorded } = options
  const { claim } = options.hold
  let records = withoutDead(given, options.hold.lettersOf(recorded))
  let inLedger = recorded !== null && records === given
  let slice = recorded !== null && inLedger ? recorded : await sliceToRecord(records, options)
  if (!inLedger && (recorded !== null || isRecut(slice))) await refuseStoredExclusions(records, options.stores, signal)
  // Each round excludes at least one record more, and a slice without any left can't be refused: the loop ends.
  for (;;) {
    if (!inLedger) await ledger.record(claim, slice, { expectedOffset: options.hold.doneUpTo, signal })
    const refused = await attempt({ slice, ...partRecords(records) }, options)
    if (refused.size === 0) return outcomeOf(records)
    records = withRefusals(records, refused)
    slice = await sliceToRecord(records, options)
    inLedger = false
  }
}

/** A ledger that went back may not know of letters that were sent, perhaps under another definition: what has one is in no store, and stays so. */
function withoutDead(records: readonly SliceRecord[], letters: Pick<LetterRight, 'hasSeen'>): readonly SliceRecord[] {
  const dead = records.filter((record) => record.refusal === null && letters.hasSeen(record))
  return dead.length === 0 ? records : withRefusals(records, new Map(dead.map(({ offset }) => [offset, 'it went to the dead letters before the ledger lost its latest commits'])))
}

/** The slice as it goes into the ledger: with the place where its dead letters are to be looked for, as it was recorded first, if it was. */
async function sliceToRecord(records: readonly SliceRecord[], options: WriteSliceOptions): Promise<Slice> {
  const { deadLetters, hold, recorded, fingerprint, signal } = options
  // Where the right to send letters was lost, others may have sent some: that is seen when it is taken again, and decides how this slice is cut.
  if (records.some((record) => record.refusal !== null)) await deadLetters.open({ signal })
  const cut = namedLike(underEpoch(sliceOf(namedScope(hold.claim.scope, recorded), records, fingerprint), hold.claim.epoch), recorded)
  const isCutAnew = recorded === null ? liesBehindLedger(records, hold) : isRecut(recorded)
  const slice = isCutAnew ? recut(cut) : cut
  if (slice.excluded.length === 0) return slice
  return { ...slice, deadLettersFrom: recorded?.deadLettersFrom ?? (await lettersFrom(options)) }
}

/**
 * Before the first letter that the slice may have. Where the ledger knows of none of a slice that was taken over, it may have lost the commit that
 * did: then they may lie anywhere.
 */
async function lettersFrom({ deadLetters, isTakenOver, signal }: WriteSliceOptions): Promise<DeadLetterPosition> {
  const now = await deadLetters.position({ signal })
  return isTakenOver ? { ...now, offset: 0n } : now
}

/** What a slice comes to once it is done. */
export function outcomeOf(records: readonly SliceRecord[]): SliceOutcome {
  let deadLettered = 0
  let stored = 0
  for (const { refusal, sinks } of records) {
    if (refusal !== null) deadLettered++
    else if (sinks?.length !== 0) stored++
  }
  return { stored, deadLettered, leftOut: records.length - stored - deadLettered }
}

/** A slice with its records parted into what each store gets and what the dead letters get. */
export interface PartedSlice {
  readonly slice: Slice
  readonly forClickHouse: readonly SliceRecord[]
  readonly forTimescale: readonly SliceRecord[]
  readonly excluded: readonly SliceRecord[]
}

function partRecords(records: readonly SliceRecord[]): Omit<PartedSlice, 'slice'> {
  const { good, refused: excluded } = partByRefusal(records)
  // What goes to both stores is picked once.
  if (!isRouted(good)) return { forClickHouse: good, forTimescale: good, excluded }
  return { forClickHouse: good.filter((record) => goesTo(record, 'clickhouse')), forTimescale: good.filter((record) => goesTo(record, 'timescaledb')), excluded }
}

/**
 * One attempt at all of it. Answers the records that a store refused for their data. Of a first attempt nothing is stored then;
 * of a repeat ClickHouse may have the rest, and never a row that is refused: that would be for somebody to look at.
 */
async function attempt(parted: PartedSlice, options: WriteSliceOptions): Promise<Refusals> {
  const { stores, ledger, flood, hold, signal, recorded } = options
  const { forClickHouse, forTimescale, excluded } = parted
  const { clickhouse, timescaledb } = stores
  let { slice } = parted
  const transaction = timescaledb === null ? null : await timescaledb.begin({ signal })
  const letters = new SliceLetters(excluded, options)
  // A transaction that waits for a search would run into its server's patience, and the search's result would be lost with it.
  const giveUp = async (): Promise<void> => {
    await Promise.all([transaction?.rollback().catch(() => {}), letters.takeBack()])
  }
  try {
    let refused: Refusals = new Map()
    if (transaction !== null && timescaledb !== null) refused = await refusedBy(timescaledb, forTimescale, signal, () => writeRecords(transaction, forTimescale), { flood, giveUp })
    if (clickhouse !== null && refused.size === 0) {
      letters.sendAhead(slice)
      const write = async (): Promise<void> => {
        if (isRepeat(slice, options)) slice = await storeWhatIsMissing(clickhouse, parted, { turn: hold.turn(), renewToken: recorded === null ? null : renewToken(options), signal })
        else await clickhouse.write(batchOf(forClickHouse, slice.token, hold.turn()), { signal })
      }
      refused = await refusedBy(clickhouse, forClickHouse, signal, write, { flood, giveUp })
    }
    if (refused.size > 0) {
      if (clickhouse !== null && isRepeat(slice, options)) await refuseIfStored(clickhouse, parted, refused, signal)
      return refused
    }
    if (recorded === null) flood.admitRefused(excluded.filter((record) => record.refusal?.code === 'refused-by-store').length)
    await letters.open()
    if (transaction !== null) {
      // Holds the ledger's entry until the commit: nobody takes over while letters are sent, and nobody who was taken over from sends any.
      await transaction.complete(hold.claim, slice)
      await letters.send(slice)
      await transaction.commit()
    } else {
      if (excluded.length > 0) await refuseTakenOver(ledger, hold.claim, signal)
      await letters.send(slice)
      await ledger.complete(hold.claim, slice, { signal })
    }
    return refused
  } catch (error) {
    await giveUp()
    throw error
  }
}

/** Records the slice under another token before that is sent. */
function renewToken({ ledger, hold, signal }: WriteSliceOptions): (slice: Slice) => Promise<Slice> {
  return async (slice) => {
    const renewed = withNewToken(slice)
    await ledger.record(hold.claim, renewed, { expectedOffset: hold.doneUpTo, signal })
    return renewed
  }
}

/** Whether ClickHouse may have rows of a slice: it was recorded before, or lies where the store is ahead of a ledger that lost its latest commits. */
function isRepeat(slice: Slice, { recorded }: WriteSliceOptions): boolean {
  return recorded !== null || isRecut(slice)
}

/** An owner that was suspended looks whether it still is one, before it sends letters. */
async function refuseTakenOver(ledger: SliceLedger, { scope, epoch, owner }: SliceClaim, signal: AbortSignal): Promise<void> {
  const state = await ledger.inspect(scope, { signal })
  if (state === null || state.epoch !== epoch || state.owner !== owner) throw staleEpochError(scope, epoch)
}

/** Runs a write; when the store refuses it for its data, finds out which records are to blame. */
async function refusedBy(
  store: JudgingStore,
  records: readonly SliceRecord[],
  signal: AbortSignal,
  write: () => Promise<unknown>,
  { flood, giveUp }: { flood: WriteSliceOptions['flood']; giveUp: () => Promise<void> },
): Promise<Refusals> {
  if (records.length === 0) return new Map()
  try {
    await write()
    return new Map()
  } catch (error) {
    if (!ValidationError.isInstance(error)) throw error
    await giveUp()
    const refused = await findCulprits(store, records, { signal, flood })
    if (refused.size > 0) return refused
    // The store refuses the rows together and none alone: no record is to blame, so none may be dead-lettered.
    throw new OperationError('a store refuses a batch for its data, but none of its rows alone', { code: 'ERR_MESSAGING_BATCH_REFUSED', cause: error })
  }
}

/**
 * A row may be refused on a repeat although ClickHouse took it before: somebody added a constraint, or another partition stored the
 * same key meanwhile. The record stays as it is, so that removing the cause and starting again mends it.
 */
async function refuseIfStored(clickhouse: RecoverableBatchWriter<IngestRow>, { slice, forClickHouse, forTimescale }: PartedSlice, refused: Refusals, signal: AbortSignal): Promise<void> {
  const origin = (forClickHouse[0] ?? forTimescale[0])?.batch
  if (origin === undefined) return
  const { firstOffset, lastOffset } = slice
  const stored = await clickhouse.storedOffsets({ topic: origin.topic, partition: origin.partition, firstOffset, lastOffset }, { signal })
  const conflicts = stored.filter((offset) => refused.has(offset)).map(String)
  if (conflicts.length === 0) return
  throw new OperationError(
    `a store refuses rows now that ClickHouse took before the slice was repeated (offsets ${conflicts.slice(0, 10).join(', ')}): remove what refuses them, or these rows, and start again`,
    { code: 'ERR_MESSAGING_SLICE_CONFLICT', context: { token: slice.token, conflicts: conflicts.length } },
  )
}
