import { createRetry } from '@smart-whale/core-resilience'
import { type Clock, InfrastructureError, type Logger, type Policy, ValidationError } from '@smart-whale/interfaces'
import { isMessagingError, messagingValidationError } from '../errors.ts'
import type { MessagingTransport, OutgoingRecord, PartitionReader, TransactionalProducer } from '../transport.ts'
import { contentBytes } from '../memory/log/record-layout.ts'
import type { HandlingSignals } from './partition-flow.ts'
import { Patience } from './patience.ts'
import { type ReadRecord, recordAt } from './read-record.ts'

const MAX_WAIT_MS = 5_000
/** Bytes of keys and values that one batch may come to. */
const MAX_STAGED_BYTES = 64 * 1024 * 1024

/** What a {@link TransformFlow} is made from. */
export interface TransformFlowOptions {
  /** Where transactions are kept. @default none, required */
  readonly transport: MessagingTransport
  /** Group whose progress goes with what is made. @default none, required */
  readonly groupId: string
  /** The partition to read. @default none, required */
  readonly reader: PartitionReader
  /** Records that are handled together, at most. @default none, required */
  readonly batchSize: number
  /** Bytes that are read at once. @default none, required */
  readonly bufferBytes: number
  /** How long one call to the broker may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
  /** How long the handler may go on after the partition was revoked, in milliseconds. @default none, required */
  readonly drainTimeoutMs: number
  /** Whose time passes. @default none, required */
  readonly clock: Clock
  /** Where trouble is said. @default none, required */
  readonly logger: Logger
  /**
   * Takes records through decoding, handler, retries and dead letters, into `staged`; resolves with those that were left because the partition was
   * revoked. With a `refusal` they fail for that reason. @default none, required
   */
  readonly handle: (records: readonly ReadRecord[], signals: HandlingSignals, staged: StagedSends, refusal: unknown) => Promise<ReadonlySet<ReadRecord>>
}

/** Messages that become one transaction. */
interface Part {
  readonly records: readonly ReadRecord[]
  /** The progress that goes with them. */
  readonly nextOffset: bigint
  /** Why what the handler makes of them is not taken: they are to fail with it. */
  readonly refusal?: unknown
}

/** What a batch has come to so far: nothing of it has left yet. */
export class StagedSends {
  readonly #records = new Map<string, OutgoingRecord[]>()
  readonly #maxRecordBytes: number
  #bytes = 0

  constructor(maxRecordBytes = Number.POSITIVE_INFINITY) {
    this.#maxRecordBytes = maxRecordBytes
  }

  /** @throws ValidationError `ERR_MESSAGING_RECORD_TOO_LARGE`, while there is still a handler to be told */
  add(topic: string, records: readonly OutgoingRecord[]): void {
    for (const record of records) {
      const bytes = contentBytes(record)
      if (bytes > this.#maxRecordBytes) throw tooLarge(`a message for topic "${topic}" has ${bytes} bytes; the broker takes ${this.#maxRecordBytes}: split it`)
      this.#bytes += bytes
    }
    if (this.#bytes > MAX_STAGED_BYTES) throw tooLarge(`the messages of a transformation have more than ${MAX_STAGED_BYTES} bytes for one batch: make batchSize smaller, or send less`)
    const known = this.#records.get(topic)
    if (known === undefined) this.#records.set(topic, [...records])
    else for (const record of records) known.push(record)
  }

  byTopic(): ReadonlyMap<string, readonly OutgoingRecord[]> {
    return this.#records
  }

  addAll(others: StagedSends): void {
    for (const [topic, records] of others.byTopic()) this.add(topic, records)
  }
}

/**
 * One partition from what is read to what is made of it: each batch's messages, its dead letters and the progress past it in one transaction.
 *
 * Whoever has the partition has its transactional id, so that its owner before is kept out, and what that left open is taken back at once.
 */
export class TransformFlow {
  readonly #options: TransformFlowOptions
  readonly #whileBrokerIsAway: Policy

  constructor(options: TransformFlowOptions) {
    const { reader, clock, logger } = options
    this.#options = options
    this.#whileBrokerIsAway = createRetry({
      name: 'transform-batch',
      maxAttempts: Infinity,
      maxDelayMs: 10_000,
      budget: false,
      clock,
      isRetryable: (error) => InfrastructureError.isInstance(error) && error.retryable && !hasCode(error, 'ERR_MESSAGING_TRANSACTION_UNKNOWN'),
      onRetry: ({ error, attempt }) => logger.warn({ partition: reader.partition, error, attempt }, 'a batch could not be committed; it is handled again'),
    })
  }

