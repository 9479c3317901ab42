import { InfrastructureError } from '@smart-whale/interfaces'
import { outsideOfCalls, sleep } from '@smart-whale/core-resilience'
import { kafkaError } from '../../errors.ts'
import type { OutgoingRecord } from '../../transport.ts'
import { BROKER, brokerError, isLeadershipError } from '../broker-errors.ts'
import type { PartitionLeader } from '../cluster-view.ts'
import type { ProduceResult } from '../kafka-api.ts'
import { giveBack } from '../own-memory.ts'
import { encodeRecordBatch } from '../protocol/records/encode-record-batch.ts'
import { findLeader, noticing } from './call-leader.ts'
import type { KafkaClient } from './kafka-client.ts'
import { halves, joined, openParcel, type Parcel, type ParcelRun, untilAllGaveUp } from './parcel.ts'
import type { Producer, SenderIdentity } from './producer-identity.ts'
import { whileItLeads } from './while-it-leads.ts'

/** Answers by which the broker says that it took nothing. Any other refusal may come after the leader had appended the records. */
const TOOK_NOTHING = new Set<number>([
  BROKER.CORRUPT_MESSAGE,
  BROKER.MESSAGE_TOO_LARGE,
  BROKER.INVALID_TOPIC,
  BROKER.RECORD_LIST_TOO_LARGE,
  BROKER.NOT_ENOUGH_REPLICAS,
  BROKER.TOPIC_AUTHORIZATION_FAILED,
  BROKER.CLUSTER_AUTHORIZATION_FAILED,
  BROKER.INVALID_TIMESTAMP,
  BROKER.POLICY_VIOLATION,
  BROKER.OUT_OF_ORDER_SEQUENCE_NUMBER,
  BROKER.INVALID_PRODUCER_EPOCH,
  BROKER.UNKNOWN_PRODUCER_ID,
  BROKER.UNSUPPORTED_COMPRESSION_TYPE,
  BROKER.INVALID_RECORD,
  BROKER.THROTTLING_QUOTA_EXCEEDED,
])
/** The broker doesn't know this producer's numbers any more. */
const LOST_TRACK = new Set<number>([BROKER.OUT_OF_ORDER_SEQUENCE_NUMBER, BROKER.UNKNOWN_PRODUCER_ID, BROKER.INVALID_PRODUCER_EPOCH])
/** What is wrong with one record is held against all of its batch. */
const PERHAPS_ONE_RECORD = new Set<number>([BROKER.MESSAGE_TOO_LARGE, BROKER.RECORD_LIST_TOO_LARGE, BROKER.INVALID_TIMESTAMP, BROKER.INVALID_RECORD])

/** A batch as it goes to the broker; it comes again exactly so, under the same numbers. */
interface EncodedBatch {
  readonly parcels: readonly Parcel[]
  readonly records: readonly OutgoingRecord[]
  readonly bytes: Uint8Array
  readonly producer: Producer
}

/** Some parcels on their way. */
interface Delivery {
  readonly signal: AbortSignal
  /** Those whose callers still wait; fixed as soon as the broker may have the batch. */
  parcels: readonly Parcel[]
  batch: EncodedBatch | null
  /** An attempt was made whose outcome isn't known: the broker may have the records. */
  isInDoubt: boolean
}

/**
 * Sends the records of one partition, one request at a time, each batch numbered: repeated after a lost answer, the broker stores it
 * once, and in its order. What callers give while a request is under way goes together with the next one.
 *
 * Numbers of a batch that was given up in doubt are never used again. Whatever comes next is another producer's, so that a late
 * arrival of the first can't be taken for it.
 */
export class PartitionSender {
  readonly #client: KafkaClient
  readonly #topic: string
  readonly #topicId: string
  readonly #partition: number
  readonly #waiting: Parcel[] = []
  readonly #identity: SenderIdentity
  /** Bytes that go together; less than the settings say once the topic has refused as many. */
  #batchBytes: number
  #isRunning = false

