import { OperationError, type SliceClaim, type SliceLedger, type WriteTurn } from '@smart-whale/interfaces'
import type { PartitionReader } from '../transport.ts'
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
  readonly letters: SentLetters
  readonly ledger: SliceLedger
  /** Whether the ledger is known to have lost commits. */
  readonly hasLostCommits: boolean
}

/**
 * A partition as this worker holds it: the claim that the ledger goes by, and the turn that ClickHouse goes by. Both are refused
 * once somebody else holds the partition.
 */
export class PartitionHold {
  readonly claim: SliceClaim
  /** The last offset of which rows or dead letters were there when the partition was taken over, where that is beyond what the ledger knows of. */
  readonly storedUpTo: bigint | null
  /** Where the ledger stands, as far as this worker knows: the first offset that is not done. */
  doneUpTo: bigint
  readonly #stores: Pick<PipelineStores, 'clickhouse'>
  #turn: WriteTurn | null
  #isUsed = false

  constructor(claim: SliceClaim, turn: WriteTurn | null, storedUpTo: bigint | null, stores: Pick<PipelineStores, 'clickhouse'>) {
    this.claim = claim
    this.doneUpTo = claim.nextOffset
    this.storedUpTo = storedUpTo
    this.#stores = stores
    this.#turn = turn
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
 * than any that ClickHouse has seen, and only when ClickHouse keeps everybody else out is it asked what it holds.
 */
export async function takePartition(work: ClaimWork, signal: AbortSignal): Promise<PartitionHold> {
  const { reader, ledger, stores } = work
  const { clickhouse } = stores
  const scope = { pipeline: work.pipeline, topicId: reader.topicId, partition: reader.partition }
  const { earliest } = await reader.bounds({ signal })
  const latestEpoch = clickhouse === null ? null : await clickhouse.latestEpoch(scope, { signal })
  const before = await ledger.inspect(scope, { signal })
  if (before === null) await refuseUnknownRows(work, scope, { earliest, latestEpoch }, signal)

  const claim = await ledger.claim(scope, work.owner, { startOffset: earliest, aboveEpoch: latestEpoch ?? 0n, signal })
  const end = endOf(claim)
  // Asked behind the claim: before it, this worker may have been suspended, and others have gone on with what came since.
  const { latest } = await reader.bounds({ signal })
  if (end > latest) throw ledgerAhead(reader, end, latest)
  await refuseRowsAhead(work, claim, signal)
  const turn = clickhouse === null ? null : await clickhouse.takeTurn(claim, { signal })
  // A turn comes after its claim: where ClickHouse knows a later epoch than the ledger did, the ledger has gone back.
  const isBehind = work.hasLostCommits || (latestEpoch !== null && (before?.epoch ?? 0n) < latestEpoch) || (await isBehindGroup(work, claim, signal))
  const trusted = isBehind ? await distrust(ledger, claim, signal) : claim
  return new PartitionHold(trusted, turn, await lastOfAnything(work, end, isBehind, signal), stores)
}

/** The group's offset is committed behind the ledger, so that it never is ahead of one that has not gone back. */
async function isBehindGroup({ stores, reader }: ClaimWork, { nextOffset }: SliceClaim, signal: AbortSignal): Promise<boolean> {
  if (stores.ledger === null) return false
  const committed = await reader.committed({ signal })
  return committed !== null && committed.offset > nextOffset
}

/** The last offset, not below the first, that left something behind: a row, or a letter of what was no row. */
async function lastOfAnything({ stores, reader, letters }: ClaimWork, firstOffset: bigint, isBehind: boolean, signal: AbortSignal): Promise<bigint | null> {
  const row = (await stores.clickhouse?.lastStored({ topic: reader.topic, partition: reader.partition, firstOffset }, { signal })) ?? null
  const letter = await letters.lastOffset(isBehind, { signal })
  if (letter === null || letter < firstOffset) return row
  return row === null || letter > row ? letter : row
}

/**
 * A ledger that went back may not know the latest token that the slice in flight was sent under: what ClickHouse has of it is looked up, and nothing
 * is concluded from tokens.
 */
async function distrust(ledger: SliceLedger, claim: SliceClaim, signal: AbortSignal): Promise<SliceClaim> {
  if (claim.inFlight === null) return claim
  const inFlight = recut(claim.inFlight)
  await ledger.record(claim, inFlight, { expectedOffset: claim.nextOffset, signal })
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
