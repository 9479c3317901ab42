import { type Clock, InfrastructureError, type Logger, type Policy, type ReceivedMessage } from '@smart-whale/interfaces'
import { createRetry } from '@smart-whale/core-resilience'
import { deadLetterRecord, type DeadLetterReason, deadLetterTopic, type FailedRecord } from './dead-letter.ts'
import { isMessagingError } from './errors.ts'
import { decodeMessage } from './message-content.ts'
import type { SubscriptionOptions } from './subscription.ts'
import type { PartitionReader, RecordBatch } from './transport.ts'

const MAX_WAIT_MS = 5_000

/** Hands the records of a partition to a handler, one after the other, and commits those that were dealt with. */
export class PartitionConsumer {
  readonly #options: SubscriptionOptions & { readonly logger: Logger }
  readonly #forever: Policy

  constructor(options: SubscriptionOptions & { readonly logger: Logger }) {
    this.#options = options
    this.#forever = createRetry({
      name: 'dead-letters',
      maxAttempts: Infinity,
      maxDelayMs: 30_000,
      budget: false,
      clock: options.settings.clock,
      isRetryable: (error) => !isMessagingError(error) || error.code !== 'ERR_MESSAGING_UNDECODABLE',
      onRetry: ({ error, attempt }) => options.logger.error({ error, attempt }, 'the partition stands still until this succeeds'),
    })
  }

  /** Runs until the partition is revoked. Rejects when it can't go on, so that the membership ends and is taken up again. */
  async consume(reader: PartitionReader): Promise<void> {
    const { clock, drainTimeoutMs } = this.#options.settings
    using patience = new Patience(reader.signal, drainTimeoutMs, clock)
    while (!reader.signal.aborted) {
      const batch = await this.#read(reader)
      if (batch !== null && batch.length > 0) await this.#handleBatch(reader, batch, patience.signal)
    }
  }

  async #read(reader: PartitionReader): Promise<RecordBatch | null> {
    const { bufferBytes, batchSize } = this.#options.settings
    try {
      return await reader.read({ maxBytes: bufferBytes, maxRecords: batchSize, maxWaitMs: MAX_WAIT_MS })
    } catch (error) {
      if (reader.signal.aborted) return null
      if (!isMessagingError(error) || error.code !== 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE') throw error
      const { earliest } = await reader.bounds()
      this.#options.logger.warn({ partition: reader.partition, error, earliest: String(earliest) }, 'records were removed before they were handled')
      reader.seek(earliest)
      return null
    }
  }

  async #handleBatch(reader: PartitionReader, batch: RecordBatch, signal: AbortSignal): Promise<void> {
    let next: bigint | undefined
    for (let index = 0; index < batch.length && !reader.signal.aborted; index++) {
      if (!(await this.#handleRecord(reader, recordAt(batch, index), signal))) break
      next = index === batch.length - 1 ? batch.nextOffset : batch.offsetAt(index) + 1n
    }
    if (next !== undefined) await this.#commit(reader, next)
  }

  /** Whether the record was dealt with, by the handler or by the dead letters; false when the next owner is to do it. */
  async #handleRecord(reader: PartitionReader, record: FailedRecord & { headers: Readonly<Record<string, Uint8Array>> }, signal: AbortSignal): Promise<boolean> {
    const { handler, settings } = this.#options
    const untilRevoked = { signal: reader.signal }
    try {
      const message = await this.#forever.execute(() => this.#decode(record), untilRevoked)
      // The handler goes on when the partition is revoked, for a while; no further attempt is begun.
      await settings.retry.execute(async () => handler(message, { signal }), untilRevoked)
      return true
    } catch (error) {
      if (reader.signal.aborted) return false
      return this.#deadLetter(reader, record, reasonOf(error))
    }
  }

  async #decode(record: FailedRecord & { headers: Readonly<Record<string, Uint8Array>> }): Promise<ReceivedMessage> {
    const { encryptor, assumedContentType, acceptPlaintext } = this.#options.settings
    const { topic, key, headers, timestamp } = record
    const value = await decodeMessage(record.value, headers, { topic, encryptor, assumedContentType, acceptPlaintext })
    const texts = Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, Buffer.from(bytes).toString('utf8')]))
    return { topic, value, key: key === null ? null : Buffer.from(key).toString('utf8'), headers: texts, timestamp }
  }

  /** Not moving on until the record is safe is what keeps it from being lost. */
  async #deadLetter(reader: PartitionReader, record: FailedRecord, reason: DeadLetterReason): Promise<boolean> {
    const { transport, topic, settings, logger } = this.#options
    const target = deadLetterTopic(topic)
    const context = { partition: record.partition, offset: String(record.offset), reason, deadLetterTopic: target }
    const letter = deadLetterRecord(record, reason)
    const send = async (): Promise<void> => {
      if ((await transport.topics.describe(target)) === null) await this.#makeTopic(target)
      await transport.send(target, [letter], { timeoutMs: settings.timeoutMs })
    }
    try {
      await this.#forever.execute(send, { signal: reader.signal })
    } catch (error) {
      logger.error({ ...context, error }, 'a message that could not be handled is not in the dead letters yet; the next owner of the partition gets it')
      return false
    }
    logger.warn(context, 'a message could not be handled and went to the dead letters')
    return true
  }

  async #makeTopic(name: string): Promise<void> {
    const { topics } = this.#options.transport
    const like = await topics.describe(this.#options.topic)
    await topics.create(name, { partitions: like?.partitions ?? 1, replication: like?.replication ?? 1 })
  }

  async #commit(reader: PartitionReader, nextOffset: bigint): Promise<void> {
    const { settings, logger } = this.#options
    try {
      await reader.commit(nextOffset, { timeoutMs: settings.timeoutMs })
    } catch (error) {
      // The messages were handled; they will be handled again by whoever begins at the last offset that was committed.
      logger.warn({ partition: reader.partition, nextOffset: String(nextOffset), error }, 'progress could not be committed')
    }
  }
}

function recordAt(batch: RecordBatch, index: number): FailedRecord & { headers: Readonly<Record<string, Uint8Array>> } {
  return {
    topic: batch.topic,
    partition: batch.partition,
    offset: batch.offsetAt(index),
    key: batch.keyAt(index),
    value: batch.valueAt(index),
    headers: batch.headersAt(index),
    timestamp: batch.timestampAt(index),
  }
}

function reasonOf(error: unknown): DeadLetterReason {
  if (InfrastructureError.isInstance(error)) return { code: error.code, message: error.message }
  return { code: 'ERR_MESSAGING_HANDLER_FAILED', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
}

/** How long a handler is let go on after its partition was revoked: its signal aborts when that time is up. */
class Patience implements Disposable {
  readonly #revoked: AbortSignal
  readonly #clock: Clock
  readonly #end = new AbortController()
  readonly #onRevoked: () => void
  #timer: unknown

  constructor(revoked: AbortSignal, timeoutMs: number, clock: Clock) {
    this.#revoked = revoked
    this.#clock = clock
    this.#onRevoked = () => {
      this.#timer = clock.setTimeout(() => this.#end.abort(revoked.reason), timeoutMs)
    }
    if (revoked.aborted) this.#onRevoked()
    else revoked.addEventListener('abort', this.#onRevoked, { once: true })
  }

  get signal(): AbortSignal {
    return this.#end.signal
  }

  [Symbol.dispose](): void {
    this.#revoked.removeEventListener('abort', this.#onRevoked)
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
  }
}