  constructor(client: KafkaClient, topic: { readonly name: string; readonly id: string }, partition: number, identity: SenderIdentity) {
    this.#client = client
    this.#topic = topic.name
    this.#topicId = topic.id
    this.#partition = partition
    this.#identity = identity
    this.#batchBytes = client.settings.maxBatchBytes
  }

  /** Resolves when it is known what became of each record, or at once when the signal aborts. */
  send(records: readonly OutgoingRecord[], bytes: number, signal: AbortSignal): Promise<readonly ParcelRun[]> {
    const { parcel, outcome } = openParcel(records, bytes, signal)
    this.#waiting.push(parcel)
    if (!this.#isRunning) void outsideOfCalls(() => this.#run())
    return outcome
  }

  async #run(): Promise<void> {
    const { settings, clock, closing } = this.#client
    this.#isRunning = true
    // Whatever else is given in this turn, or within the linger, goes together.
    if (settings.lingerMs > 0) await sleep(settings.lingerMs, { clock, signal: closing }).catch(() => {})
    else await Promise.resolve()
    for (let parcels = this.#next(); parcels.length > 0; parcels = this.#next()) await this.#deliver(parcels)
    this.#isRunning = false
  }

  #next(): Parcel[] {
    const parcels: Parcel[] = []
    let bytes = 0
    while (this.#waiting.length > 0) {
      const parcel = this.#waiting[0] as Parcel
      if (parcels.length > 0 && bytes + parcel.bytes > this.#batchBytes) break
      this.#waiting.shift()
      if (parcel.signal.aborted) continue
      parcels.push(parcel)
      bytes += parcel.bytes
    }
    return parcels
  }

  /** One batch, until it is known what became of it or nobody waits for it any more. */
  async #deliver(parcels: readonly Parcel[]): Promise<void> {
    using abandoned = untilAllGaveUp(parcels, this.#client.closing)
    const delivery: Delivery = { signal: abandoned.signal, parcels, batch: null, isInDoubt: false }
    try {
      let offset = await this.#client.retry.execute(() => this.#attempt(delivery).catch((error: unknown) => failedAttempt(delivery, error)), { signal: delivery.signal })
      for (const parcel of delivery.parcels) {
        parcel.report(parcel.records.length, { kind: 'stored', baseOffset: offset })
        offset += BigInt(parcel.records.length)
      }
      // Answered, it has left. What was given up may still stand in line somewhere.
      if (delivery.batch !== null) giveBack(delivery.batch.bytes)
    } catch (error) {
      if (delivery.isInDoubt) this.#identity.giveUp()
      else if (isDivisible(error, delivery.parcels)) return await this.#deliverHalves(delivery.parcels)
      for (const parcel of delivery.parcels) parcel.report(parcel.records.length, { kind: delivery.isInDoubt ? 'unknown' : 'failed', error })
    }
  }

  /** The topic refused them together: apart, those go through that are as it wants them. */
  async #deliverHalves(parcels: readonly Parcel[]): Promise<void> {
    const bytes = parcels.reduce((sum, parcel) => sum + parcel.bytes, 0)
    if (bytes <= this.#batchBytes) this.#batchBytes = Math.max(1, Math.ceil(bytes / 2))
    for (const half of halves(parcels)) if (half.some(({ signal }) => !signal.aborted)) await this.#deliver(half)
  }

  /** Sends the batch once; answers the offset of its first record. */
  async #attempt(delivery: Delivery): Promise<bigint> {
    const what = `sending to partition ${this.#partition} of topic "${this.#topic}"`
    const leader = await this.#leader(delivery, what)
    const producer = await this.#identity.current(delivery.batch?.records.length ?? 0, delivery.signal)
    const batch = this.#batch(delivery, producer)
    const wasInDoubt = delivery.isInDoubt
    const { errorCode, errorMessage, baseOffset } = await this.#produce(delivery, batch, leader)
    if (errorCode === BROKER.NONE) {
      producer.sequence += batch.records.length
      return baseOffset
    }
    if (TOOK_NOTHING.has(errorCode)) mark(delivery, wasInDoubt)
    if (isLeadershipError(errorCode)) this.#client.view.doubt(this.#topic)
    if (!LOST_TRACK.has(errorCode)) throw brokerError(errorCode, what, errorMessage)
    const mayGoOn = this.#identity.giveUp()
    throw lostTrack(what, errorCode, mayGoOn && !delivery.isInDoubt)
  }

