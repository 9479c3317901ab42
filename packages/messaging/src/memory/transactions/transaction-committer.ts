import { sleep } from '@smart-whale/core-resilience'
import { abortedError, type Clock, InfrastructureError, type Logger } from '@smart-whale/interfaces'
import { messagingError } from '../../errors.ts'
import type { BrokerStore } from '../broker-store.ts'
import type { FramePart } from '../log/frame.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { LogReservation } from '../log/reservations.ts'
import type { GroupPlace, ProgressGroup } from '../ownership.ts'
import type { Topic } from '../topic.ts'
import { type CommitPlan, type PlannedAppend, type PlannedProgress, recordsIn } from './commit-plan.ts'

/** Records of a transaction for one partition. */
export interface StagedAppend {
  readonly topic: Topic
  readonly partition: number
  readonly parts: FramePart[]
  bytes: number
}

/** Progress of a transaction in one partition. */
export interface StagedProgress {
  readonly place: GroupPlace
  readonly nextOffset: number
  readonly metadata: string
}

/** One transaction that is to be committed. */
export interface StagedCommit {
  readonly appends: readonly StagedAppend[]
  readonly progress: readonly StagedProgress[]
  /** Throws when its producer may not commit any more; asked right before it is decided. */
  readonly checkCurrent: () => void
  /** Told when the decision is being written, and again when it surely wasn't. */
  readonly onDeciding: (isUndecided: boolean) => void
}

/** What a committer works with. */
export interface CommitterOptions {
  /** Keeps the note of what is decided. @default none, required */
  readonly store: BrokerStore
  /** The log of a partition; undefined when its topic is gone. @default none, required */
  readonly findLog: (topicId: string, partition: number) => PartitionLog | undefined
  /** The group of a name, as it is or new. @default none, required */
  readonly group: (groupId: string) => ProgressGroup
  /** Whose time passes between attempts. @default none, required */
  readonly clock: Clock
  /** Told what could not be finished yet. @default none, required */
  readonly logger: Logger
}

const RETRY_MS = 500

/**
 * Commits transactions, one after the other. What one does is written down as a whole first, with the place where each record will lie,
 * while nobody else writes there; from then on it is decided, and a broker that dies finishes it at its next start. A transaction that
 * does a single thing needs no note: one frame, or one file, is there or isn't.
 */
export class TransactionCommitter {
  readonly #options: CommitterOptions
  readonly #closing = new AbortController()
  #last: Promise<void> = Promise.resolve()

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  /** Resolves when all of it is durable and seen. The signal counts until it is decided. */
  commit(staged: StagedCommit, signal: AbortSignal): Promise<void> {
    const turn = this.#last.then(() => this.#commit(staged, signal))
    this.#last = turn.catch(() => {})
    return turn
  }

  /** Finishes what a broker that died had decided. */
  async recover(): Promise<void> {
    const plan = await this.#options.store.loadCommit()
    if (plan === undefined) return
    this.#options.logger.info({ partitions: plan.appends.length }, 'a transaction that was decided before the stop is finished now')
    await this.#finish(plan, (append, log) => log.append(joinedPart(append.parts)).stored)
    await this.#options.store.forgetCommit()
  }

