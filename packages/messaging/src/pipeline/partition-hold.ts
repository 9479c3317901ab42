import { OperationError, type Slice, type SliceClaim, type SliceLedger, type TableClaim, tableTakenError, type WriteTurn } from '@smart-whale/interfaces'
import type { PartitionReader } from '../transport.ts'
import type { DeadLetterSink } from './dead-letter-outbox.ts'
import type { PipelineSink } from './event-types.ts'
import { type LetterPlaces, LetterRight, type LetterWork } from './letter-right.ts'
import { refuseRowsAhead, refuseUnknownRows } from './refuse-lost-ledger.ts'
import type { SentLetters } from './sent-letters.ts'
import { recut } from './slice-records.ts'
import type { PipelineStores } from './write-slice.ts'

/** What a partition is taken over with. */
export interface ClaimWork {
  readonly pipeline: string
  readonly owner: string
  readonly reader: PartitionReader
  readonly stores: PipelineStores
  /** Where rows go, by store. */
  readonly tables: Readonly<Record<PipelineSink, string>>
  readonly deadLetters: DeadLetterSink
  readonly letters: SentLetters
  /** Those of another pipeline that left a slice in flight, which was taken over. */
  readonly formerLetters: (pipeline: string) => LetterWork
  readonly ledger: SliceLedger
  /** Whether the ledger is known to have lost commits. */
  readonly hasLostCommits: boolean
}

/** The right to the letters of a slice that another pipeline recorded, and what says which of them are there. */
interface FormerLetters {
  readonly right: LetterRight
  readonly letters: SentLetters
}

/** What a partition is held by, besides its claim. */
interface TakenRights {
  readonly turn: WriteTurn | null
  readonly letters: LetterRight
  readonly former: FormerLetters | null
  /** The last offset of a row beyond what the ledger knows of. */
  readonly rowsUpTo: bigint | null
  readonly stores: Pick<PipelineStores, 'clickhouse'>
}

/**
 * A partition as this worker holds it: the claim that the ledger goes by, the turn that ClickHouse goes by, and the right to send letters. All are
 * refused once somebody else holds the partition.
 */
export class PartitionHold {
  readonly claim: SliceClaim
  readonly letters: LetterRight
  /** Where the slice in flight is another pipeline's, which was taken over. */
  readonly former: FormerLetters | null
  /** Where the ledger stands, as far as this worker knows: the first offset that is not done. */
  doneUpTo: bigint
  readonly #stores: Pick<PipelineStores, 'clickhouse'>
  #turn: WriteTurn | null
  readonly #rowsUpTo: bigint | null
  #isUsed = false

  constructor(claim: SliceClaim, { turn, letters, former, rowsUpTo, stores }: TakenRights) {
    this.claim = claim
    this.doneUpTo = claim.nextOffset
    this.letters = letters
    this.former = former
    this.#rowsUpTo = rowsUpTo
    this.#stores = stores
    this.#turn = turn
  }

