import { OperationError, type SliceClaim, type SliceLedger, type SliceScope, type WriteTurn } from '@smart-whale/interfaces'
import type { PartitionReader } from '../transport.ts'
import { recut } from './slice-records.ts'
import type { PipelineStores } from './write-slice.ts'

/** What a partition is taken over with. */
export interface ClaimWork {
  readonly pipeline: string
  readonly owner: string
  readonly reader: PartitionReader
  readonly stores: Pick<PipelineStores, 'clickhouse'>
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
  /** The last offset that ClickHouse held when the partition was taken over, where that is beyond what the ledger knows of. */
  readonly storedUpTo: bigint | null
  /** Where the ledger stands, as far as this worker knows: the first offset that is not done. */
  doneUpTo: bigint
  readonly #stores: ClaimWork['stores']
  #turn: WriteTurn | null
  #isUsed = false

  constructor(claim: SliceClaim, turn: WriteTurn | null, storedUpTo: bigint | null, stores: ClaimWork['stores']) {
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
  const { earliest, latest } = await reader.bounds({ signal })
  const latestEpoch = clickhouse === null ? null : await clickhouse.latestEpoch(scope, { signal })
  const before = await ledger.inspect(scope, { signal })
  if (before === null) await refuseUnknownRows(work, scope, { earliest, latestEpoch }, signal)

  const claim = await ledger.claim(scope, work.owner, { startOffset: earliest, aboveEpoch: latestEpoch ?? 0n, signal })
  const end = endOf(claim)
  if (end > latest) throw ledgerAhead(reader, end, latest)
  if (clickhouse === null) return new PartitionHold(claim, null, null, stores)
  const turn = await clickhouse.takeTurn(claim, { signal })
  // A turn comes after its claim: where ClickHouse knows a later epoch than the ledger did, the ledger has gone back.
  const isBehind = work.hasLostCommits || (latestEpoch !== null && (before?.epoch ?? 0n) < latestEpoch)
  const trusted = isBehind ? await distrust(ledger, claim, signal) : claim
  const storedUpTo = await clickhouse.lastStored({ topic: reader.topic, partition: reader.partition, firstOffset: end }, { signal })
  return new PartitionHold(trusted, turn, storedUpTo, stores)
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

/**
 * Rows know their topic by its name, the ledger by its id. A partition that the ledger has never seen while ClickHouse has rows of it is a
 * topic that was deleted and made again, or a ledger that was lost: recovery would take those rows for its own, or store rows anew that were
 * removed on purpose. Looked at before the claim, so that no crash in between makes the partition known.
 */
async function refuseUnknownRows({ stores, ledger, reader, pipeline }: ClaimWork, scope: SliceScope, { earliest, latestEpoch }: { earliest: bigint; latestEpoch: bigint | null }, signal: AbortSignal): Promise<void> {
  const stored = await stores.clickhouse?.lastStored({ topic: reader.topic, partition: reader.partition, firstOffset: earliest }, { signal })
  if (stored === null || stored === undefined) return
  // This worker may have been suspended meanwhile, and somebody else have begun: what is stored was in the ledger before.
  if ((await ledger.inspect(scope, { signal })) !== null) return
  if (latestEpoch === null) {
    throw new OperationError(
      `ClickHouse has rows of partition ${reader.partition} of an earlier topic "${reader.topic}", up to offset ${stored}, or another pipeline writes them: offsets would be taken for stored that are not; delete those rows, or let the pipeline write to another table`,
      { code: 'ERR_MESSAGING_TOPIC_BEGAN_AGAIN' },
    )
  }
  throw new OperationError(
    `the ledger has lost partition ${reader.partition} of pipeline "${pipeline}": ClickHouse has its rows up to offset ${stored}; restore the ledger, or set the group's offset there (the rows behind it are looked up one by one), then start again`,
    { code: 'ERR_MESSAGING_LEDGER_LOST', context: { topic: reader.topic, partition: reader.partition, stored: String(stored) } },
  )
}

function ledgerAhead(reader: PartitionReader, end: bigint, latest: bigint): OperationError {
  return new OperationError(
    `the ledger has partition ${reader.partition} of "${reader.topic}" done up to offset ${end}, but the topic ends at ${latest}: it lost messages, and new ones at those offsets would be taken for done`,
    { code: 'ERR_MESSAGING_LEDGER_AHEAD' },
  )
}
