import { messagingError, messagingValidationError } from '../../../errors.ts'
import { producerFenced, transactionAborted } from '../../../transactions/transaction-errors.ts'
import type { StagedOffset, TransactionKeeper } from '../../../transactions/transaction-keeper.ts'
import type { OutgoingRecord, PartitionReader } from '../../../transport.ts'
import { BROKER, brokerError } from '../../broker-errors.ts'
import type { KafkaRequestOptions, KafkaTarget, TopicPartition, TransactionRight } from '../../kafka-api.ts'
import { GroupCoordinator } from '../group-coordinator.ts'
import type { KafkaClient } from '../kafka-client.ts'
import { KafkaPartitionReader, type ProgressRight } from '../kafka-partition-reader.ts'
import { RecordSender } from '../send-records.ts'
import { storeProgress } from './store-progress.ts'
import { TransactionPartitions } from './transaction-partitions.ts'
import { type IdentityKeeper, TransactionalIdentity } from './transactional-identity.ts'

/** The broker's patience begins later and lasts longer than ours: only who is dead or asleep runs into it. */
const BROKER_MARGIN_MS = 5_000
/** Answers by which the broker says that the epoch is over. */
const FENCED = new Set<number>([BROKER.PRODUCER_FENCED, BROKER.INVALID_PRODUCER_EPOCH])
const LOST_TRACK = new Set<number>([BROKER.OUT_OF_ORDER_SEQUENCE_NUMBER, BROKER.UNKNOWN_PRODUCER_ID, BROKER.INVALID_PRODUCER_ID_MAPPING])
const NOT_ATTEMPTED = 55

/**
 * The transactions of one id on Kafka, in the form that every broker from 3.1 on speaks: one epoch for many transactions. Whenever a
 * request of one got no answer, so that it may still arrive, the next one begins under another epoch, which refuses it.
 */
export class KafkaKeeper implements TransactionKeeper, IdentityKeeper {
  readonly transactionalId: string
  readonly #client: KafkaClient
  readonly #transactionTimeoutMs: number
  readonly #coordinator: GroupCoordinator
  readonly #sender: RecordSender
  readonly #closing = new AbortController()
  #producerId = -1n
  #producerEpoch = -1
  /** Aborts when the transaction is over: nothing is added to it any more. */
  #open: AbortController | null = null
  #partitions = new TransactionPartitions((partitions) => this.#addPartitions(partitions))
  /** The coordinator may know of a transaction that has to be ended. */
  #needsEnd = false
  #wantsEpoch = false
  #isUndecided = false
  #isFenced = false

