import type { Clock, Logger } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import { isMessagingError } from '../errors.ts'
import type { PartitionReader, RecordBatch } from '../transport.ts'
import { KeyLanes, type WorkUnit } from './key-lanes.ts'
import { OffsetCommitter } from './offset-committer.ts'
import { OffsetTracker, type TrackedOffset } from './offset-tracker.ts'
import { Patience } from './patience.ts'
import { type ReadRecord, recordAt } from './read-record.ts'
import type { WorkSlots } from './work-slots.ts'

const MAX_WAIT_MS = 5_000

/** What a {@link PartitionFlow} is made from. */
export interface PartitionFlowOptions {
  /** The partition to read. @default none, required */
  readonly reader: PartitionReader
  /** Handlers that may run at a time, here and in every flow that shares the slots. @default none, required */
  readonly slots: WorkSlots
  /** Whose turn this flow's work is among those that share the slots. @default none, required */
  readonly priority: number
  /** Whether only messages of one key wait for each other; else each waits for the one before it. @default none, required */
  readonly isOrderedByKey: boolean
  /** Records that are handled together, at most. @default none, required */
  readonly batchSize: number
  /** How many records reading may be ahead of the lowest one that is not done. @default none, required */
  readonly maxInFlight: number
  /** How many bytes reading may be ahead of it. @default none, required */
  readonly bufferBytes: number
  /** The longest that progress may wait for its commit, in milliseconds. @default none, required */
  readonly commitIntervalMs: number
  /** How long one call to the broker may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
  /** How long handlers may go on after the partition was revoked, before their signal aborts; in milliseconds. @default none, required */
  readonly drainTimeoutMs: number
  /** Whose time passes. @default none, required */
  readonly clock: Clock
  /** Where trouble is said. @default none, required */
  readonly logger: Logger
  /** How long a record has to wait before it is handled, in milliseconds; those behind it wait too. @default none, required */
  waitBefore(record: ReadRecord): number
  /** Deals with records; resolves with those that it didn't, which the next owner of the partition is to have. @default none, required */
  handle(records: readonly ReadRecord[], signals: HandlingSignals): Promise<ReadonlySet<ReadRecord>>
}

/** When handling is to end. */
export interface HandlingSignals {
  /** The partition is being taken back: what fails now is for the next owner. */
  readonly revoked: AbortSignal
  /** The time to finish is over. */
  readonly expired: AbortSignal
}

interface Job {
  readonly record: ReadRecord
  readonly tracked: TrackedOffset
}

/**
 * One partition from the broker to the handlers and back to the committed offset.
 *
 * Three things go on at a time: reading, as far as there is room; handing out, as far as there are slots and free keys; and
 * committing, up to the lowest record that is not done. So what is in memory is bounded, a slow key holds up no other one until
 * that bound, and nothing that was not dealt with is ever behind the committed offset.
 */
export class PartitionFlow {
  readonly #options: PartitionFlowOptions
  readonly #tracker = new OffsetTracker()
  readonly #lanes = new KeyLanes<Job>()
  readonly #committer: OffsetCommitter
  readonly #running = new Set<Promise<void>>()
  /** Aborts when the flow ends by itself; its reason is why. */
  readonly #failed = new AbortController()
  readonly #ending: AbortSignal
  #lastBegun = -1n

  constructor(options: PartitionFlowOptions) {
    this.#options = options
    const { reader, commitIntervalMs, timeoutMs, clock, logger } = options
    this.#committer = new OffsetCommitter({ reader, tracker: this.#tracker, intervalMs: commitIntervalMs, timeoutMs, clock, logger })
    this.#ending = AbortSignal.any([reader.signal, this.#failed.signal])
  }

