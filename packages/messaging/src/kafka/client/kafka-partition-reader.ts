import { abortedError, InfrastructureError } from '@smart-whale/interfaces'
import { messagingError, messagingValidationError } from '../../errors.ts'
import { runCall } from '../../run-call.ts'
import type { GroupRight } from '../kafka-api.ts'
import type { BoundsOptions, CommitOptions, CommittedOffset, PartitionReader, ReadOptions, RecordBatch, TransportCallOptions } from '../../transport.ts'
import type { Fetcher } from './fetcher.ts'
import type { KafkaClient } from './kafka-client.ts'
import { offsetBounds } from './offset-bounds.ts'
import { PartitionFeed } from './partition-feed.ts'
import { RecordSlice } from './record-slice.ts'

/** By which right progress is stored as part of a transaction. */
export interface ProgressRight {
  readonly groupId: string
  /** The right of now; null while the group is taking the member up. @throws OperationError `ERR_MESSAGING_FENCED` when the partition is another's */
  current(): GroupRight | null
}

/** What a reader asks whoever gave it the partition. */
export interface PartitionGrant {
  /** Aborts when the partition is taken back. */
  readonly signal: AbortSignal
  /** False while this member was not heard of for so long that the partition may be somebody else's. */
  isCurrent(): boolean
  /** Resolves when it is certain again whose the partition is. */
  untilCertain(): Promise<void>
  /** Told when the topic was deleted; a group's partition is revoked then. */
  onTopicGone(): void
  committed(options: TransportCallOptions | undefined): Promise<CommittedOffset | null>
  commit(nextOffset: bigint, options: CommitOptions | undefined): Promise<void>
  /** Asks for the right by which progress is stored as part of a transaction. @default there is no group */
  readonly progressRight?: () => ProgressRight
  close(): Promise<void>
}

/** Which partition is read, from where, and by whose leave. */
export interface ReaderPlace {
  readonly topic: { readonly name: string; readonly id: string }
  readonly partition: number
  readonly startOffset: bigint
  /** Whether a transaction that hasn't ended may move the beginning. @default false */
  readonly isPending?: boolean
  readonly grant: PartitionGrant
}

/** Reads one partition of a Kafka topic. While one batch is worked on, the next one is fetched. */
export class KafkaPartitionReader implements PartitionReader {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly signal: AbortSignal
  readonly #client: KafkaClient
  readonly #fetcher: Fetcher
  readonly #grant: PartitionGrant
  readonly #feed: PartitionFeed
  #isReading = false
  /** Whether it isn't known yet where reading begins, as long as nobody has said so by {@link seek}. */
  #isPending: boolean
  #isSettling = false

