import { ConfigurationError, type Slice, type SliceLedger } from '@smart-whale/interfaces'
import type { DeadLetterSink } from './dead-letter-outbox.ts'
import type { PartitionHold } from './partition-hold.ts'
import type { SentLetters } from './sent-letters.ts'
import { asRecorded, definitionChanged, goesTo, isRecut, namedLike, namedScope, recut, sliceOf, type SliceRecord, underEpoch } from './slice-records.ts'
import type { PipelineStores } from './write-slice.ts'

/** What a slice in flight is taken up with. */
export interface TakeUpOptions {
  /** Where rows of it may be already. @default none, required */
  readonly stores: Pick<PipelineStores, 'clickhouse'>
  /** What remembers the slice. @default none, required */
  readonly ledger: SliceLedger
  /** Says which letters were sent. @default none, required */
  readonly letters: SentLetters
  /** Says where letters will lie. @default none, required */
  readonly deadLetters: Pick<DeadLetterSink, 'position'>
  /** The partition as this worker holds it. @default none, required */
  readonly hold: Pick<PartitionHold, 'claim' | 'doneUpTo'>
  /** Of the definition as it is now. @default none, required */
  readonly fingerprint: string
  /** Gives it up. @default none, required */
  readonly signal: AbortSignal
}

/** A slice as the ledger has it, with its records parted so. */
export interface TakenUpSlice {
  readonly slice: Slice
  readonly records: readonly SliceRecord[]
  /** Whether the definition has changed since it was recorded first, and it was recorded anew. */
  readonly isRedefined: boolean
}

/**
 * The records of a slice that an earlier process left in flight, parted as they were then. Where the definition has changed since, the slice is
 * recorded anew under the present one, provided that nothing of it has left the process as it is recorded: rows of one definition never stand beside
 * rows of another in one slice.
 * @throws ConfigurationError `ERR_MESSAGING_DEFINITION_CHANGED` when something of it is stored, or in the dead letters, that only the former definition can finish
 */
export async function takeUpSlice(records: readonly SliceRecord[], slice: Slice, options: TakeUpOptions): Promise<TakenUpSlice> {
  const { hold, stores, fingerprint, signal } = options
  let parted: readonly SliceRecord[]
  try {
    parted = asRecorded(records, slice, hold.claim.scope, fingerprint)
  } catch (error) {
    const begun = ConfigurationError.isInstance(error) ? await whatHasBegun(records, slice, options) : 'as recorded'
    if (begun === 'as recorded') throw error
    return redefine(records, slice, begun, options)
  }
  await refuseStoredExclusions(records, stores, signal)
  return { slice, records: parted, isRedefined: false }
}

async function redefine(records: readonly SliceRecord[], slice: Slice, begun: 'nothing' | 'otherwise', { ledger, hold, stores, deadLetters, fingerprint, signal }: TakeUpOptions): Promise<TakenUpSlice> {
  if (begun === 'otherwise') await refuseStoredExclusions(records, stores, signal)
  const fresh = namedLike(underEpoch(sliceOf(namedScope(hold.claim.scope, slice), records, fingerprint), hold.claim.epoch), slice)
  const cut = isRecut(slice) || begun === 'otherwise' ? recut(fresh) : fresh
  const redefined = cut.excluded.length === 0 ? cut : { ...cut, deadLettersFrom: begun === 'nothing' ? await deadLetters.position({ signal }) : slice.deadLettersFrom }
  await ledger.record(hold.claim, redefined, { expectedOffset: hold.doneUpTo, replaces: [slice.token], signal })
  return { slice: redefined, records, isRedefined: true }
}

/**
 * A ledger that went back forgets slices that were written under an earlier definition. Where ClickHouse has a row of a record that is refused now, nothing is recorded,
 * so that the earlier definition can finish it.
 * @throws ConfigurationError `ERR_MESSAGING_DEFINITION_CHANGED`
 */
export async function refuseStoredExclusions(records: readonly SliceRecord[], { clickhouse }: Pick<PipelineStores, 'clickhouse'>, signal: AbortSignal): Promise<void> {
  const excluded = new Set(records.filter((record) => record.refusal !== null).map((record) => record.offset))
  const [first, last] = [records[0], records.at(-1)]
  if (clickhouse === null || excluded.size === 0 || first === undefined || last === undefined) return
  const { topic, partition } = first.batch
  const stored = await clickhouse.storedOffsets({ topic, partition, firstOffset: first.offset, lastOffset: last.offset }, { signal })
  const known = stored.find((offset) => excluded.has(offset))
  if (known !== undefined) throw definitionChanged(`the row of offset ${known} is stored, which its new definition refuses`)
}

/**
 * Whether ClickHouse has or had a row of the slice, or the dead letters a letter; PostgreSQL has rows of done slices alone. It was begun otherwise than it is
 * recorded where a row is there that the record excludes: by an owner whose own record a ledger that went back has forgotten.
 */
async function whatHasBegun(records: readonly SliceRecord[], slice: Slice, { stores: { clickhouse }, letters, signal }: TakeUpOptions): Promise<'nothing' | 'as recorded' | 'otherwise'> {
  const origin = records[0]?.batch
  if (origin === undefined) return 'as recorded'
  const { firstOffset, lastOffset } = slice
  const stored = (await clickhouse?.storedOffsets({ topic: origin.topic, partition: origin.partition, firstOffset, lastOffset }, { signal })) ?? []
  if (stored.some((offset) => slice.excluded.includes(offset))) return 'otherwise'
  if (stored.length > 0 || (clickhouse !== null && (await mayHaveFedViews(sentOf(records, slice), clickhouse, signal)))) return 'as recorded'
  // Also of a slice of which the ledger knows no letters: it may have lost the commit that did.
  return (await letters.hasOfRange(slice, { signal })) ? 'as recorded' : 'nothing'
}

/** The records whose rows may have been sent: not those that were excluded before. */
function sentOf(records: readonly SliceRecord[], { excluded }: Slice): readonly SliceRecord[] {
  const left = new Set(excluded)
  return records.filter((record) => !left.has(record.offset))
}

/** Rows that have all expired may have been there. Of views alone something is left then. */
async function mayHaveFedViews(records: readonly SliceRecord[], clickhouse: NonNullable<PipelineStores['clickhouse']>, signal: AbortSignal): Promise<boolean> {
  const rows = records.flatMap((record) => (record.row !== null && goesTo(record, 'clickhouse') ? [record.row] : []))
  if (rows.length === 0 || (await clickhouse.feedsViews?.({ signal })) !== true) return false
  return (await clickhouse.expiredAmong?.(rows, { signal }))?.length === rows.length
}
