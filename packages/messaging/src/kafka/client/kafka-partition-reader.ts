import { abortedError, type Clock } from '@smart-whale/interfaces'
import { messagingError, messagingValidationError } from '../../errors.ts'
import { BROKER } from '../broker-errors.ts'
import type { ClusterView } from '../cluster-view.ts'
import type { KafkaApi } from '../kafka-api.ts'
import type { KafkaTransportSettings } from '../options.ts'
import { orAborted } from '../or-aborted.ts'
import { decodeRecords } from '../protocol/records/decode-records.ts'
import type { DecodedRecords } from '../protocol/records/decoded-records.ts'
import { runCall } from '../../run-call.ts'
import type { CommitOptions, CommittedOffset, PartitionReader, ReadOptions, RecordBatch, TransportCallOptions } from '../../transport.ts'
import { callLeader } from './call-leader.ts'
import { RecordSlice } from './record-slice.ts'

/** What a reader asks whoever gave it the partition. */
export interface PartitionGrant {
  /** Aborts when the partition is taken back. */
  readonly signal: AbortSignal
  /** Throws when this process was asleep for so long that the partition may be somebody else's. */
  checkCurrent(): void
  committed(options: TransportCallOptions | undefined): Promise<CommittedOffset | null>
  commit(nextOffset: bigint, options: CommitOptions | undefined): Promise<void>
  close(): Promise<void>
}

/** What a reader is made from. */
export interface KafkaPartitionReaderOptions {
  readonly api: KafkaApi
  readonly view: ClusterView
  readonly settings: KafkaTransportSettings
  readonly clock: Clock
  readonly topic: { readonly name: string; readonly id: string }
  readonly partition: number
  /** Names the connection that the reader's fetches go over. */
  readonly channel: string
  readonly grant: PartitionGrant
  /** Where reading begins. */
  readonly startOffset: bigint
}

/** Records that were fetched, and how many of them were handed out. */
interface Ahead {
  readonly records: DecodedRecords
  readonly from: number
}

interface Fetched {
  readonly records: DecodedRecords | null
  readonly isOutOfRange: boolean
}

/** Reads one partition of a Kafka topic. While one batch is worked on, the next one is fetched. */
export class KafkaPartitionReader implements PartitionReader {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly signal: AbortSignal
  readonly #options: KafkaPartitionReaderOptions
  #position: bigint
  #ahead: Ahead | null = null
  /** A fetch that is under way, and from where. */
  #fetching: { readonly from: bigint; readonly answer: Promise<Fetched> } | null = null
  #isReading = false

  constructor(options: KafkaPartitionReaderOptions) {
    this.#options = options
    this.topic = options.topic.name
    this.topicId = options.topic.id
    this.partition = options.partition
    this.signal = options.grant.signal
    this.#position = options.startOffset
  }

  committed(options?: TransportCallOptions): Promise<CommittedOffset | null> {
    return this.#options.grant.committed(options)
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
    this.#position = offset
    this.#ahead = null
  }

  async commit(nextOffset: bigint, options?: CommitOptions): Promise<void> {
    if (typeof nextOffset !== 'bigint' || nextOffset < 0n) throw invalidOffset(nextOffset)
    await this.#options.grant.commit(nextOffset, options)
  }

  async bounds(options?: TransportCallOptions): Promise<{ earliest: bigint; latest: bigint }> {
    return runCall(`asking for the bounds of ${this.#name}`, options, this.#options.clock, async (signal) => {
      const [earliest, latest] = await Promise.all([this.#offsetAt(-2n, signal), this.#offsetAt(-1n, signal)])
      return { earliest, latest }
    })
  }

  close(): Promise<void> {
    return this.#options.grant.close()
  }

  get #name(): string {
    return `partition ${this.partition} of topic "${this.topic}"`
  }

  async #readOrWait(options: ReadOptions): Promise<RecordBatch> {
    const { clock } = this.#options
    const giveUpAt = clock.monotonic() + options.maxWaitMs
    for (;;) {
      this.#checkSignals(options)
      const batch = this.#take(options)
      if (batch !== null) return batch
      const leftMs = giveUpAt - clock.monotonic()
      // One fetch at least, also for who doesn't want to wait: it answers at once.
      const isInTime = await this.#fetchWithin(Math.max(leftMs, 0), options)
      if (!isInTime || (this.#ahead === null && clock.monotonic() >= giveUpAt)) {
        this.#checkSignals(options)
        return this.#take(options) ?? RecordSlice.empty(this.topic, this.partition, this.#position)
      }
    }
  }

  /** The next records of what was fetched. */
  #take({ maxBytes, maxRecords }: ReadOptions): RecordBatch | null {
    if (this.#ahead === null) return null
    const { records, from } = this.#ahead
    const slice = RecordSlice.fitting(this.topic, this.partition, records, { from, maxBytes, maxRecords })
    const isUsedUp = from + slice.length >= records.length
    this.#position = slice.nextOffset
    this.#ahead = isUsedUp ? null : { records, from: from + slice.length }
    if (isUsedUp) this.#fetchOn()
    return slice
  }