  /** Runs until the partition is revoked. Rejects when it can't go on, so that the membership ends and is taken up again. */
  async run(): Promise<void> {
    const { reader, drainTimeoutMs, clock } = this.#options
    using patience = new Patience(this.#ending, drainTimeoutMs, clock)
    whenAborted(this.#ending, () => this.#fillGaps())
    whenAborted(patience.signal, () => this.#lanes.close())
    const handingOut = this.#handOut(patience.signal)
    await this.#readOn().catch((error: unknown) => this.#failed.abort(error))
    await handingOut
    await Promise.all(this.#running)
    await this.#committer.finish()
    if (this.#failed.signal.aborted && !reader.signal.aborted) throw this.#failed.signal.reason
  }

  async #readOn(): Promise<void> {
    const { maxInFlight, bufferBytes } = this.#options
    while (!this.#ending.aborted) {
      const room = maxInFlight - this.#tracker.size
      const bytes = bufferBytes - this.#tracker.bytes
      // Half of the room at least, so that a read brings many.
      if (room * 2 < maxInFlight || bytes * 2 < bufferBytes) await this.#tracker.nextFinish(this.#ending)
      else await this.#take(await this.#read(room, bytes))
    }
  }

  async #read(maxRecords: number, maxBytes: number): Promise<RecordBatch | null> {
    const { reader, logger } = this.#options
    try {
      return await reader.read({ maxBytes, maxRecords, maxWaitMs: MAX_WAIT_MS, signal: this.#failed.signal })
    } catch (error) {
      if (this.#ending.aborted) return null
      if (!isMessagingError(error) || error.code !== 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE') throw error
      const { earliest } = await reader.bounds()
      logger.warn({ topic: reader.topic, partition: reader.partition, error, earliest: String(earliest) }, 'records were removed before they were handled')
      reader.seek(earliest)
      return null
    }
  }

  /** All of the batch counts as being in flight before the first of it is handed out, so that no commit passes it. */
  async #take(batch: RecordBatch | null): Promise<void> {
    if (batch === null) return
    if (batch.length === 0) return this.#passOver(batch.nextOffset)
    const bytesEach = Math.ceil(batch.bytes / batch.length)
    const jobs = Array.from({ length: batch.length }, (_, index): Job => {
      const record = recordAt(batch, index)
      return { record, tracked: this.#tracker.begin(record.offset, bytesEach) }
    })
    this.#tracker.readUpTo(batch.nextOffset)
    for (const job of jobs) {
      await this.#waitBefore(job.record)
      if (this.#ending.aborted) return
      this.#lanes.add(this.#keyOf(job.record), job)
    }
  }

  /** Behind the last record there may be nothing but the ends of transactions: a group that has read all of it isn't behind. */
  #passOver(nextOffset: bigint): void {
    if (this.#lastBegun < 0n) return
    this.#tracker.readUpTo(nextOffset)
    this.#committer.progressed()
  }

  async #waitBefore(record: ReadRecord): Promise<void> {
    const waitMs = this.#options.waitBefore(record)
    if (waitMs <= 0) return
    // Only the end of the flow ends the wait early.
    await sleep(waitMs, { signal: this.#ending, clock: this.#options.clock }).catch(() => {})
  }

  /** One lane for all keeps the order of the partition; records without a key are in no order to each other. */
  #keyOf({ key }: ReadRecord): string | null {
    if (!this.#options.isOrderedByKey) return ''
    return key === null ? null : Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
  }

  async #handOut(expired: AbortSignal): Promise<void> {
    const { slots, priority, batchSize } = this.#options
    while (await this.#lanes.waitForWork()) {
      const isEnding = this.#ending.aborted
      const release = await slots.acquire(isEnding ? expired : this.#ending, priority)
      const unit = release === undefined ? undefined : this.#lanes.take(batchSize)
      if (unit === undefined) {
        release?.()
        continue
      }
      for (const { record } of unit.items) if (record.offset > this.#lastBegun) this.#lastBegun = record.offset
      const running = this.#run(unit, { revoked: isEnding ? expired : this.#ending, expired }).finally(() => {
        this.#running.delete(running)
        release?.()
      })
      this.#running.add(running)
    }
  }

  /**
   * What lies between records that were begun is still handled when the partition is taken back: else those above would be handled again,
   * because no commit passes a gap. Nothing beyond is begun.
   */
  #fillGaps(): void {
    this.#lanes.endWith(({ record }) => record.offset <= this.#lastBegun)
  }

  async #run(unit: WorkUnit<Job>, signals: HandlingSignals): Promise<void> {
    try {
      const left = await this.#options.handle(unit.items.map(({ record }) => record), signals)
      for (const { record, tracked } of unit.items) if (!left.has(record)) this.#tracker.finish(tracked)
      // What was left keeps its key: nothing may overtake it. And with it there is no point in filling gaps any more.
      if (left.size === 0) this.#lanes.release(unit)
      else this.#lanes.close()
      this.#committer.progressed()
    } catch (error) {
      this.#lanes.close()
      this.#failed.abort(error)
    }
  }
}

function whenAborted(signal: AbortSignal, run: () => void): void {
  if (signal.aborted) run()
  else signal.addEventListener('abort', run, { once: true })
}
