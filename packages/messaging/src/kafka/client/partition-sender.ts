import { abortedError, type Clock, InfrastructureError } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import { BROKER, brokerError, isLeadershipError } from '../broker-errors.ts'
import type { ClusterView } from '../cluster-view.ts'
import type { KafkaApi } from '../kafka-api.ts'
import type { KafkaTransportSettings } from '../options.ts'
import { encodeRecordBatch } from '../protocol/records/encode-record-batch.ts'
import type { OutgoingRecord } from '../../transport.ts'
import { pauseMs } from './call-leader.ts'

/** What became of some records of one partition. */
export type SendOutcome =
  | { readonly kind: 'stored'; readonly baseOffset: bigint }
  /** Surely not stored. */
  | { readonly kind: 'failed'; readonly error: unknown }
  /** They were on their way, and no answer came. */
  | { readonly kind: 'unknown'; readonly error: unknown }

/** Records of one send for one partition. */
interface Parcel {
  readonly records: readonly OutgoingRecord[]
  readonly bytes: number
  readonly signal: AbortSignal
  isOnItsWay: boolean
  readonly settle: (outcome: SendOutcome) => void
}

/** What a sender works with. */
export interface SenderPorts {
  readonly api: KafkaApi
  readonly view: ClusterView
  readonly settings: KafkaTransportSettings
  readonly clock: Clock
  /** Aborts when the transport is gone. */
  readonly closing: AbortSignal
}

/** Errors after which the broker no longer knows this producer's numbers. */
const LOST_TRACK = new Set<number>([BROKER.OUT_OF_ORDER_SEQUENCE_NUMBER, BROKER.UNKNOWN_PRODUCER_ID, BROKER.INVALID_PRODUCER_EPOCH])

/**
 * Sends the records of one partition, one request at a time, each batch numbered: repeated after a lost answer, the broker stores it once.
 * What callers give while a request is under way goes together with the next one.
 */
export class PartitionSender {
  readonly #ports: SenderPorts
  readonly #topic: string
  readonly #partition: number
  readonly #waiting: Parcel[] = []
  #isRunning = false
  #producer: { readonly id: bigint; readonly epoch: number; sequence: number } | null = null

  constructor(ports: SenderPorts, topic: string, partition: number) {
    this.#ports = ports
    this.#topic = topic
    this.#partition = partition
  }

