import type { Clock, Logger } from '@smart-whale/interfaces'
import { createRetry } from '@smart-whale/core-resilience'
import { isMessagingError } from '../errors.ts'
import type { PartitionReader } from '../transport.ts'
import type { OffsetTracker } from './offset-tracker.ts'

/** What an {@link OffsetCommitter} is made from. */
export interface OffsetCommitterOptions {
  /** The partition whose progress is committed. @default none, required */
  readonly reader: PartitionReader
  /** Says what may be committed. @default none, required */
  readonly tracker: OffsetTracker
  /** The longest that progress may wait for its commit, in milliseconds. @default none, required */
  readonly intervalMs: number
  /** How long one commit may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
  /** Whose time passes. @default none, required */
  readonly clock: Clock
  /** Where failures are said. @default none, required */
  readonly logger: Logger
}

/** Commits a partition's progress: one commit at a time, and not for every message. */
export class OffsetCommitter {
  readonly #options: OffsetCommitterOptions
  #committed: bigint | undefined
  #isFenced = false
  #timer: unknown
  #committing: Promise<void> | undefined

  constructor(options: OffsetCommitterOptions) {
    this.#options = options
  }

  /** There may be something to commit; it will be, soon. */
  progressed(): void {
    if (this.#timer !== undefined || this.#committing !== undefined || !this.#isBehind()) return
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = undefined
      this.#committing = this.#commit()
      void this.#committing.then(() => {
        this.#committing = undefined
        this.progressed()
      })
    }, this.#options.intervalMs)
  }

  /** Commits what there is, as the last act in this partition. */
  async finish(): Promise<void> {
    await this.#committing
    this.#options.clock.clearTimeout(this.#timer)
    const { clock } = this.#options
    // A commit that is lost here means that what was handled is handled again.
    const retry = createRetry({ name: 'last-commit', maxAttempts: 3, budget: false, clock })
    await retry.execute(() => this.#commitOnce()).catch((error: unknown) => this.#warn(error))
  }

  #isBehind(): boolean {
    const { committable } = this.#options.tracker
    return !this.#isFenced && committable !== undefined && committable !== this.#committed
  }

  async #commit(): Promise<void> {
    await this.#commitOnce().catch((error: unknown) => this.#warn(error))
  }

  async #commitOnce(): Promise<void> {
    const { reader, tracker, timeoutMs } = this.#options
    const { committable } = tracker
    if (!this.#isBehind() || committable === undefined) return
    try {
      await reader.commit(committable, { timeoutMs })
      this.#committed = committable
    } catch (error) {
      this.#isFenced = isMessagingError(error) && error.code === 'ERR_MESSAGING_FENCED'
      throw error
    }
  }

  #warn(error: unknown): void {
    const { reader, logger, tracker } = this.#options
    // The messages were handled; they will be handled again by whoever begins at the last offset that was committed.
    logger.warn({ topic: reader.topic, partition: reader.partition, nextOffset: String(tracker.committable), error }, 'progress could not be committed')
  }
}
