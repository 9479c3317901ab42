import { type Clock, InfrastructureError, type Logger, type Slice, type SliceLedger, staleEpochError } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import type { PartitionReader } from '../transport.ts'
import { cutSlice, releaseRecords, rereadRange } from './cut-slices.ts'
import type { SliceDecoder } from './decode-batch.ts'
import type { Comebacks } from './comebacks.ts'
import type { DeadLetterSink } from './dead-letter-outbox.ts'
import type { FloodGuard } from './flood-guard.ts'
import { foreseeRefusals } from './foresee-refusals.ts'
import { graceAfter } from './grace-after.ts'
import { createGroupOffsetLedger } from './group-offset-ledger.ts'
import type { LetterWork } from './letter-right.ts'
import { endOf, type PartitionHold, takePartition } from './partition-hold.ts'
import type { PipelineDefinition, SliceLimits } from './pipeline-definition.ts'
import { PartitionRoom, type SliceBudget } from './slice-budget.ts'
import type { PartitionProgress } from './pipeline-status.ts'
import type { SentLetters } from './sent-letters.ts'
import { isDoneAfterAll, rememberTokens, type SentSlice, wentBack } from './sent-slice.ts'
import type { SliceRecord } from './slice-records.ts'
import { takeUpSlice } from './take-up-slice.ts'
import { untilItWorks } from './until-it-works.ts'
import { outcomeOf, type PipelineStores, type SliceOutcome, writeSlice } from './write-slice.ts'

/** Everything that the worker of one partition works with. */
export interface PartitionWork {
  readonly pipeline: string
  readonly owner: string
  readonly reader: PartitionReader
  readonly stores: PipelineStores
  /** Where rows go, by store. */
  readonly tables: PipelineDefinition['tables']
  readonly deadLetters: DeadLetterSink
  readonly letters: SentLetters
  /** Those of another pipeline that left a slice in flight, which was taken over. */
  readonly formerLetters: (pipeline: string) => LetterWork
  readonly decode: SliceDecoder
  /** Of the definition that `decode` was compiled from. */
  readonly fingerprint: string
  readonly limits: SliceLimits
  /** Shared with all other partitions of the process. */
  readonly budget: SliceBudget
  readonly flood: FloodGuard
  /** Shared with the pipeline's other partitions. */
  readonly comebacks: Comebacks
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
  /** Whether the partition is claimed anew because the ledger was not as this worker left it. */
  readonly hasLostCommits: boolean
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
  const held = { ...work, ledger: work.stores.ledger ?? createGroupOffsetLedger(reader) }
  try {
    let hasLostCommits = false
    for (let reclaims = 0; !reader.signal.aborted; reclaims++) {
      const before = work.progress.status().nextOffset
      const error = await holdPartition({ ...held, hasLostCommits }, writing.signal).then(
        () => null,
        (reason: unknown) => reason,
      )
      if (error === null) return
      hasLostCommits = hasCode(error, 'ERR_MESSAGING_LEDGER_WENT_BACK')
      if (!hasLostCommits && !hasCode(error, 'ERR_STALE_EPOCH')) throw error
      // Somebody else holds the partition, and this worker, which may have been suspended for hours, hears of it first from a store.
      if (!hasLostCommits) await untilRevoked(reader.signal, work.clock)
      if (work.progress.status().nextOffset !== before) reclaims = 0
      if (reader.signal.aborted || reclaims >= MAX_RECLAIMS) throw error
      work.logger.warn({ err: error, partition: reader.partition }, 'the partition is no longer as this worker left it, and the group leaves it here: claiming it anew')
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
    tellLoss(work, position, earliest)
    position = position < earliest ? earliest : position
    work.reader.seek(position)
    await catchGroupUp(work, hold, signal)
  }
  if (hold.storedUpTo !== null) {
    work.logger.warn({ partition: claim.scope.partition, ledger: String(position), stored: String(hold.storedUpTo) }, 'there are rows or dead letters that the ledger knows nothing of: up to there, each slice is looked up before it is written')
  }
  await moveOn(work, hold, position, signal)
}

/** What is to come next is no longer there. Nothing can bring it back, so that the partition goes on; which offsets are gone has to be known. */
function tellLoss({ reader, progress, logger }: HeldWork, position: bigint, earliest: bigint): void {
  if (position >= earliest || !progress.lost(position, earliest - 1n)) return
  const range = { topic: reader.topic, partition: reader.partition, firstOffset: String(position), lastOffset: String(earliest - 1n) }
  logger.error(range, 'the topic removed records before they were stored: its retention is shorter than the pipeline was away or behind')
}

/** The main loop: while one slice is written, the next one is read and decoded, and ClickHouse asked about it where that is worth it. */
async function moveOn(work: HeldWork, hold: PartitionHold, from: bigint, signal: AbortSignal): Promise<void> {
  const room = new PartitionRoom(work.budget, work.limits.maxBytes, work.clock, work.reader.signal)
  const cut = (): Promise<readonly SliceRecord[]> => {
    const reading = cutWithin(work, hold, room)
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
      if (records.length === 0) done(work, room)
      if (records.length === 0 && work.clock.monotonic() - lookedAt < LOOK_EVERY_MS) continue
      if (records.length === 0) await untilItWorks(work, signal, () => refuseLostCommits(work, hold, signal))
      lookedAt = work.clock.monotonic()
      if (records.length === 0) continue
      // What a store was found to refuse is counted when it is sure that it goes to the dead letters.
      work.flood.admit(records.length, records.filter(({ refusal }) => refusal !== null && refusal.code !== 'refused-by-store').length)
      await store(work, hold, records, null, signal)
      done(work, room)
    }
  } finally {
    // Whoever claims the partition anew reads from it, and a reader has one read at a time.
    await next.catch(() => {})
    room.close()
  }
}

