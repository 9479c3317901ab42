import type { Clock, Logger } from '@smart-whale/interfaces'
import { createRetry, outsideOfCalls } from '@smart-whale/core-resilience'
import { type ReadRecord, recordAt } from '../consume/read-record.ts'
import { isMessagingError } from '../errors.ts'
import type { MessagingTransport, PartitionReader } from '../transport.ts'

const READ = { maxBytes: 4 * 1024 * 1024, maxRecords: 1_000, maxWaitMs: 5_000 }

const OF_A_TOPIC_THAT_IS_GONE = new Set<string>(['ERR_MESSAGING_TOPIC_NOT_FOUND', 'ERR_MESSAGING_PARTITION_NOT_FOUND'])

/** What a {@link ReplyInbox} is made from. */
export interface ReplyInboxOptions {
  /** Where the topic is. @default none, required */
  readonly transport: MessagingTransport
  /** Topic of the answers. @default none, required */
  readonly topic: string
  /** How long one call to the broker may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
  /** Whose time passes. @default none, required */
  readonly clock: Clock
  /** Where trouble is said. @default none, required */
  readonly logger: Logger
  /** Gets every record that comes from now on. @default none, required */
  onRecord(record: ReadRecord): void
}

/**
 * Reads a topic of answers from its end, without a group: every process sees every answer and picks its own. A group would hand a
 * process the answers to others when it rebalances, and would be left behind at the broker.
 */
export class ReplyInbox {
  readonly #options: ReplyInboxOptions
  readonly #closed = new AbortController()
  readonly #gone = new AbortController()
  #reading: Promise<unknown> = Promise.resolve()

  constructor(options: ReplyInboxOptions) {
    this.#options = options
  }

  /** Aborts when the topic was deleted: what is sent to another one under its name is not read here. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** Resolves when no answer to what is asked afterwards can be missed. */
  async open(): Promise<void> {
    const { transport, topic, timeoutMs } = this.#options
    const { partitions } = (await transport.topics.describe(topic, { timeoutMs })) ?? { partitions: 0 }
    const opened = await Promise.allSettled(Array.from({ length: partitions }, (_, partition) => this.#openAtEnd(partition)))
    const readers = opened.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    const failure = opened.find((outcome) => outcome.status === 'rejected')
    if (failure !== undefined) {
      await Promise.allSettled(readers.map((reader) => reader.close()))
      throw failure.reason
    }
    this.#reading = outsideOfCalls(() => Promise.all(readers.map((reader) => this.#readOn(reader))))
  }

  /** Twice is a no-op. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#reading
  }

  async #openAtEnd(partition: number): Promise<PartitionReader> {
    const { transport, topic, timeoutMs } = this.#options
    const reader = await transport.openPartition(topic, partition, { timeoutMs })
    try {
      reader.seek((await reader.bounds({ timeoutMs })).latest)
      return reader
    } catch (error) {
      await reader.close().catch(() => {})
      throw error
    }
  }

  async #readOn(reader: PartitionReader): Promise<void> {
    const { signal } = this.#closed
    const { clock, logger, topic } = this.#options
    const forever = createRetry({
      name: 'read-answers',
      maxAttempts: Infinity,
      maxDelayMs: 5_000,
      budget: false,
      clock,
      isRetryable: () => !signal.aborted && !this.#gone.signal.aborted,
      onRetry: ({ error }) => logger.warn({ error, topic, partition: reader.partition }, 'answers can not be read for now'),
    })
    try {
      while (!signal.aborted) await forever.execute(() => this.#readOnce(reader), { signal })
    } catch {
      // Only the end of the inbox, or of its topic, ends the attempts.
    } finally {
      await reader.close().catch(() => {})
    }
  }

  async #readOnce(reader: PartitionReader): Promise<void> {
    const { onRecord } = this.#options
    try {
      const batch = await reader.read({ ...READ, signal: this.#closed.signal })
      for (let index = 0; index < batch.length; index++) onRecord(recordAt(batch, index))
    } catch (error) {
      if (isMessagingError(error) && OF_A_TOPIC_THAT_IS_GONE.has(error.code)) this.#gone.abort(error)
      if (!isMessagingError(error) || error.code !== 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE') throw error
      reader.seek((await reader.bounds()).earliest)
    }
  }
}
