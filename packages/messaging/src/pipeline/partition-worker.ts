import { type Clock, InfrastructureError, type Logger, OperationError, type Slice, type SliceClaim, type SliceScope, staleEpochError } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import type { PartitionReader } from '../transport.ts'
import { cutSlice, rereadRange } from './cut-slices.ts'
import type { BatchDecoder } from './decode-batch.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { SliceLimits } from './pipeline-definition.ts'
import type { PartitionProgress } from './pipeline-status.ts'
import { asRecorded, type SliceRecord } from './slice-records.ts'
import { type DeadLetterSink, outcomeOf, type PipelineStores, type SliceOutcome, writeSlice } from './write-slice.ts'

/** Everything that the worker of one partition works with. */
export interface PartitionWork {
  readonly pipeline: string
  readonly owner: string
  readonly reader: PartitionReader
  readonly stores: PipelineStores
  readonly deadLetters: DeadLetterSink
  readonly decode: BatchDecoder
  /** Of the definition that `decode` was compiled from. */
  readonly fingerprint: string | null
  readonly limits: SliceLimits
  readonly flood: FloodGuard
  readonly progress: PartitionProgress
  readonly clock: Clock
  readonly logger: Logger
  /** How long a slice that is being written may go on after the partition was revoked, in milliseconds. */
  readonly graceMs: number
  /** Told after each slice that every store has it. */
  readonly onStored: () => void
}

/** Moves one partition on, slice by slice, until it is revoked. Rejects only when going on would be wrong. */
export async function runPartition(work: PartitionWork): Promise<void> {
  const { reader } = work
  const writing = graceAfter(reader.signal, work.graceMs, work.clock)
  try {
    const scope = { pipeline: work.pipeline, topicId: reader.topicId, partition: reader.partition }
    const claim = await untilItWorks(work, writing.signal, () => claimPartition(work, scope, writing.signal))
    if (claim.inFlight !== null) await finishInFlight(work, claim, claim.inFlight, writing.signal)
    else reader.seek(claim.nextOffset)
    await moveOn(work, claim, writing.signal)
  } catch (error) {
    if (!reader.signal.aborted) throw error
    work.logger.debug({ err: error, partition: reader.partition }, 'partition given up')
  } finally {
    writing.dispose()
  }
}

/** The main loop: while one slice is written, the next one is read and decoded. */
async function moveOn(work: PartitionWork, claim: SliceClaim, signal: AbortSignal): Promise<void> {
  const cut = (): Promise<readonly SliceRecord[]> => {
    const reading = cutSlice(work.reader, work.limits, work.decode, work.clock)
    // Awaited a round later, or never when the partition is revoked: until then a rejection must not count as unhandled.
    reading.catch(() => {})
    return reading
  }
  let position = claim.inFlight === null ? claim.nextOffset : claim.inFlight.lastOffset + 1n
  let next = cut()
  while (!work.reader.signal.aborted) {
    const records = await readOn(work, next, position, cut, signal)
    position = (records.at(-1)?.offset ?? position - 1n) + 1n
    next = cut()
    if (records.length === 0) continue
    work.flood.admit(records.length, records.filter((record) => record.refusal !== null).length)
    await store(work, claim, records, null, signal)
  }
}

/** What was read ahead; where that failed it is read again, from where the last slice ended. */
async function readOn(work: PartitionWork, ahead: Promise<readonly SliceRecord[]>, position: bigint, cut: () => Promise<readonly SliceRecord[]>, signal: AbortSignal): Promise<readonly SliceRecord[]> {
  let first = true
  return untilItWorks(work, signal, () => {
    if (!first) work.reader.seek(position)
    const reading = first ? ahead : cut()
    first = false
    return reading
  })
}

async function claimPartition(work: PartitionWork, scope: SliceScope, signal: AbortSignal): Promise<SliceClaim> {
  const { earliest, latest } = await work.reader.bounds({ signal })
  const claim = await work.stores.ledger.claim(scope, work.owner, { startOffset: earliest, signal })
  const end = claim.inFlight === null ? claim.nextOffset : claim.inFlight.lastOffset + 1n
  if (end > latest) {
    throw new OperationError(
      `the ledger has partition ${scope.partition} of "${work.reader.topic}" done up to offset ${end}, but the topic ends at ${latest}: it lost messages, and new ones at those offsets would be taken for done`,
      { code: 'ERR_MESSAGING_LEDGER_AHEAD' },
    )
  }
  if (claim.epoch === 1n) await refuseRowsOfAnotherTopic(work, signal)
  if (claim.nextOffset < earliest) work.logger.error({ partition: scope.partition, from: String(claim.nextOffset), to: String(earliest) }, 'messages were removed by retention before they were stored')
  return claim.nextOffset < earliest && claim.inFlight === null ? { ...claim, nextOffset: earliest } : claim
}

/**
 * Rows know their topic by its name, the ledger by its id. A partition that the ledger sees for the first time while ClickHouse already has
 * rows of it is a topic that was deleted and made again, or a ledger that was lost: recovery would take those rows for its own.
 */