  constructor(client: KafkaClient, transactionalId: string, transactionTimeoutMs: number) {
    this.transactionalId = transactionalId
    this.#transactionTimeoutMs = transactionTimeoutMs + BROKER_MARGIN_MS
    const closing = AbortSignal.any([client.closing, this.#closing.signal])
    this.#client = { ...client, closing }
    this.#coordinator = new GroupCoordinator(this.#client, transactionalId, 'transaction')
    this.#sender = new RecordSender(this.#client, (topic, partition) => new TransactionalIdentity(this, topic, partition))
  }

  get producerId(): bigint {
    return this.#producerId
  }

  get producerEpoch(): number {
    return this.#producerEpoch
  }

  get isUndecided(): boolean {
    return this.#isUndecided
  }

  /** Takes the id over: its producer of before is refused from now on, and what that left open is aborted when this resolves. */
  async open(signal: AbortSignal): Promise<void> {
    await this.#identify(-1n, -1, signal)
  }

  async begin(signal: AbortSignal): Promise<void> {
    this.#checkCurrent()
    // Also asked before another epoch is: whoever has the id by now would lose its open transaction by that, and this answer tells.
    if (this.#needsEnd || this.#wantsEpoch) await this.#end(false, signal)
    if (this.#wantsEpoch) await this.#identify(this.#producerId, this.#producerEpoch, signal)
    this.#wantsEpoch = false
    this.#isUndecided = false
    this.#open = new AbortController()
    this.#partitions = new TransactionPartitions((partitions) => this.#addPartitions(partitions))
  }

  async send(topic: string, records: readonly OutgoingRecord[], signal: AbortSignal): Promise<void> {
    this.#checkCurrent()
    const { failure } = await this.#sender.send(topic, records, signal)
    if (failure === undefined) return
    throw this.#sendFailure(failure)
  }

  async add(topic: string, partition: number, signal: AbortSignal): Promise<void> {
    this.#checkOpen()
    await this.#partitions.add({ topic, partition }, signal)
    this.#checkOpen()
  }

  wantEpoch(): void {
    this.#wantsEpoch = true
  }

  checkOffset(reader: PartitionReader, nextOffset: bigint): void {
    if (typeof nextOffset !== 'bigint' || nextOffset < 0n) throw wrong('nextOffset', `must be a bigint from 0, got ${typeof nextOffset === 'bigint' ? String(nextOffset) : typeof nextOffset}`)
    rightOf(reader).current()
  }

  async commit(offsets: readonly StagedOffset[], signal: AbortSignal): Promise<void> {
    if (!this.#isUndecided) await this.#storeOffsets(offsets, signal)
    if (this.#needsEnd) await this.#end(true, signal)
    this.#over()
  }

  async abort(signal: AbortSignal): Promise<void> {
    this.#over()
    if (this.#needsEnd && !this.#isFenced) await this.#end(false, signal)
  }

  close(): void {
    this.#over()
    this.#closing.abort()
  }

  get #right(): TransactionRight {
    return { transactionalId: this.transactionalId, producerId: this.#producerId, producerEpoch: this.#producerEpoch }
  }

  #over(): void {
    this.#open?.abort()
    this.#open = null
  }

  async #identify(producerId: bigint, producerEpoch: number, signal: AbortSignal): Promise<void> {
    const request = { transactionalId: this.transactionalId, transactionTimeoutMs: this.#transactionTimeoutMs, producerId, producerEpoch }
    const what = `opening the transactional id "${this.transactionalId}"`
    const answer = await this.#coordinator.call(signal, (target) => this.#client.api.initProducerId(target, request, this.#limits(signal)))
    if (answer.errorCode !== BROKER.NONE) throw this.#refusal(answer.errorCode, what)
    this.#producerId = answer.producerId
    this.#producerEpoch = answer.producerEpoch
  }

  async #addPartitions(partitions: readonly TopicPartition[]): Promise<void> {
    this.#checkOpen()
    const { signal } = this.#open as AbortController
    await this.#ask('adding partitions to a transaction', signal, async (target, options) => {
      const answers = await this.#client.api.addPartitionsToTransaction(target, { ...this.#right, partitions }, options)
      const refused = answers.filter(({ errorCode }) => errorCode !== BROKER.NONE)
      return { errorCode: (refused.find(({ errorCode }) => errorCode !== NOT_ATTEMPTED) ?? refused[0])?.errorCode ?? BROKER.NONE }
    })
  }

  async #storeOffsets(offsets: readonly StagedOffset[], signal: AbortSignal): Promise<void> {
    const progress = offsets.map(({ reader, nextOffset, metadata }) => ({ topic: reader.topic, partition: reader.partition, offset: nextOffset, metadata, right: rightOf(reader) }))
    for (const [groupId, ofGroup] of Map.groupBy(progress, ({ right }) => right.groupId)) {
      await this.#ask('adding progress to a transaction', signal, (target, options) => this.#client.api.addOffsetsToTransaction(target, { ...this.#right, groupId }, options))
      const refused = await storeProgress(this.#client, this.#right, { groupId, offsets: ofGroup }, {
        ...this.#limits(signal),
        // Late, it would be older progress in a newer transaction, also when a repetition was answered.
        ask: (request) => this.#orLate(request),
      })
      if (refused !== null) throw this.#refusal(refused.errorCode, `storing progress in partition ${refused.partition} of topic "${refused.topic}" in a transaction`)
    }
  }

  /** Decides it; answered when that is durable. Repeated until there is an answer: which of the attempts was carried out makes no difference. */
  async #end(committed: boolean, signal: AbortSignal): Promise<void> {
    const what = `${committed ? 'committing' : 'aborting'} a transaction of "${this.transactionalId}"`
    const { errorCode } = await this.#coordinator.call(signal, async (target) => {
      const wasUndecided = this.#isUndecided
      const onSend = (): void => {
        this.#isUndecided = committed
      }
      const answer = await this.#orLate(this.#client.api.endTransaction(target, { ...this.#right, committed }, { ...this.#limits(signal), onSend }))
      if (answer.errorCode !== BROKER.NONE) this.#isUndecided = wasUndecided
      return answer
    })
    // One that is forgotten has nothing open.
    const wasEnded = errorCode === BROKER.INVALID_TXN_STATE || (errorCode === BROKER.INVALID_PRODUCER_ID_MAPPING && !committed)
    if (errorCode !== BROKER.NONE && !wasEnded) throw this.#refusal(errorCode, what)
    this.#needsEnd = false
    this.#isUndecided = false
    if (wasEnded && committed) throw transactionAborted(this.transactionalId, 'the broker had ended it before', brokerError(errorCode, what))
  }

  /** Something that the coordinator keeps of the open transaction. */
  async #ask(what: string, signal: AbortSignal, request: (target: KafkaTarget, options: KafkaRequestOptions) => Promise<{ readonly errorCode: number }>): Promise<void> {
    this.#needsEnd = true
    const { errorCode } = await this.#coordinator.call(signal, (target) => this.#orLate(request(target, this.#limits(signal))))
    if (errorCode !== BROKER.NONE) throw this.#refusal(errorCode, what)
  }

  /** What got no answer may still arrive, and must not meet the next transaction. */
  async #orLate<T>(request: Promise<T>): Promise<T> {
    try {
      return await request
    } catch (error) {
      this.#wantsEpoch = true
      throw error
    }
  }

  #limits(signal: AbortSignal): { readonly signal: AbortSignal; readonly timeoutMs: number } {
    return { signal, timeoutMs: this.#client.settings.requestTimeoutMs }
  }

  #refusal(errorCode: number, what: string): unknown {
    const error = brokerError(errorCode, what)
    // Forgotten, as it wasn't used for days. Asked with the number of before, the broker gives another one, or says that somebody else has the id.
    if (errorCode === BROKER.INVALID_PRODUCER_ID_MAPPING) this.#wantsEpoch = true
    return FENCED.has(errorCode) ? this.#fenced(error) : error
  }

  #sendFailure(failure: unknown): unknown {
    const code = (failure as { readonly context?: Readonly<Record<string, unknown>> }).context?.['brokerCode'] as number
    if (FENCED.has(code)) return this.#fenced(failure)
    // A repeat that came late confused the numbers, or they are forgotten; the next transaction has others.
    return LOST_TRACK.has(code) ? transactionAborted(this.transactionalId, "the broker doesn't go on with its numbers", failure) : failure
  }

  #fenced(cause: unknown): Error {
    this.#isFenced = true
    return producerFenced(this.transactionalId, cause)
  }

  #checkCurrent(): void {
    if (this.#isFenced) throw producerFenced(this.transactionalId)
  }

  #checkOpen(): void {
    this.#checkCurrent()
    if (this.#open === null) throw transactionAborted(this.transactionalId, 'it was over before a record left')
  }
}

function rightOf(reader: PartitionReader): ProgressRight {
  if (!(reader instanceof KafkaPartitionReader)) throw wrong('reader', "must be a reader that this transport's join() handed out")
  const right = reader.grant.progressRight?.()
  if (right !== undefined) return right
  throw messagingError('ERR_MESSAGING_NO_GROUP', `partition ${reader.partition} of topic "${reader.topic}" is read without a group, so there is no progress to store: join one`)
}

function wrong(field: string, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${field} ${message}`, [{ path: [field], message }])
}