  /** The last offset of which rows or dead letters were there when they were looked for, where that is beyond what the ledger knew of at the claim. */
  get storedUpTo(): bigint | null {
    const { seenUpTo } = this.letters
    if (seenUpTo === null || this.#rowsUpTo === null) return seenUpTo ?? this.#rowsUpTo
    return seenUpTo > this.#rowsUpTo ? seenUpTo : this.#rowsUpTo
  }

  /** By which right the letters of a slice are sent: a slice that was taken over keeps the name that it was begun under. */
  lettersOf(slice: Slice | null): LetterRight {
    return slice?.recordedBy === undefined ? this.letters : (this.former?.right ?? this.letters)
  }

  /** What ClickHouse is written under. */
  turn(): WriteTurn {
    this.#isUsed = true
    if (this.#turn !== null) return this.#turn
    throw new OperationError('a pipeline without ClickHouse has no turn to write there', { code: 'ERR_MESSAGING_PIPELINE_HALTED' })
  }

  /**
   * Before anything is sent again: what was sent under the turn may still be on its way, held up anywhere. It comes too late afterwards.
   * @throws `ERR_STALE_EPOCH` when somebody else holds the partition
   */
  async renewTurn(signal: AbortSignal): Promise<void> {
    if (!this.#isUsed || this.#stores.clickhouse === null) return
    this.#turn = await this.#stores.clickhouse.takeTurn(this.claim, { signal })
    this.#isUsed = false
  }
}

/**
 * Takes a partition over. The order is the point: what the stores know decides whether it may be claimed at all, the claim's epoch is larger
 * than any that ClickHouse has seen, and only when ClickHouse keeps everybody else out is it asked what it holds. So with letters: only when the broker
 * refuses everybody else's are they looked for.
 */
export async function takePartition(work: ClaimWork, signal: AbortSignal): Promise<PartitionHold> {
  const { reader, ledger, stores } = work
  const { clickhouse } = stores
  const scope = { pipeline: work.pipeline, topicId: reader.topicId, partition: reader.partition }
  const { earliest } = await reader.bounds({ signal })
  await refuseTakenTable(work, signal)
  const latestTurn = (await clickhouse?.latestTurn(scope, { signal })) ?? null
  const before = await ledger.inspect(scope, { signal })
  if (before === null) {
    if (stores.timescaledb === null) await claimProgress(work, signal)
    await refuseUnknownRows(work, scope, { earliest, latestTurn }, signal).catch(async (error: unknown) => {
      // This worker may have been suspended meanwhile, and another pipeline have begun.
      await refuseTakenTable(work, signal)
      throw error
    })
  }

  await claimTables(work, signal)
  // Since the looks above, this worker may have been suspended, and another pipeline been given all that: the ledger decides that in one with the claim.
  const into = tableClaim(work, stores.timescaledb === null ? 'clickhouse' : 'timescaledb')
  const claim = await ledger.claim(scope, work.owner, { startOffset: earliest, isKnown: before !== null, aboveEpoch: latestTurn?.epoch ?? 0n, into, signal })
  const end = endOf(claim)
  // Asked behind the claim: before it, this worker may have been suspended, and others have gone on with what came since.
  const { latest } = await reader.bounds({ signal })
  if (end > latest) throw ledgerAhead(reader, end, latest)
  await refuseRowsAhead(work, claim, signal)
  const turn = clickhouse === null ? null : await clickhouse.takeTurn(claim, { signal })
  // A turn comes after its claim: where ClickHouse knows a later epoch than the ledger did, the ledger has gone back.
  const isBehind = work.hasLostCommits || (latestTurn !== null && (before?.epoch ?? 0n) < latestTurn.epoch) || (await isBehindGroup(work, claim, signal))
  const trusted = isBehind ? await distrust(ledger, claim, signal) : claim
  const rowsUpTo = (await clickhouse?.lastStored({ topic: reader.topic, partition: reader.partition, firstOffset: end }, { signal })) ?? null
  const places: LetterPlaces = { firstOffset: claim.nextOffset, endOffset: end, where: isBehind ? 'all' : 'latest' }
  const { letters, former } = await takeLetters(work, trusted, places, signal)
  return new PartitionHold(trusted, { turn, letters, former, rowsUpTo, stores })
}

/** Both rights are taken before anybody looks: what the former pipeline has open hides the letters behind it, for as long as nobody ends that. */
async function takeLetters(work: ClaimWork, claim: SliceClaim, places: LetterPlaces, signal: AbortSignal): Promise<Pick<TakenRights, 'letters' | 'former'>> {
  const former = await takeFormerLetters(work, claim, places, signal)
  const letters = await LetterRight.take(work, places, { signal })
  await letters.look({ signal })
  await former?.right.look({ signal })
  return { letters, former }
}

/** The letters of a slice that another pipeline left in flight: whoever still works under that name is refused by the broker from then on. */
async function takeFormerLetters(work: ClaimWork, { inFlight }: SliceClaim, places: LetterPlaces, signal: AbortSignal): Promise<FormerLetters | null> {
  const former = inFlight?.recordedBy
  // A name that was taken over and is back: the same right can't be held twice.
  if (former === undefined || former === work.pipeline) return null
  const { deadLetters, letters } = work.formerLetters(former)
  return { right: await LetterRight.take({ deadLetters, letters }, places, { signal }), letters }
}

/** Before anything is looked at that would have another reason then. */
async function refuseTakenTable(work: ClaimWork, signal: AbortSignal): Promise<void> {
  const holder = (await work.stores.clickhouse?.tableHolder(work.reader.topicId, { signal })) ?? null
  if (holder !== null && holder !== work.pipeline) throw tableTakenError({ ...tableClaim(work, 'clickhouse'), store: 'ClickHouse', holder })
}

/**
 * Rows of two pipelines that store a topic into one table would be doubles: each store gives its table to one of them, for all partitions, before the ledger knows of any.
 * Always in this order, so that of two pipelines that begin at once with the same tables one has both.
 */
async function claimTables(work: ClaimWork, signal: AbortSignal): Promise<void> {
  const { clickhouse, timescaledb } = work.stores
  if (timescaledb !== null) await work.ledger.claimTable?.(tableClaim(work, 'timescaledb'), { signal })
  await clickhouse?.claimTable(tableClaim(work, 'clickhouse'), { signal })
}

/**
 * A take-over gives the ledger's progress away first, and ClickHouse's table last. One that was killed in between leaves a pipeline that has the table, and no progress: it would
 * begin anew, and what it does from there on nobody would know of who goes on with the progress. @throws `ERR_TABLE_TAKEN`, naming the command
 */
async function claimProgress(work: ClaimWork, signal: AbortSignal): Promise<void> {
  await work.ledger.claimTable?.(tableClaim(work, 'clickhouse'), { signal })
}

function tableClaim({ pipeline, reader: { topic, topicId }, tables }: ClaimWork, sink: PipelineSink): TableClaim {
  return { pipeline, topicId, topic, table: tables[sink], store: sink === 'clickhouse' ? 'ClickHouse' : 'PostgreSQL' }
}

/** The group's offset is committed behind the ledger, so that it never is ahead of one that has not gone back. */
async function isBehindGroup({ stores, reader }: ClaimWork, { nextOffset }: SliceClaim, signal: AbortSignal): Promise<boolean> {
  if (stores.ledger === null) return false
  const committed = await reader.committed({ signal })
  return committed !== null && committed.offset > nextOffset
}

/**
 * A ledger that went back may not know the latest token that the slice in flight was sent under: what ClickHouse has of it is looked up, and nothing
 * is concluded from tokens.
 */
async function distrust(ledger: SliceLedger, claim: SliceClaim, signal: AbortSignal): Promise<SliceClaim> {
  if (claim.inFlight === null) return claim
  const inFlight = recut(claim.inFlight)
  await ledger.record(claim, inFlight, { expectedOffset: claim.nextOffset, replaces: [claim.inFlight.token], signal })
  return { ...claim, inFlight }
}

/** The first offset that the ledger knows nothing of. */
export function endOf({ nextOffset, inFlight }: SliceClaim): bigint {
  return inFlight === null ? nextOffset : inFlight.lastOffset + 1n
}

function ledgerAhead(reader: PartitionReader, end: bigint, latest: bigint): OperationError {
  return new OperationError(
    `the ledger has partition ${reader.partition} of "${reader.topic}" done up to offset ${end}, but the topic ends at ${latest}: it lost messages, and new ones at those offsets would be taken for done`,
    { code: 'ERR_MESSAGING_LEDGER_AHEAD' },
  )
}