async function refuseRowsOfAnotherTopic({ stores, reader }: PartitionWork, signal: AbortSignal): Promise<void> {
  const range = { topic: reader.topic, partition: reader.partition, firstOffset: 0n, lastOffset: 2n ** 63n - 1n }
  const stored = (await stores.clickhouse?.storedOffsets(range, { signal })) ?? []
  if (stored.length === 0) return
  throw new OperationError(
    `ClickHouse has ${stored.length} rows of partition ${reader.partition} of an earlier topic "${reader.topic}": offsets would be taken for stored that are not; delete those rows, or let the pipeline write to another table`,
    { code: 'ERR_MESSAGING_TOPIC_BEGAN_AGAIN' },
  )
}

async function finishInFlight(work: PartitionWork, claim: SliceClaim, slice: Slice, signal: AbortSignal): Promise<void> {
  work.logger.info({ partition: claim.scope.partition, from: String(slice.firstOffset), to: String(slice.lastOffset) }, 'repeating the slice that was in flight')
  const records = await untilItWorks(work, signal, () => rereadRange(work.reader, slice, work.decode))
  await store(work, claim, asRecorded(records, slice, claim.scope, work.fingerprint), slice, signal)
}

/** Writes one slice, as often as it takes; what the ledger says after a failure decides how it goes on. */
async function store(work: PartitionWork, claim: SliceClaim, records: readonly SliceRecord[], inFlight: Slice | null, signal: AbortSignal): Promise<void> {
  const lastOffset = records.at(-1)?.offset ?? 0n
  let recorded = inFlight
  let given = records
  let failedBefore = false
  const deadLetters = eachOnce(work.deadLetters)
  const outcome = await untilItWorks<SliceOutcome>(work, signal, async () => {
    if (failedBefore) {
      const state = await work.stores.ledger.inspect(claim.scope, { signal })
      if (state === null || state.epoch !== claim.epoch) throw staleEpochError(claim.scope, claim.epoch)
      // The commit came through and only its answer was lost.
      if (state.nextOffset > lastOffset) return outcomeOf(given)
      recorded = state.inFlight
      given = recorded === null ? records : asRecorded(records, recorded, claim.scope, work.fingerprint)
    }
    failedBefore = true
    return writeSlice(given, { stores: work.stores, deadLetters, flood: work.flood, claim, signal, recorded, fingerprint: work.fingerprint })
  })
  work.progress.done(lastOffset + 1n, outcome)
  if (outcome.stored > 0) work.onStored()
  // The ledger decides where to go on; the group's offset is for those who watch the lag, so failing to store it stops nothing.
  await work.reader.commit(lastOffset + 1n, { signal }).catch((error: unknown) => work.logger.warn({ err: error, partition: claim.scope.partition }, 'the group offset was not committed'))
}

/** A repeat within this process sends no dead letter again. */
function eachOnce(send: DeadLetterSink): DeadLetterSink {
  const sent = new Set<bigint>()
  return async (records, options) => {
    const unsent = records.filter((record) => !sent.has(record.offset))
    if (unsent.length === 0) return
    await send(unsent, options)
    for (const record of unsent) sent.add(record.offset)
  }
}

/**
 * Runs a step until it works. A store or broker that is away pauses the partition: nothing is read on, nothing is lost,
 * nothing is dead-lettered. What waiting can't mend is thrown.
 */
async function untilItWorks<T>(work: PartitionWork, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      const result = await step()
      if (failures > 0) work.logger.info({ partition: work.reader.partition, failures }, 'partition goes on')
      work.progress.resumed()
      return result
    } catch (error) {
      if (signal.aborted || work.reader.signal.aborted || isFatal(error)) throw error
      if (failures === 0) work.logger.warn({ err: error, partition: work.reader.partition }, 'partition paused: a slice could not be written')
      work.progress.paused(error)
      await sleep(pauseMs(failures), { signal: work.reader.signal, clock: work.clock })
    }
  }
}

/** What waiting can't mend: the pipeline halts and says so. */
const FATAL_CODES = new Set([
  'ERR_STALE_EPOCH',
  'ERR_MESSAGING_BATCH_REFUSED',
  'ERR_MESSAGING_DEFINITION_CHANGED',
  'ERR_MESSAGING_LEDGER_AHEAD',
  'ERR_MESSAGING_LOG_CORRUPT',
  'ERR_MESSAGING_OFFSET_OUT_OF_RANGE',
  'ERR_MESSAGING_PIPELINE_HALTED',
  'ERR_MESSAGING_SLICE_CONFLICT',
  'ERR_MESSAGING_SLICE_DOUBLED',
  'ERR_MESSAGING_SLICE_GONE',
  'ERR_MESSAGING_TOPIC_BEGAN_AGAIN',
])

function isFatal(error: unknown): boolean {
  return InfrastructureError.isInstance(error) && FATAL_CODES.has(error.code)
}

/** 100 ms, 200 ms, … 5 s, half of it by chance, so that many partitions don't come back in step. */
function pauseMs(failures: number): number {
  const ceiling = Math.min(5000, 100 * 2 ** Math.min(failures, 10))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}

/** A signal that aborts some time after another one: a slice that is being written when the partition is revoked may be finished. */
function graceAfter(revoked: AbortSignal, graceMs: number, clock: Clock): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  let timer: unknown
  const begin = (): void => {
    timer = clock.setTimeout(() => controller.abort(revoked.reason), graceMs)
  }
  if (revoked.aborted) begin()
  else revoked.addEventListener('abort', begin, { once: true })
  return {
    signal: controller.signal,
    dispose: () => {
      revoked.removeEventListener('abort', begin)
      clock.clearTimeout(timer)
    },
  }
}