  /** What can't be finished is left for the next start. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#last
  }

  async #commit(staged: StagedCommit, signal: AbortSignal): Promise<void> {
    const releases: (() => void)[] = []
    try {
      for (const { topic, bytes } of staged.appends) {
        await topic.claim(bytes, signal)
        releases.push(() => topic.release(bytes))
      }
      const reserved: { readonly append: PlannedAppend; readonly reservation: LogReservation }[] = []
      for (const { topic, partition, parts } of staged.appends) {
        const reservation = await logOf(topic, partition).reserve()
        releases.push(reservation.release)
        reserved.push({ append: { topicId: topic.id, partition, offset: reservation.offset, parts }, reservation })
      }
      for (const { place } of staged.progress) releases.push(place.group.holdStill(place.key))
      if (signal.aborted || this.#closing.signal.aborted) throw abortedError('committing a transaction', signal)
      staged.checkCurrent()
      for (const { place } of staged.progress) place.checkHeld()
      await this.#decide({ appends: reserved.map(({ append }) => append), progress: staged.progress.map(planned) }, staged, (append) => {
        const found = reserved.find((each) => each.append === append)
        return found?.reservation.append(append.parts)
      })
    } finally {
      for (const release of releases.reverse()) release()
    }
  }

  async #decide(plan: CommitPlan, { onDeciding }: StagedCommit, append: (planned: PlannedAppend) => Promise<void> | undefined): Promise<void> {
    const { store } = this.#options
    const needsNote = plan.appends.length + new Set(plan.progress.map(({ groupId }) => groupId)).size > 1
    onDeciding(true)
    if (needsNote) {
      try {
        await store.saveCommit(plan)
      } catch (error) {
        await store.forgetCommit()
        onDeciding(false)
        throw error
      }
      await this.#untilFinished(plan, append)
      await store.forgetCommit()
    } else {
      await this.#finish(plan, append).catch((error: unknown) => {
        // What may pass, a full disk, took nothing; of a file that failed nobody knows what it has.
        if (InfrastructureError.isInstance(error) && error.retryable) onDeciding(false)
        throw error
      })
    }
    onDeciding(false)
  }

  /** Decided is decided: a disk that is full now may have room later, and until then nobody else writes there. */
  async #untilFinished(plan: CommitPlan, append: (planned: PlannedAppend) => Promise<void> | undefined): Promise<void> {
    const { clock, logger } = this.#options
    for (;;) {
      try {
        return await this.#finish(plan, append)
      } catch (error) {
        logger.error({ err: error }, 'a transaction that is decided could not be written yet')
        await sleep(RETRY_MS, { clock, signal: this.#closing.signal })
      }
    }
  }

  async #finish(plan: CommitPlan, append: (planned: PlannedAppend, log: PartitionLog) => Promise<unknown> | undefined): Promise<void> {
    for (const planned of plan.appends) {
      const log = this.#options.findLog(planned.topicId, planned.partition)
      // A topic that was deleted takes what was sent to it along.
      if (log === undefined || log.latest >= planned.offset + recordsIn(planned.parts)) continue
      if (log.latest !== planned.offset) throw notWhereItEnded(planned, log.latest)
      await append(planned, log)
    }
    const byGroup = Map.groupBy(plan.progress, ({ groupId }) => groupId)
    for (const [groupId, progress] of byGroup) await this.#options.group(groupId).storeProgress(progress.map(({ key, nextOffset, metadata }) => [key, { nextOffset, metadata }]))
  }
}

const planned = ({ place, nextOffset, metadata }: StagedProgress): PlannedProgress => ({ groupId: place.group.groupId, key: place.key, nextOffset, metadata })

function logOf(topic: Topic, partition: number): PartitionLog {
  const log = topic.logs[partition]
  if (log === undefined) throw messagingError('ERR_MESSAGING_PARTITION_NOT_FOUND', `partition ${partition} of topic "${topic.name}" is gone`, { status: 404 })
  return log
}

/** All parts as one append, which is written as one. */
function joinedPart(parts: readonly FramePart[]): FramePart {
  return { body: Buffer.concat(parts.map(({ body }) => body)), records: recordsIn(parts), maxTimestamp: Math.max(...parts.map(({ maxTimestamp }) => maxTimestamp)) }
}

function notWhereItEnded({ topicId, partition, offset }: PlannedAppend, latest: number): Error {
  const message = `a decided transaction has records for offset ${offset} of partition ${partition} (topic id ${topicId}), whose log ends at ${latest}. Restore the data folder from a backup`
  return messagingError('ERR_MESSAGING_LOG_CORRUPT', message, { context: { topicId, partition, offset, latest } })
}