  /** Resolves when the outcome is known, or the signal aborts. */
  send(records: readonly OutgoingRecord[], bytes: number, signal: AbortSignal): Promise<SendOutcome> {
    const { promise, resolve } = Promise.withResolvers<SendOutcome>()
    const parcel: Parcel = { records, bytes, signal, isOnItsWay: false, settle: resolve }
    const giveUp = (): void => resolve({ kind: parcel.isOnItsWay ? 'unknown' : 'failed', error: signal.reason ?? abortedError('sending', signal) })
    signal.addEventListener('abort', giveUp, { once: true })
    this.#waiting.push(parcel)
    if (!this.#isRunning) void this.#run()
    return promise.finally(() => signal.removeEventListener('abort', giveUp))
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    try {
      // Everything that is given within the same turn goes together.
      await Promise.resolve()
      for (let parcels = this.#next(); parcels.length > 0; parcels = this.#next()) await this.#deliver(parcels)
    } finally {
      this.#isRunning = false
    }
  }

  #next(): Parcel[] {
    const parcels: Parcel[] = []
    let bytes = 0
    while (this.#waiting.length > 0) {
      const parcel = this.#waiting[0] as Parcel
      if (parcels.length > 0 && bytes + parcel.bytes > this.#ports.settings.maxBatchBytes) break
      this.#waiting.shift()
      if (parcel.signal.aborted) continue
      parcels.push(parcel)
      bytes += parcel.bytes
    }
    return parcels
  }

  /** One batch, until its outcome is known or nobody waits for it any more. */
  async #deliver(parcels: readonly Parcel[]): Promise<void> {
    const abandoned = untilAllAborted(parcels, this.#ports.closing)
    try {
      const baseOffset = await this.#store(parcels, abandoned.signal)
      let offset = baseOffset
      for (const { records, settle } of parcels) {
        settle({ kind: 'stored', baseOffset: offset })
        offset += BigInt(records.length)
      }
    } catch (error) {
      const isInDoubt = error instanceof InDoubt
      // The numbers of what may have arrived must not be used again: whatever comes next is another producer's.
      this.#producer = null
      for (const { settle } of parcels) settle({ kind: isInDoubt ? 'unknown' : 'failed', error: isInDoubt ? error.cause : error })
    } finally {
      abandoned.dispose()
    }
  }

  async #store(parcels: readonly Parcel[], signal: AbortSignal): Promise<bigint> {
    const { view, clock, settings } = this.#ports
    const records = parcels.flatMap((parcel) => parcel.records)
    const what = `sending to partition ${this.#partition} of topic "${this.#topic}"`
    let isInDoubt = false
    let batch: Uint8Array | null = null
    for (let attempt = 0; ; attempt++) {
      try {
        if (attempt > 0) await sleep(pauseMs(attempt), { signal, clock })
        this.#producer ??= await this.#newProducer(signal)
        batch ??= encodeRecordBatch(records, { compression: settings.compression, now: clock.now(), producer: this.#producer })
        await view.topic(this.#topic, signal)
        const leader = view.leader(this.#topic, this.#partition)
        if (leader === undefined) {
          view.doubt(this.#topic)
          continue
        }
        for (const parcel of parcels) parcel.isOnItsWay = true
        const wasInDoubt: boolean = isInDoubt
        isInDoubt = true
        const { errorCode, errorMessage, baseOffset } = await this.#ports.api.produce(
          leader.node,
          { topic: this.#topic, partition: this.#partition, records: batch, transactionalId: null },
          { signal, timeoutMs: settings.requestTimeoutMs, channel: String(this.#partition % settings.produceConnections) },
        )
        if (errorCode === BROKER.NONE) {
          this.#producer.sequence += records.length
          return baseOffset
        }
        // An answer says that this attempt stored nothing; an earlier one without an answer may have. Too few replicas after the append is neither.
        isInDoubt = wasInDoubt || errorCode === BROKER.NOT_ENOUGH_REPLICAS_AFTER_APPEND || errorCode === BROKER.REQUEST_TIMED_OUT
        if (LOST_TRACK.has(errorCode) && !isInDoubt) {
          this.#producer = null
          batch = null
          continue
        }
        const error = brokerError(errorCode, what, errorMessage)
        if (isLeadershipError(errorCode)) view.doubt(this.#topic)
        if (!error.retryable) throw error
      } catch (error) {
        const mayPass = InfrastructureError.isInstance(error) && error.retryable && !signal.aborted
        if (mayPass) view.doubt(this.#topic)
        else throw isInDoubt ? new InDoubt('in doubt', { cause: error }) : error
      }
    }
  }

  async #newProducer(signal: AbortSignal): Promise<{ id: bigint; epoch: number; sequence: number }> {
    const { api, view, settings } = this.#ports
    const [target] = await view.nodes(signal)
    const { errorCode, producerId, producerEpoch } = await api.initProducerId(target as NonNullable<typeof target>, null, { signal, timeoutMs: settings.requestTimeoutMs })
    if (errorCode !== BROKER.NONE) throw brokerError(errorCode, 'asking for a producer id')
    return { id: producerId, epoch: producerEpoch, sequence: 0 }
  }
}

/** The records may be there, and the broker didn't say. */
class InDoubt extends Error {}

/** Aborts when everybody who waits has given up, or the transport is gone. */
function untilAllAborted(parcels: readonly Parcel[], closing: AbortSignal): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  const look = (): void => {
    const last = parcels.find(({ signal }) => !signal.aborted)
    if (last === undefined || closing.aborted) controller.abort(parcels[0]?.signal.reason ?? closing.reason)
  }
  const signals = [...parcels.map(({ signal }) => signal), closing]
  for (const signal of signals) signal.addEventListener('abort', look, { once: true })
  look()
  return {
    signal: controller.signal,
    dispose: () => {
      for (const signal of signals) signal.removeEventListener('abort', look)
    },
  }
}