  constructor(client: KafkaClient, fetcher: Fetcher, { topic, partition, startOffset, isPending = false, grant }: ReaderPlace) {
    this.#isPending = isPending
    this.#client = client
    this.#fetcher = fetcher
    this.#grant = grant
    this.topic = topic.name
    this.topicId = topic.id
    this.partition = partition
    this.signal = grant.signal
    this.#feed = new PartitionFeed(topic, partition, startOffset)
    fetcher.add(this.#feed)
    const forget = (): void => fetcher.remove(this.#feed)
    if (this.signal.aborted) forget()
    else this.signal.addEventListener('abort', forget, { once: true })
  }

  committed(options?: TransportCallOptions): Promise<CommittedOffset | null> {
    return this.#grant.committed(options)
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
    this.#isPending = false
    this.#feed.moveTo(offset)
    // A read that waits goes on waiting, for the new place.
    this.#fetcher.schedule()
  }

  async commit(nextOffset: bigint, options?: CommitOptions): Promise<void> {
    if (typeof nextOffset !== 'bigint' || nextOffset < 0n) throw invalidOffset(nextOffset)
    await this.#grant.commit(nextOffset, options)
  }

  /** Who gave the partition. */
  get grant(): PartitionGrant {
    return this.#grant
  }

  async bounds(options?: BoundsOptions): Promise<{ earliest: bigint; latest: bigint }> {
    const place = { topic: this.topic, topicId: this.topicId, partition: this.partition, withOpen: options?.withOpen }
    return runCall(`asking for the bounds of ${this.#name}`, options, this.#client.clock, (signal) => offsetBounds(this.#client, { ...place, signal }))
  }

  close(): Promise<void> {
    return this.#grant.close()
  }

  get #name(): string {
    return `partition ${this.partition} of topic "${this.topic}"`
  }

  async #readOrWait(options: ReadOptions): Promise<RecordBatch> {
    const { clock } = this.#client
    const giveUpAt = clock.monotonic() + options.maxWaitMs
    this.#feed.askFor()
    for (;;) {
      this.#checkSignals(options)
      const batch = this.#take(options)
      if (batch !== null) return batch
      const leftMs = giveUpAt - clock.monotonic()
      if (leftMs <= 0) return RecordSlice.empty(this.topic, this.partition, this.#feed.position)
      await this.#change(leftMs, options.signal)
    }
  }

  /** The next records, if there are any and they are surely ours. */
  #take(options: ReadOptions): RecordBatch | null {
    if (!this.#grant.isCurrent()) return null
    if (this.#isPending) return this.#settle()
    const batch = this.#feed.take(options.maxBytes, options.maxRecords)
    this.#fetcher.schedule()
    if (batch === null && this.#feed.failure !== undefined) this.#throwFailure(options, this.#feed.failure)
    return batch
  }

  /** Nothing is handed out before it is known where to begin; whoever reads meanwhile waits for it. */
  #settle(): null {
    if (this.#isSettling) return null
    this.#isSettling = true
    const settled = this.#grant.committed({ signal: this.signal }).then(
      (committed) => {
        if (this.#isPending && committed !== null) this.seek(committed.offset)
        this.#isPending = false
      },
      (error: unknown) => {
        // The transaction still hasn't ended: it is asked again.
        if (!this.#isPending || (InfrastructureError.isInstance(error) && error.retryable)) return
        this.#isPending = false
        this.#feed.fail(error, this.#feed.fetchOffset)
      },
    )
    void settled.finally(() => {
      this.#isSettling = false
      this.#feed.wake()
    })
    return null
  }

  /** Nothing will come from here. */
  #throwFailure(options: ReadOptions, failure: unknown): never {
    if (InfrastructureError.isInstance(failure) && failure.code === 'ERR_MESSAGING_TOPIC_NOT_FOUND') this.#grant.onTopicGone()
    this.#checkSignals(options)
    throw failure
  }

  /** Resolves when something has changed: records came, a signal aborted, it is certain whose the partition is, or time is up. */
  async #change(atMostMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#client
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => resolve()
    const timer = clock.setTimeout(wake, atMostMs)
    this.#feed.onChange(wake)
    if (!this.#grant.isCurrent()) void this.#grant.untilCertain().then(wake, wake)
    for (const each of [this.signal, signal]) each?.addEventListener('abort', wake, { once: true })
    try {
      await promise
    } finally {
      clock.clearTimeout(timer)
      for (const each of [this.signal, signal]) each?.removeEventListener('abort', wake)
    }
  }

  #checkSignals(options: ReadOptions): void {
    if (this.signal.aborted) {
      throw messagingError('ERR_MESSAGING_REVOKED', `${this.#name} was revoked: finish what was read, commit it and return`, { cause: this.signal.reason })
    }
    if (options.signal?.aborted === true) throw abortedError(`reading ${this.#name}`, options.signal)
  }
}

function invalidOffset(offset: unknown): Error {
  const found = typeof offset === 'bigint' ? String(offset) : typeof offset
  const message = `must be a bigint from 0 to the partition's latest offset, got ${found}`
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `an offset ${message}`, [{ path: ['offset'], message }])
}