/** The next slice, no larger than there is room for. */
async function cutWithin(work: HeldWork, hold: PartitionHold, room: PartitionRoom): Promise<readonly SliceRecord[]> {
  const maxBytes = await room.begin()
  try {
    const { records, bytes } = await cutSlice(work.reader, { ...work.limits, maxBytes }, work.decode, work.clock, () => room.grow())
    room.cut(bytes)
    return await foreseeRefusals(withinSpan(work, records), { ...work, hold, signal: work.reader.signal })
  } catch (error) {
    room.drop()
    throw error
  }
}

/** Nobody looks at the oldest slice any more. */
function done({ decode }: HeldWork, room: PartitionRoom): void {
  decode.done()
  room.done()
}

/** A ledger that lost commits is noticed with the next slice; where none comes, by looking. @throws `ERR_STALE_EPOCH` */
async function refuseLostCommits({ ledger }: HeldWork, { claim, doneUpTo }: PartitionHold, signal: AbortSignal): Promise<void> {
  const state = await ledger.inspect(claim.scope, { signal })
  if (state?.epoch !== claim.epoch || state.owner !== claim.owner) throw staleEpochError(claim.scope, claim.epoch)
  if (state.nextOffset !== doneUpTo) throw wentBack(claim)
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

async function finishInFlight(work: HeldWork, hold: PartitionHold, recorded: Slice, signal: AbortSignal): Promise<void> {
  const { logger, reader, fingerprint } = work
  const range = { partition: reader.partition, from: String(recorded.firstOffset), to: String(recorded.lastOffset) }
  logger.info(range, 'repeating the slice that was in flight')
  const read = await untilItWorks(work, signal, () => rereadRange(reader, recorded, work.decode))
  const { letters } = hold.former ?? work
  const { slice, records, isRedefined } = await untilItWorks(work, signal, () => takeUpSlice(read, recorded, { ...work, letters, deadLetters: hold.lettersOf(recorded), hold, fingerprint, signal }))
  if (isRedefined) logger.warn(range, 'the slice was cut under another definition, by which nothing of it was stored: it is made anew')
  await store(work, hold, records, slice, signal)
  work.decode.done()
}

/** How long ago the topic got a record, in milliseconds. */
function ageOf(record: SliceRecord | undefined, clock: Clock): number {
  return record === undefined ? 0 : clock.now() - record.batch.timestampAt(record.index)
}

/** Writes one slice, as often as it takes; what the ledger says after a failure decides how it goes on. */
async function store(work: HeldWork, hold: PartitionHold, records: readonly SliceRecord[], inFlight: Slice | null, signal: AbortSignal): Promise<void> {
  const lastOffset = records.at(-1)?.offset ?? 0n
  const sent: SentSlice = { asRead: records, records, recorded: inFlight, tokens: inFlight === null ? [] : [inFlight.token], confirmed: inFlight === null ? 0 : 1 }
  const { stores, flood, fingerprint } = work
  const ledger = rememberTokens(work.ledger, sent)
  let failedBefore = false
  const outcome = await untilItWorks<SliceOutcome>(work, signal, async () => {
    if (failedBefore && (await isDoneAfterAll(work, hold, sent, signal))) return outcomeOf(sent.records)
    failedBefore = true
    return writeSlice(sent.records, { stores, ledger, deadLetters: hold.lettersOf(sent.recorded), flood, hold, signal, recorded: sent.recorded, isTakenOver: inFlight !== null, fingerprint })
  })
  hold.doneUpTo = lastOffset + 1n
  work.progress.done(lastOffset + 1n, outcome, ageOf(records[0], work.clock))
  releaseRecords(records)
  if (outcome.stored > 0) work.onStored()
  await tellGroup(work, hold, signal)
}

/**
 * A group's offset that was set back, or has expired, would tell of a lag that is none until the next event comes. One that is ahead of the ledger is
 * left alone: it is the mark of a ledger that lost commits.
 */
async function catchGroupUp(work: HeldWork, hold: PartitionHold, signal: AbortSignal): Promise<void> {
  if (work.stores.ledger === null || hold.doneUpTo === 0n) return
  const committed = await work.reader.committed({ signal }).catch(() => undefined)
  if (committed === undefined || (committed !== null && committed.offset >= hold.doneUpTo)) return
  await tellGroup(work, hold, signal)
}

/** The ledger decides where to go on; the group's offset is for those who watch the lag, so failing to store it stops nothing. */
async function tellGroup({ stores, reader, logger }: HeldWork, { doneUpTo }: PartitionHold, signal: AbortSignal): Promise<void> {
  if (stores.ledger === null) return
  await reader.commit(doneUpTo, { signal }).catch((error: unknown) => logger.warn({ err: error, partition: reader.partition }, 'the group offset was not committed'))
}

/** Resolves when the partition is revoked, or when that would have happened by now. */
async function untilRevoked(revoked: AbortSignal, clock: Clock): Promise<void> {
  await sleep(REVOCATION_MS, { signal: revoked, clock }).catch(() => {})
}

const hasCode = (error: unknown, code: string): boolean => InfrastructureError.isInstance(error) && error.code === code
