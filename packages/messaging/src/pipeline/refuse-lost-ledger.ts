import { type LatestTurn, OperationError, type SliceClaim, type SliceLedger, type SliceScope, staleEpochError } from '@smart-whale/interfaces'
import type { PipelineErrorCode } from '../errors.ts'
import type { PartitionReader } from '../transport.ts'
import type { PipelineStores } from './write-slice.ts'

/** A partition, and whoever knows something of it. */
interface Work {
  readonly reader: Pick<PartitionReader, 'topic' | 'partition'>
  readonly stores: PipelineStores
  readonly ledger: SliceLedger
}

/** The largest offset that a store has of a partition, and its name for people. */
interface StoredTo {
  readonly store: 'ClickHouse' | 'PostgreSQL'
  readonly offset: bigint
}

/**
 * Rows know their topic by its name, the ledger by its id. A partition that the ledger has never seen while a store has rows of it is a
 * topic that was deleted and made again, a pipeline that was renamed, or a ledger that was lost: recovery would take those rows for its own,
 * or store them a second time. Looked at before the claim, so that no crash in between makes the partition known.
 *
 * @param known of it: its first offset, and the turns that ClickHouse has seen; null when none, or without ClickHouse
 */
export async function refuseUnknownRows(work: Work, scope: SliceScope, known: { readonly earliest: bigint; readonly latestTurn: LatestTurn | null }, signal: AbortSignal): Promise<void> {
  // This worker may have been suspended before it looks, and somebody else have begun: what is stored was in the ledger before.
  const isUnknown = async (): Promise<boolean> => (await work.ledger.inspect(scope, { signal })) === null
  const stored = await lookTwice(() => firstStoreWithRows(work, known.earliest, signal), isUnknown)
  if (stored === null) return
  const reason = await whyUnknown(work, scope, stored, known, signal)
  // Or between these looks the progress of another pipeline became this one's: then nobody has it any more whose it was, and all is as it should be.
  if (reason !== null && (await isUnknown())) throw reason
}

/**
 * What is known beside the partition tells a ledger that was lost from one that is right not to know it. Null where it is known by now: it may have been given to this pipeline
 * since, and may be given on to another one before anybody looks again, which the claim finds out.
 */
async function whyUnknown(work: Work, scope: SliceScope, stored: StoredTo, known: { readonly earliest: bigint; readonly latestTurn: LatestTurn | null }, signal: AbortSignal): Promise<OperationError | null> {
  const beside = (await work.ledger.knownBeside?.(scope, { signal })) ?? []
  if (beside.some(({ pipeline, topicId }) => pipeline === scope.pipeline && topicId === scope.topicId)) return null
  const renamed = beside.find(({ topicId }) => topicId === scope.topicId)
  if (renamed !== undefined) return pipelineRenamed(work, scope, stored, renamed.pipeline)
  const wasMadeAgain = beside.some(({ pipeline }) => pipeline === scope.pipeline) || (stored.store === 'ClickHouse' && known.latestTurn === null)
  return wasMadeAgain ? topicBeganAgain(work, stored) : ledgerLost(work, scope, stored, known.earliest)
}

/**
 * Rows in PostgreSQL and the ledger's entry are one commit: a row at or behind what is to be done next was committed with a ledger that knew
 * more. Looked at after the claim, which waits for such a commit and lets no later one through but its own.
 */
export async function refuseRowsAhead(work: Work, { scope, nextOffset, epoch, owner }: SliceClaim, signal: AbortSignal): Promise<void> {
  const { topic, partition } = work.reader
  // This worker may have been suspended before it looks, and somebody else have gone on.
  const isOurs = async (): Promise<true> => {
    const state = await work.ledger.inspect(scope, { signal })
    if (state?.epoch !== epoch || state.owner !== owner) throw staleEpochError(scope, epoch)
    return true
  }
  const stored = await lookTwice(async () => (await work.stores.timescaledb?.lastStored({ topic, partition, firstOffset: nextOffset }, { signal })) ?? null, isOurs)
  if (stored === null) return
  throw refusal(
    'ERR_MESSAGING_LEDGER_LOST',
    `the ledger is older than the table: it has ${placeOf(work)} done up to offset ${nextOffset} for the pipeline "${scope.pipeline}", and PostgreSQL has its rows up to ${stored}, which would be stored a second time; restore ledger and table from the same backup, or have the ledger go on at offset ${stored + 1n}`,
    { topic, partition, nextOffset: String(nextOffset), stored: String(stored) },
  )
}