  /** Runs until the partition is revoked. Rejects when it can't go on, so that the membership ends and is taken up again. */
  async run(): Promise<void> {
    const { reader, transport, groupId, drainTimeoutMs, timeoutMs, clock } = this.#options
    using patience = new Patience(reader.signal, drainTimeoutMs, clock)
    const transactionalId = `smart-whale-transform/${groupId}/${reader.topic}/${reader.partition}`
    const producer = await this.#whileBrokerIsAway.execute(() => transport.transactional(transactionalId, { timeoutMs, signal: reader.signal }), { signal: reader.signal })
    try {
      // What the owner before had decided is decided now.
      const committed = await this.#whileBrokerIsAway.execute(() => reader.committed({ timeoutMs }), { signal: reader.signal })
      if (committed !== null) reader.seek(committed.offset)
      while (!reader.signal.aborted) await this.#next(producer, patience.signal)
    } catch (error) {
      if (!reader.signal.aborted) throw error
    } finally {
      await producer.close({ timeoutMs })
    }
  }

  async #next(producer: TransactionalProducer, expired: AbortSignal): Promise<void> {
    const { reader, batchSize, bufferBytes } = this.#options
    const batch = await reader.read({ maxRecords: batchSize, maxBytes: bufferBytes, maxWaitMs: MAX_WAIT_MS }).catch((error: unknown) => this.#beginAgain(error))
    if (batch === null || batch.length === 0) return
    const records = Array.from({ length: batch.length }, (_, index) => recordAt(batch, index))
    await this.#transform(producer, { records, nextOffset: batch.nextOffset }, expired)
  }

  /** Retention was faster. */
  async #beginAgain(error: unknown): Promise<null> {
    if (!hasCode(error, 'ERR_MESSAGING_OFFSET_OUT_OF_RANGE')) throw error
    const { reader, timeoutMs, logger } = this.#options
    const { earliest } = await reader.bounds({ timeoutMs })
    logger.warn({ topic: reader.topic, partition: reader.partition, error, earliest: String(earliest) }, 'records were removed before they were handled')
    reader.seek(earliest)
    return null
  }

  /**
   * One transaction, or if the broker refuses what a handler made (a record that its topic doesn't take), one for each message: so that the bad one
   * goes to the dead letters, and the others have their results. False when the partition was revoked in the middle: the next owner has the rest.
   */
  async #transform(producer: TransactionalProducer, part: Part, expired: AbortSignal): Promise<boolean> {
    const { records, nextOffset, refusal } = part
    try {
      return await this.#whileBrokerIsAway.execute(() => this.#attempt(producer, part, expired), { signal: expired })
    } catch (error) {
      if (!ValidationError.isInstance(error) || refusal !== undefined) throw error
      if (records.length === 1) return this.#transform(producer, { ...part, refusal: error }, expired)
    }
    for (const [index, record] of records.entries()) {
      const next = records[index + 1]?.offset ?? nextOffset
      if (!(await this.#transform(producer, { records: [record], nextOffset: next }, expired))) return false
    }
    return true
  }

  async #attempt(producer: TransactionalProducer, { records, nextOffset, refusal }: Part, expired: AbortSignal): Promise<boolean> {
    const { reader, timeoutMs, handle } = this.#options
    const staged = new StagedSends()
    const left = await handle(records, { revoked: reader.signal, expired }, staged, refusal)
    if (left.size > 0) return false
    const call = { timeoutMs }
    await producer.run(async (transaction) => {
      await Promise.all([...staged.byTopic()].map(([topic, of]) => transaction.send(topic, of, call)))
      transaction.commitOffset(reader, nextOffset)
    }, call)
    return true
  }
}

const hasCode = (error: unknown, code: string): boolean => isMessagingError(error) && error.code === code

function tooLarge(message: string): Error {
  return messagingValidationError('ERR_MESSAGING_RECORD_TOO_LARGE', message, [{ path: ['message'], message }])
}