  async #leader(delivery: Delivery, what: string): Promise<PartitionLeader> {
    try {
      return await findLeader(this.#client, { topic: this.#topic, topicId: this.#topicId, partition: this.#partition, what, signal: delivery.signal })
    } catch (error) {
      // What may have been stored in a topic that is gone is gone with it.
      if (InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_TOPIC_NOT_FOUND') mark(delivery, false)
      throw error
    }
  }

  /**
   * The batch, the same one again once the broker may have it. Before, it is made of those whose callers still wait: who gave up was told
   * that nothing of it is stored. From here to the request there is no other turn.
   */
  #batch(delivery: Delivery, producer: Producer): EncodedBatch {
    if (delivery.batch !== null && delivery.isInDoubt) return delivery.batch
    const { settings, clock } = this.#client
    const parcels = delivery.parcels.filter(({ signal }) => !signal.aborted)
    const known = delivery.batch
    if (known !== null && known.producer === producer && known.parcels.length === parcels.length) return known
    const records = joined(parcels)
    const bytes = encodeRecordBatch(records, { compression: settings.compression, now: Math.floor(clock.now()), producer })
    delivery.parcels = parcels
    delivery.batch = { parcels, records, bytes, producer }
    return delivery.batch
  }

  async #produce(delivery: Delivery, batch: EncodedBatch, leader: PartitionLeader): Promise<ProduceResult> {
    const { api, settings, view, clock } = this.#client
    const place = { topic: this.#topic, partition: this.#partition }
    const wasInDoubt = delivery.isInDoubt
    let hasLeft = false
    const onSend = (): void => {
      hasLeft = true
      mark(delivery, true)
    }
    // Who gives up alone stops the request, so that it never leaves. With others who still wait it may leave all the same.
    if (delivery.parcels.some(({ signal }) => signal !== delivery.parcels[0]?.signal)) for (const parcel of delivery.parcels) parcel.isInDoubt = true
    const limits = { timeoutMs: settings.requestTimeoutMs, channel: String(this.#partition % settings.produceConnections), onSend }
    try {
      return await noticing(this.#client, this.#topic, leader.node, () =>
        whileItLeads({ view, clock, ...place, leader, signal: delivery.signal }, (signal) =>
          api.produce(leader.node, { ...place, records: batch.bytes, transactionalId: this.#identity.transactionalId }, { ...limits, signal }),
        ),
      )
    } catch (error) {
      if (!hasLeft) mark(delivery, wasInDoubt)
      throw error
    }
  }
}

function failedAttempt({ parcels }: Delivery, error: unknown): never {
  for (const parcel of parcels) parcel.onFailedAttempt(error)
  throw error
}

function mark(delivery: Delivery, isInDoubt: boolean): void {
  delivery.isInDoubt = isInDoubt
  for (const parcel of delivery.parcels) parcel.isInDoubt = isInDoubt
}

function isDivisible(error: unknown, parcels: readonly Parcel[]): boolean {
  const isOfRecords = InfrastructureError.isInstance(error) && PERHAPS_ONE_RECORD.has(error.context['brokerCode'] as number)
  return isOfRecords && (parcels.length > 1 || (parcels[0]?.records.length ?? 0) > 1)
}

/** When nothing is in doubt, another producer may send the batch; otherwise it could store a second copy. */
function lostTrack(what: string, code: number, mayGoOn: boolean): InfrastructureError {
  const { context } = brokerError(code, what)
  const message = `${what}: the broker doesn't go on with this producer's numbers (${String(context['brokerError'])})${mayGoOn ? '' : ', and another producer may not send the records'}`
  return kafkaError('ERR_MESSAGING_BROKER_REFUSED', message, { context, retryable: mayGoOn, status: 503 })
}
