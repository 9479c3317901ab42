import { type Clock, InfrastructureError, type Logger, type Slice, type SliceLedger, staleEpochError } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import type { PartitionReader } from '../transport.ts'
import { cutSlice, rereadRange } from './cut-slices.ts'
import type { SliceDecoder } from './decode-batch.ts'
import type { DeadLetterSink } from './dead-letter-outbox.ts'
import type { FloodGuard } from './flood-guard.ts'
import { createGroupOffsetLedger } from './group-offset-ledger.ts'
import { endOf, type PartitionHold, takePartition } from './partition-hold.ts'
import type { SliceLimits } from './pipeline-definition.ts'
import type { PartitionProgress } from './pipeline-status.ts'
import { asRecorded, type SliceRecord } from './slice-records.ts'
import { outcomeOf, type PipelineStores, type SliceOutcome, writeSlice } from './write-slice.ts'

/** Everything that the worker of one partition works with. */
export interface PartitionWork {
  readonly pipeline: string
  readonly owner: string
  readonly reader: PartitionReader
  readonly stores: PipelineStores
  readonly deadLetters: DeadLetterSink
  readonly decode: SliceDecoder
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

/** The work with its ledger: the stores', or the group's offsets. */
interface HeldWork extends PartitionWork {
  readonly ledger: SliceLedger
}

/** How often a partition is claimed anew without a slice between, before that counts as a fault. */
const MAX_RECLAIMS = 3
/** How long a revocation may take to arrive once a store has said that somebody else holds the partition, in milliseconds. */
const REVOCATION_MS = 10_000

/** How often a partition without events looks whether the ledger still stands where it left it, in milliseconds. */
const LOOK_EVERY_MS = 30_000

/** Moves one partition on, slice by slice, until it is revoked. Rejects only when going on would be wrong. */
export async function runPartition(work: PartitionWork): Promise<void> {
  const { reader } = work
  const writing = graceAfter(reader.signal, work.graceMs, work.clock)
  const held: HeldWork = { ...work, ledger: work.stores.ledger ?? createGroupOffsetLedger(reader) }
  try {
    for (let reclaims = 0; ; reclaims++) {
      const before = work.progress.status().nextOffset
      await holdPartition(held, writing.signal).catch(async (error: unknown) => {
        if (!InfrastructureError.isInstance(error) || error.code !== 'ERR_STALE_EPOCH') throw error
        // Somebody else holds the partition, and this worker, which may have been suspended for hours, hears of it first from a store.
        await untilRevoked(reader.signal, work.clock)
        const isStuck = work.progress.status().nextOffset === before && reclaims >= MAX_RECLAIMS
        if (reader.signal.aborted || isStuck) throw error
        work.logger.warn({ err: error, partition: reader.partition }, 'somebody else wrote for this partition, and the group leaves it here: claiming it anew')
        if (work.progress.status().nextOffset !== before) reclaims = 0
      })
      if (reader.signal.aborted) return
    }
  } catch (error) {
    if (!reader.signal.aborted) throw error
    work.logger.debug({ err: error, partition: reader.partition }, 'partition given up')
  } finally {
    writing.dispose()
  }
}

/** From a claim until it is over. */
async function holdPartition(work: HeldWork, signal: AbortSignal): Promise<void> {
  const hold = await untilItWorks(work, signal, () => takePartition(work, signal))
  const { claim } = hold
  let position = endOf(claim)
  if (claim.inFlight !== null) {
    await finishInFlight(work, hold, claim.inFlight, signal)
  } else {
    const { earliest } = await untilItWorks(work, signal, () => work.reader.bounds({ signal }))
    if (position < earliest) work.logger.error({ partition: claim.scope.partition, from: String(position), to: String(earliest) }, 'messages were removed by retention before they were stored')
    position = position < earliest ? earliest : position
    work.reader.seek(position)
  }
  if (hold.storedUpTo !== null) {
    work.logger.warn({ partition: claim.scope.partition, ledger: String(position), stored: String(hold.storedUpTo) }, 'ClickHouse has rows that the ledger knows nothing of: up to there, each slice is looked up before it is written')
  }
  await moveOn(work, hold, position, signal)
}

/** The main loop: while one slice is written, the next one is read and decoded. */
async function moveOn(work: HeldWork, hold: PartitionHold, from: bigint, signal: AbortSignal): Promise<void> {
  const cut = (): Promise<readonly SliceRecord[]> => {
    const reading = cutSlice(work.reader, work.limits, work.decode, work.clock).then((records) => withinSpan(work, records))
    // Awaited a round later, or never when the partition is revoked: until then a rejection must not count as unhandled.
    reading.catch(() => {})
    return reading
  }
  let position = from
  let next = cut()
  let lookedAt = work.clock.monotonic()
  try {
    while (!work.reader.signal.aborted) {
      const records = await readOn(work, next, position, cut, signal)
      position = (records.at(-1)?.offset ?? position - 1n) + 1n
      next = cut()
      if (records.length === 0 && work.clock.monotonic() - lookedAt < LOOK_EVERY_MS) continue
      if (records.length === 0) await untilItWorks(work, signal, () => refuseLostCommits(work, hold, signal))
      lookedAt = work.clock.monotonic()
      if (records.length === 0) continue
      work.flood.admit(records.length, records.filter((record) => record.refusal !== null).length)
      await store(work, hold, records, null, signal)
    }
  } finally {
    // Whoever claims the partition anew reads from it, and a reader has one read at a time.
    await next.catch(() => {})
  }
}

/** A ledger that lost commits is noticed with the next slice; where none comes, by looking. @throws `ERR_STALE_EPOCH` */
async function refuseLostCommits({ ledger }: HeldWork, { claim, doneUpTo }: PartitionHold, signal: AbortSignal): Promise<void> {
  const state = await ledger.inspect(claim.scope, { signal })
  if (state?.epoch !== claim.epoch || state.owner !== claim.owner || state.nextOffset !== doneUpTo) throw staleEpochError(claim.scope, claim.epoch)
}

/** As much of a slice as the ledger has room for; the rest is read again. */
function withinSpan({ ledger, reader }: HeldWork, records: readonly SliceRecord[]): readonly SliceRecord[] {
  const first = records[0]?.offset
  if (first === undefined || ledger.maxSpan === undefined) return records
  const end = first + BigInt(ledger.maxSpan)
  if ((records.at(-1)?.offset ?? first) < end) return records
  const fitting = records.filter((record) => record.offset < end)
  reader.seek((fitting.at(-1)?.offset ?? first) + 1n)
  return fitting
}

/** What was read ahead; where that failed it is read again, from where the last slice ended. */
async function readOn(work: HeldWork, ahead: Promise<readonly SliceRecord[]>, position: bigint, cut: () => Promise<readonly SliceRecord[]>, signal: AbortSignal): Promise<readonly SliceRecord[]> {
  let first = true
  return untilItWorks(work, signal, () => {
    if (!first) work.reader.seek(position)
    const reading = first ? ahead : cut()
    first = false
    return reading
  })
}

async function finishInFlight(work: HeldWork, hold: PartitionHold, slice: Slice, signal: AbortSignal): Promise<void> {
  const { scope } = hold.claim
  work.logger.info({ partition: scope.partition, from: String(slice.firstOffset), to: String(slice.lastOffset) }, 'repeating the slice that was in flight')
  const records = await untilItWorks(work, signal, () => rereadRange(work.reader, slice, work.decode))
  await store(work, hold, asRecorded(records, slice, scope, work.fingerprint), slice, signal)
}

/** How long ago the topic got a record, in milliseconds. */
function ageOf(record: SliceRecord | undefined, clock: Clock): number {
  return record === undefined ? 0 : clock.now() - record.batch.timestampAt(record.index)
}

/** Writes one slice, as often as it takes; what the ledger says after a failure decides how it goes on. */
async function store(work: HeldWork, hold: PartitionHold, records: readonly SliceRecord[], inFlight: Slice | null, signal: AbortSignal): Promise<void> {
  const lastOffset = records.at(-1)?.offset ?? 0n
  const sent: SentSlice = { asRead: records, records, recorded: inFlight, isRecorded: inFlight !== null }
  let failedBefore = false
  const outcome = await untilItWorks<SliceOutcome>(work, signal, async () => {
    if (failedBefore && (await isDoneAfterAll(work, hold, sent, signal))) return outcomeOf(sent.records)
    failedBefore = true
    const { stores, ledger, deadLetters, flood, fingerprint } = work
    const onRecorded = (): void => void (sent.isRecorded = true)
    return writeSlice(sent.records, { stores, ledger, deadLetters, flood, hold, signal, recorded: sent.recorded, fingerprint, onRecorded })
  })
  hold.doneUpTo = lastOffset + 1n
  work.progress.done(lastOffset + 1n, outcome, ageOf(records[0], work.clock))
  if (outcome.stored > 0) work.onStored()
  if (work.stores.ledger === null) return
  // The ledger decides where to go on; the group's offset is for those who watch the lag, so failing to store it stops nothing.
  await work.reader.commit(lastOffset + 1n, { signal }).catch((error: unknown) => work.logger.warn({ err: error, partition: hold.claim.scope.partition }, 'the group offset was not committed'))
}

/** A slice as it was sent, for as long as it is not known to be done. */
interface SentSlice {
  readonly asRead: readonly SliceRecord[]
  /** Parted as the ledger has the slice. */
  records: readonly SliceRecord[]
  /** As the ledger has it in flight. */
  recorded: Slice | null
  /** Whether the ledger has said so. */
  isRecorded: boolean
}

/**
 * After a failure: whether the commit came through and only its answer was lost. If not, the slice is to be sent again as the ledger has it.
 * @throws `ERR_STALE_EPOCH` when somebody else holds the partition, or when the ledger has lost what it had confirmed
 */
async function isDoneAfterAll(work: HeldWork, hold: PartitionHold, sent: SentSlice, signal: AbortSignal): Promise<boolean> {
  const { claim, doneUpTo } = hold
  await hold.renewTurn(signal)
  const state = await work.ledger.inspect(claim.scope, { signal })
  const [first, last] = [sent.records[0]?.offset, sent.records.at(-1)?.offset]
  if (state === null || first === undefined || last === undefined || state.epoch !== claim.epoch || state.owner !== claim.owner) throw staleEpochError(claim.scope, claim.epoch)
  if (state.nextOffset === last + 1n) return true
  const hasOtherSlice = state.inFlight === null ? sent.isRecorded : state.inFlight.firstOffset !== first || state.inFlight.lastOffset !== last
  if (state.nextOffset !== doneUpTo || hasOtherSlice) throw staleEpochError(claim.scope, claim.epoch)
  sent.recorded = state.inFlight
  sent.records = state.inFlight === null ? sent.asRead : asRecorded(sent.asRead, state.inFlight, claim.scope, work.fingerprint)
  return false
}

/** Resolves when the partition is revoked, or when that would have happened by now. */
async function untilRevoked(revoked: AbortSignal, clock: Clock): Promise<void> {
  await sleep(REVOCATION_MS, { signal: revoked, clock }).catch(() => {})
}

/**
 * Runs a step until it works. A store or broker that is away pauses the partition: nothing is read on, nothing is lost,
 * nothing is dead-lettered. What waiting can't mend is thrown.
 */
async function untilItWorks<T>(work: HeldWork, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
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
  'ERR_MESSAGING_LEDGER_LOST',
  'ERR_MESSAGING_LEDGER_FULL',
  'ERR_MESSAGING_LOG_CORRUPT',
  'ERR_MESSAGING_OFFSET_OUT_OF_RANGE',
  'ERR_MESSAGING_PIPELINE_HALTED',
  'ERR_MESSAGING_SLICE_CONFLICT',
  'ERR_MESSAGING_SLICE_DOUBLED',
  'ERR_MESSAGING_SLICE_GONE',
  'ERR_MESSAGING_TOPIC_BEGAN_AGAIN',
  'ERR_MESSAGING_VIEWS_UNCERTAIN',
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
