import { abortedError, type Clock } from '@smart-whale/interfaces'
import { messagingError, messagingValidationError, topicNotFound } from '../errors.ts'
import type { CommitOptions, CommittedOffset, PartitionReader, ReadOptions, RecordBatch } from '../transport.ts'
import type { LogChunk } from './log/log-chunk.ts'
import { emptyBatch, fitRange, LogRecordBatch } from './log/log-record-batch.ts'
import type { LogPosition } from './log/partition-log.ts'
import type { GroupPlace } from './ownership.ts'
import type { Topic } from './topic.ts'

/** What a reader asks whoever gave it the partition. */
export interface ReaderGrant {
  /** Aborts when the partition is taken back. */
  readonly signal: AbortSignal
  committed(): CommittedOffset | null
  /** Where progress is stored that counts with a transaction; null without a group. */
  readonly place: GroupPlace | null
  commit(nextOffset: bigint, options: CommitOptions | undefined): Promise<void>
  close(): Promise<void>
}

/** What a reader is made from. */
export interface LogPartitionReaderOptions {
  /** The topic that the partition is of. @default none, required */
  readonly topic: Topic
  /** Number of the partition in its topic. @default none, required */
  readonly partition: number
  /** Offset that the first read begins at. @default none, required */
  readonly startOffset: number
  /** Who gave the partition, keeps its committed offset and may take it back. @default none, required */
  readonly grant: ReaderGrant
  /** Measures how long a read waits. @default none, required */
  readonly clock: Clock
}

/** Reads one partition of a topic of this broker. */
export class LogPartitionReader implements PartitionReader {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly signal: AbortSignal
  readonly #options: LogPartitionReaderOptions
  #position: LogPosition
  /** Records that were read from the log and not yet handed out. */
  #ahead: { readonly chunk: LogChunk; from: number } | undefined
  #isReading = false

  constructor(options: LogPartitionReaderOptions) {
    this.#options = options
    this.topic = options.topic.name
    this.topicId = options.topic.id
    this.partition = options.partition
    this.signal = options.grant.signal
    this.#position = { offset: options.startOffset }
  }

  committed(): Promise<CommittedOffset | null> {
    return Promise.resolve(this.#options.grant.committed())
  }

  async read(options: ReadOptions): Promise<RecordBatch> {
    if (this.#isReading) throw messagingError('ERR_MESSAGING_CONCURRENT_READ', `${this.#name} is being read already: await the read before the next one`)
    this.#isReading = true
    try {
      return await this.#readOrWait(options)
    } finally {
      this.#isReading = false
    }
  }

  seek(offset: bigint): void {
    if (typeof offset !== 'bigint' || offset < 0n) throw invalidOffset(offset)
    this.#ahead = undefined
    this.#position = { offset: Number(offset) }
  }

  get place(): GroupPlace | null {
    return this.#options.grant.place
  }

  /** Throws when progress can't be at this offset. */
  checkOffset(nextOffset: unknown): void {
    if (typeof nextOffset !== 'bigint' || nextOffset < 0n || nextOffset > BigInt(this.#log.latest)) throw invalidOffset(nextOffset)
  }

  async commit(nextOffset: bigint, options?: CommitOptions): Promise<void> {
    this.checkOffset(nextOffset)
    await this.#options.grant.commit(nextOffset, options)
  }

  bounds(): Promise<{ earliest: bigint; latest: bigint }> {
    return Promise.resolve({ earliest: BigInt(this.#log.earliest), latest: BigInt(this.#log.latest) })
  }

  close(): Promise<void> {
    return this.#options.grant.close()
  }

  get #log() {
    const log = this.#options.topic.logs[this.partition]
    if (log === undefined) throw messagingError('ERR_MESSAGING_PARTITION_NOT_FOUND', `${this.#name} is gone`, { status: 404 })
    return log
  }

  get #name(): string {
    return `partition ${this.partition} of topic "${this.topic}"`
  }

  async #readOrWait(options: ReadOptions): Promise<RecordBatch> {
    const { clock } = this.#options
    const giveUpAt = clock.monotonic() + options.maxWaitMs
    for (;;) {
      this.#checkSignals(options)
      if (this.#options.topic.isDeleted) throw topicNotFound(this.topic)
      // Listening begins before looking, so that no record comes in between unseen.
      using arrival = new Arrival(this.#log, [this.signal, options.signal], clock, giveUpAt)
      const batch = await this.#take(options)
      if (batch !== null) return batch
      const leftMs = giveUpAt - clock.monotonic()
      if (leftMs <= 0) return emptyBatch(this.topic, this.partition, this.#position.offset)
      await arrival.wait(leftMs)
    }
  }

  /** The next batch, if there is a record at all. */
  async #take({ maxBytes, maxRecords }: ReadOptions): Promise<RecordBatch | null> {
    while (this.#ahead === undefined) {
      const wanted = this.#position
      const found = await this.#log.read(wanted)
      // Whoever seeks during a read gets the records of the new place.
      if (this.#position !== wanted) continue
      if (found === null) return null
      this.#ahead = { chunk: found.chunk, from: 0 }
      this.#position = found.next
    }
    const { chunk, from } = this.#ahead
    const range = fitRange(chunk, from, maxBytes, maxRecords)
    const isUsedUp = from + range.length === chunk.starts.length
    this.#ahead = isUsedUp ? undefined : { chunk, from: from + range.length }
    return new LogRecordBatch(this.topic, this.partition, chunk, range)
  }

  #checkSignals(options: ReadOptions): void {
    if (this.signal.aborted) {
      throw messagingError('ERR_MESSAGING_REVOKED', `${this.#name} was revoked: finish what was read, commit it and return`, { cause: this.signal.reason })
    }
    if (options.signal?.aborted) throw abortedError(`reading ${this.#name}`, options.signal)
  }
}

/** Waits for a record, a signal, or the end of the reader's patience. */
class Arrival implements Disposable {
  readonly #clock: Clock
  readonly #change = Promise.withResolvers<void>()
  readonly #stopListening: () => void
  #timer: unknown

  constructor(log: { onAppend(listener: () => void): () => void }, signals: readonly (AbortSignal | undefined)[], clock: Clock, giveUpAt: number) {
    this.#clock = clock
    const wake = this.#change.resolve
    const forgetAppends = giveUpAt > clock.monotonic() ? log.onAppend(wake) : () => {}
    for (const signal of signals) signal?.addEventListener('abort', wake as () => void, { once: true })
    this.#stopListening = () => {
      forgetAppends()
      for (const signal of signals) signal?.removeEventListener('abort', wake as () => void)
    }
  }

  async wait(atMostMs: number): Promise<void> {
    this.#timer = this.#clock.setTimeout(this.#change.resolve, atMostMs)
    await this.#change.promise
  }

  [Symbol.dispose](): void {
    this.#stopListening()
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
  }
}

function invalidOffset(offset: unknown): Error {
  const found = typeof offset === 'bigint' ? String(offset) : typeof offset
  const message = `must be a bigint from 0 to the partition's latest offset, got ${found}`
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `an offset ${message}`, [{ path: ['offset'], message }])
}