  /** Waits for the fetch at the current position; false when time is up before. */
  async #fetchWithin(waitMs: number, options: ReadOptions): Promise<boolean> {
    if (this.#fetching?.from !== this.#position) this.#fetching = this.#fetch(this.#position, waitMs)
    const fetching = this.#fetching
    const late = Promise.withResolvers<null>()
    // A fetch that doesn't wait takes its time as well: it is the network's, not the caller's patience.
    const timer = this.#options.clock.setTimeout(() => late.resolve(null), Math.max(waitMs, NO_WAIT_MS))
    try {
      const reading = Promise.race([fetching.answer, late.promise])
      const answer = await orAborted(orAborted(reading, this.signal, `reading ${this.#name}`), options.signal ?? this.signal, `reading ${this.#name}`)
      if (answer === null) return false
      if (this.#fetching === fetching) this.#fetching = null
      this.#accept(fetching.from, answer)
      return true
    } catch (error) {
      if (this.#fetching === fetching && !this.signal.aborted && options.signal?.aborted !== true) this.#fetching = null
      this.#checkSignals(options)
      throw error
    } finally {
      this.#options.clock.clearTimeout(timer)
    }
  }

  #accept(from: bigint, { records, isOutOfRange }: Fetched): void {
    // Whoever seeks during a fetch gets the records of the new place.
    if (from !== this.#position) return
    if (isOutOfRange) {
      throw messagingError('ERR_MESSAGING_OFFSET_OUT_OF_RANGE', `${this.#name} has no offset ${from}: it was removed by retention, or is not there yet; seek to one within bounds()`, { context: { topic: this.topic, partition: this.partition, offset: String(from) } })
    }
    if (records === null) return
    if (records.length > 0) this.#ahead = { records, from: 0 }
    else this.#position = records.nextOffset
  }

  /** Begins the next fetch before it is asked for. */
  #fetchOn(): void {
    if (this.#fetching === null && !this.signal.aborted) this.#fetching = this.#fetch(this.#position, this.#options.settings.fetchMaxWaitMs)
  }

  #fetch(from: bigint, waitMs: number): { from: bigint; answer: Promise<Fetched> } {
    const answer = this.#fetchFrom(from, Math.min(waitMs, this.#options.settings.fetchMaxWaitMs))
    answer.catch(() => {})
    return { from, answer }
  }

  async #fetchFrom(from: bigint, maxWaitMs: number): Promise<Fetched> {
    const { api, view, settings, clock, topic, partition, channel } = this.#options
    const { maxPartitionFetchBytes: maxBytes } = settings
    const answer = await callLeader({
      view,
      clock,
      topic: topic.name,
      partition,
      what: `reading ${this.#name}`,
      signal: this.signal,
      call: async (target, leaderEpoch) => {
        const { errorCode, partitions } = await api.fetch(
          target,
          { maxWaitMs, minBytes: 1, maxBytes, partitions: [{ topicId: topic.id, partition, leaderEpoch, fetchOffset: from, maxBytes }] },
          { signal: this.signal, timeoutMs: settings.requestTimeoutMs + maxWaitMs, channel },
        )
        const [fetched] = partitions
        return { errorCode: errorCode !== BROKER.NONE ? errorCode : (fetched?.errorCode ?? BROKER.UNKNOWN_TOPIC_ID), fetched }
      },
    })
    if (answer.errorCode === BROKER.OFFSET_OUT_OF_RANGE || answer.fetched === undefined) return { records: null, isOutOfRange: true }
    if (answer.fetched.records.length === 0) return { records: null, isOutOfRange: false }
    return { records: decodeRecords({ ...answer.fetched, topic: topic.name, fetchOffset: from }), isOutOfRange: false }
  }

  async #offsetAt(timestamp: bigint, signal: AbortSignal): Promise<bigint> {
    const { api, view, settings, clock, topic, partition } = this.#options
    const { offset } = await callLeader({
      view,
      clock,
      topic: topic.name,
      partition,
      what: `asking for the bounds of ${this.#name}`,
      signal,
      call: (target, leaderEpoch) => api.listOffsets(target, { topic: topic.name, partition, timestamp, leaderEpoch }, { signal, timeoutMs: settings.requestTimeoutMs }),
    })
    return offset
  }

  #checkSignals(options: ReadOptions): void {
    if (this.signal.aborted) {
      throw messagingError('ERR_MESSAGING_REVOKED', `${this.#name} was revoked: finish what was read, commit it and return`, { cause: this.signal.reason })
    }
    if (options.signal?.aborted === true) throw abortedError(`reading ${this.#name}`, options.signal)
    this.#options.grant.checkCurrent()
  }
}

const NO_WAIT_MS = 2000

function invalidOffset(offset: unknown): Error {
  const found = typeof offset === 'bigint' ? String(offset) : typeof offset
  const message = `must be a bigint from 0 to the partition's latest offset, got ${found}`
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `an offset ${message}`, [{ path: ['offset'], message }])
}