/**
 * What is stored although the ledger doesn't know of it; null when there is no such thing. Between the two questions a replica may have taken over that
 * has neither the rows nor the entry that they came with: one look could halt a pipeline for nothing.
 */
async function lookTwice<T>(findStored: () => Promise<T | null>, isUnknown: () => Promise<boolean>): Promise<T | null> {
  let stored: T | null = null
  for (let look = 0; look < 2; look++) {
    stored = await findStored()
    if (stored === null || !(await isUnknown())) return null
  }
  return stored
}

async function firstStoreWithRows({ stores, reader }: Work, firstOffset: bigint, signal: AbortSignal): Promise<StoredTo | null> {
  const source = { topic: reader.topic, partition: reader.partition, firstOffset }
  for (const [store, writer] of [['PostgreSQL', stores.timescaledb], ['ClickHouse', stores.clickhouse]] as const) {
    const offset = await writer?.lastStored(source, { signal })
    if (offset !== null && offset !== undefined) return { store, offset }
  }
  return null
}

function topicBeganAgain(work: Work, { store, offset }: StoredTo): OperationError {
  return refusal(
    'ERR_MESSAGING_TOPIC_BEGAN_AGAIN',
    `${store} has rows of ${placeOf(work)} of an earlier topic of that name, up to offset ${offset}, or another pipeline wrote them: offsets would be taken for stored that are not; delete those rows, or let the pipeline write to another table`,
    { topic: work.reader.topic, partition: work.reader.partition, stored: String(offset) },
  )
}

function pipelineRenamed(work: Work, scope: SliceScope, { store, offset }: StoredTo, before: string): OperationError {
  return refusal(
    'ERR_MESSAGING_PIPELINE_RENAMED',
    `the pipeline "${scope.pipeline}" would store ${placeOf(work)} from the beginning, and ${store} has its rows up to offset ${offset}: the ledger knows the partition as one of "${before}"; give the pipeline that name again, let it take over (smart-whale-ingestor take-over --from ${before} --pipeline ${scope.pipeline}), or let it write to another table`,
    { topic: work.reader.topic, partition: work.reader.partition, pipeline: scope.pipeline, before, stored: String(offset) },
  )
}

function ledgerLost(work: Work, { pipeline, topicId }: SliceScope, { store, offset }: StoredTo, earliest: bigint): OperationError {
  const goOn = howToGoOn(work, { store, offset }, earliest)
  return refusal(
    'ERR_MESSAGING_LEDGER_LOST',
    `the ledger knows nothing of ${placeOf(work)} for the pipeline "${pipeline}", and ${store} has its rows up to offset ${offset}: it was lost, or is another one (the topic's id is ${topicId}); restore it, or ${goOn}, then start again`,
    { topic: work.reader.topic, partition: work.reader.partition, stored: String(offset) },
  )
}

/**
 * Rows in PostgreSQL were committed with the ledger: they say where it was. Those in ClickHouse may have holes, which only a look at each shows.
 * A ledger of the group's is set by Kafka's own tools; one that is elsewhere doesn't ask what the group has committed.
 */
function howToGoOn({ stores }: Work, { store, offset }: StoredTo, earliest: bigint): string {
  if (store === 'PostgreSQL') return `have it go on at offset ${offset + 1n}`
  if (stores.ledger === null) return 'set the group’s offset there (the rows behind it are looked up one by one)'
  return `enter the partition there with ${earliest}, the first offset of the topic, as its next (what ClickHouse has of it is looked up row by row; the group’s offset is not asked)`
}

const placeOf = ({ reader }: Work): string => `partition ${reader.partition} of "${reader.topic}"`

function refusal(code: PipelineErrorCode, message: string, context: Readonly<Record<string, unknown>>): OperationError {
  return new OperationError(message, { code, context })
}
