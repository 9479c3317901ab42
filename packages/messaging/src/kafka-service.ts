import type { MessageHandler } from '@smart-whale/interfaces'
import { DATA_REQUESTS_TOPIC, DEFAULT_PARTITIONS, DEFAULT_PRIORITY, DEFAULT_REPLICATION } from './constants.ts'
import { consumerLag, type ConsumerLag } from './consumer-lag.ts'
import { makeTopicBeside, sameSpread } from './consume/failed-messages.ts'
import type { BatchHandler } from './consume/message-handler.ts'
import type { SubscribeBatchOptions, SubscribeOptions } from './consume/subscribe-options.ts'
import type { TransformHandler, TransformOptions } from './consume/transform-options.ts'
import { messagingValidationError, notConnected, topicNotFound } from './errors.ts'
import { type LogOutcome, logOutcomes } from './log-outcome.ts'
import { metadataExpiry } from './message-expiry.ts'
import { MessageTracing } from './message-tracing.ts'
import { modelTopicName } from './model-topic.ts'
import { laneTopic, laneTopics } from './priority-lanes.ts'
import { CORRELATION_HEADER } from './requests/correlation.ts'
import { RequestClient, type RequestOptions } from './requests/request-client.ts'
import { answering, type DataRequestHandler, type ServeDataRequestsOptions } from './requests/serve-requests.ts'
import { RESPONSE_MODEL_ID } from './schemas/create-data-message.ts'
import type { DataRequest, DataResponse } from './schemas/data-message.ts'
import { type MessageDraft, MessageSender } from './send-messages.ts'
import { batchDrafts, expiryAt, type SendBatchOptions, type SendMessageOptions } from './send-options.ts'
import { type KafkaServiceOptions, type KafkaServiceSettings, serviceSettings } from './service-options.ts'
import { Subscriptions } from './subscriptions.ts'
import { checkTopicName, isTopicName } from './topic-name.ts'
import type { MessageTransaction } from './transactions/message-transaction.ts'
import { ServiceTransactions, type ServiceTransactionOptions } from './transactions/service-transactions.ts'
import type { MessagingTransport, TopicDescription } from './transport.ts'

/** Messages over topics: objects, texts and bytes that come back as what they were, to handlers that are retried and then dead-lettered. */
export class KafkaService {
  readonly #transport: MessagingTransport
  readonly #settings: KafkaServiceSettings
  readonly #logged: LogOutcome
  readonly #sender: MessageSender
  readonly #subscriptions: Subscriptions
  readonly #requests: RequestClient
  readonly #transactions: ServiceTransactions
  #isConnected = false

  constructor(transport: MessagingTransport, options?: KafkaServiceOptions) {
    const settings = serviceSettings(options)
    const tracing = new MessageTracing(settings.tracer)
    const checkConnected = (what: string): void => this.#checkConnected(what)
    this.#transport = transport
    this.#settings = settings
    this.#logged = logOutcomes(settings.logger)
    this.#sender = new MessageSender({ transport, settings, tracing, logged: this.#logged, checkConnected })
    this.#subscriptions = new Subscriptions({ transport, settings, tracing }, this.#logged, checkConnected)
    this.#transactions = new ServiceTransactions({ transport, settings, tracing, logged: this.#logged })
    this.#requests = new RequestClient({ transport, settings, send: (request, topic, signal) => this.sendDataRequest(request, topic, { signal }) })
  }

  /** Makes the service ready. Twice is a no-op. */
  connect(): Promise<boolean> {
    return this.#logged('connect', {}, async () => {
      if (this.#settings.manageTransport) await this.#transport.start()
      this.#isConnected = true
      return true
    })
  }

  /** Lets handlers, sends and requests finish, then lets go of the broker. Twice is a no-op. */
  disconnect(): Promise<boolean> {
    return this.#logged('disconnect', {}, async () => {
      await this.#subscriptions.stopAll()
      await this.#requests.close()
      this.#isConnected = false
      await this.#sender.drain()
      await this.#transactions.close()
      if (this.#settings.manageTransport) await this.#transport.stop()
      return true
    })
  }

  /** Resolves true when the broker has the message durably. */
  sendMessage(topic: string, message: unknown, options: SendMessageOptions = {}): Promise<boolean> {
    const { key, headers, signal } = options
    return this.#send('send message', topic, () => [{ message, key, headers, expiresAtMs: expiryAt(options.ttlMs, this.#settings.clock) }], options.priority, signal)
  }

  /** Resolves true when the broker has all of the messages durably; a `PartialSendError` says which it has otherwise. */
  sendBatch(topic: string, messages: readonly unknown[], options: SendBatchOptions = {}): Promise<boolean> {
    const drafts = (): MessageDraft[] => batchDrafts(messages, options, this.#settings.clock)
    return this.#send('send batch', topic, drafts, options.priority, options.signal)
  }

  /**
   * Runs work whose messages are seen all together, or not at all: when it resolves they are, when the work throws, or the process dies, none of
   * them ever is. Transactions of one id run one after the other.
   *
   * @throws OperationError `ERR_MESSAGING_TRANSACTION_UNKNOWN` when no answer told whether it was committed; `ERR_MESSAGING_PRODUCER_FENCED` when
   * another process has the id
   */
  transaction<T>(work: (transaction: MessageTransaction) => Promise<T>, options: ServiceTransactionOptions = {}): Promise<T> {
    return this.#logged('transaction', { transactionalId: options.transactionalId }, async () => {
      this.#checkConnected('a transaction')
      return this.#transactions.run(work, options)
    })
  }

  /** Sends a request for data, keyed by its model so that a model's requests keep their order; it is not handled once it has expired. */
  sendDataRequest(request: DataRequest, topic: string = DATA_REQUESTS_TOPIC, options: { signal?: AbortSignal } = {}): Promise<boolean> {
    const draft = (): MessageDraft[] => [{ message: request.toDict(), key: request.payload.modelId, headers: undefined, expiresAtMs: metadataExpiry(request.metadata) }]
    return this.#send('send data request', topic, draft, undefined, options.signal)
  }

  /** Sends an answer, to the topic of the model that asked unless said otherwise. */
  sendDataResponse(response: DataResponse, topic?: string): Promise<boolean> {
    const { correlationId } = response.metadata
    const headers = correlationId === undefined ? undefined : { [CORRELATION_HEADER]: correlationId }
    const draft = (): MessageDraft[] => [{ message: response.toDict(), key: correlationId, headers, expiresAtMs: metadataExpiry(response.metadata) }]
    return this.#sender.send('send data response', { topic }, () => ({ topic: topic ?? responseTopicOf(response), drafts: draft() }))
  }

  /**
   * Sends a request and resolves with its answer, whatever its status. The request expires with the wait, so that nobody works on what
   * nobody awaits. The topic of the answers is made if it isn't there; it is read without a group, so nothing is left behind.
   *
   * @throws TimeoutError `ERR_MESSAGING_TIMEOUT` when no answer came in time; one that comes later is counted and dropped
   */
  request(dataRequest: DataRequest, options: RequestOptions = {}): Promise<DataResponse> {
    return this.#logged('request', { requestId: dataRequest.metadata.requestId }, () => {
      this.#checkConnected('asking')
      return this.#requests.request(dataRequest, options)
    })
  }

  /** Answers requests for data, as a member of a group. What the handler throws becomes an answer that says so; the topic of the answer must be one for answers. */
  serveDataRequests(groupId: string, handler: DataRequestHandler, options: ServeDataRequestsOptions = {}): Promise<boolean> {
    const { topic = DATA_REQUESTS_TOPIC, mayAnswerTo, ...subscribe } = options
    return this.subscribe(topic, groupId, answering(handler, (response, to) => this.sendDataResponse(response, to), mayAnswerTo), subscribe)
  }

  /**
   * Hands each message of a topic to a handler, as a member of a group. A handler that throws is run again, then the message
   * goes to `<topic>.dlq`; the next one is handled when that is done.
   */
  subscribe(topic: string, groupId: string, handler: MessageHandler, options: SubscribeOptions = {}): Promise<boolean> {
    return this.#subscriptions.start('subscribe', {
      topic,
      topics: [{ topic, priority: DEFAULT_PRIORITY }],
      groupId,
      handler: oneByOne(handler),
      batchSize: 1,
      subscribe: options,
    })
  }

  /** Hands the messages of a topic to a handler in batches: of all that is there, up to `batchSize`. Those that it says failed are dealt with as by {@link subscribe}. */
  subscribeBatch(topic: string, groupId: string, handler: BatchHandler, options: SubscribeBatchOptions = {}): Promise<boolean> {
    const { batchSize = this.#settings.batchSize, ...subscribe } = options
    return this.#subscriptions.start('subscribe batch', { topic, topics: [{ topic, priority: DEFAULT_PRIORITY }], groupId, handler, batchSize, subscribe })
  }

  /**
   * Hands the messages of a topic and its lanes to a handler, urgent ones first: a message waits for no more than the next free handler
   * while less urgent ones flood, and the least urgent lane still has one turn in 31. Lanes that aren't there are made.
   */
  subscribeLanes(topic: string, groupId: string, handler: MessageHandler, options: SubscribeOptions = {}): Promise<boolean> {
    const topics = isTopicName(topic) ? laneTopics(topic) : []
    const request = { topic, topics, groupId, handler: oneByOne(handler), batchSize: 1, subscribe: options }
    return this.#subscriptions.start('subscribe lanes', request, async () => {
      for (const lane of topics) await makeTopicBeside(this.#transport, lane.topic, topic, sameSpread, this.#settings.timeoutMs)
    })
  }

  /**
   * Makes messages of messages: what the handler sends with its transaction is seen together with the progress past the messages that it was
   * handed, once, whatever dies in between. A message that can't be handled goes to `<topic>.dlq` in the same way. Ended by {@link unsubscribe}.
   */
  transform(topic: string, groupId: string, handler: TransformHandler, options: TransformOptions = {}): Promise<boolean> {
    const { batchSize = this.#settings.batchSize, ...subscribe } = options
    const work = typeof handler === 'function' ? { transform: handler } : handler
    return this.#subscriptions.start('transform', { topic, topics: [{ topic, priority: DEFAULT_PRIORITY }], groupId, handler: work, batchSize, subscribe })
  }

  /** Resolves true when nothing of the topic is handled any more; what was being handled has ended. */
  unsubscribe(topic: string, groupId: string): Promise<boolean> {
    return this.#subscriptions.stop(topic, groupId)
  }

  /** Whether a subscription of this service handles nothing for now because too many messages were bad. */
  isHalted(topic: string, groupId: string): boolean {
    return this.#subscriptions.isHalted(topic, groupId)
  }

  /** How far a group is behind in a topic, partition by partition; sets the gauge `smart_whale_consumer_lag` too. */
  getConsumerLag(topic: string, groupId: string): Promise<ConsumerLag> {
    return this.#logged('get consumer lag', { topic, groupId }, () => {
      this.#checkConnected('asking for lag')
      checkTopicName(topic)
      return consumerLag(this.#transport, this.#settings.metrics, topic, groupId, this.#settings.timeoutMs)
    })
  }

  topicExists(topic: string): Promise<boolean> {
    return this.#logged('topic exists', { topic }, async () => (await this.#describe(topic)) !== null)
  }

  /**
   * Resolves true when the topic is there afterwards, made now or earlier.
   *
   * @param replication without it, as many copies as there are brokers, up to {@link DEFAULT_REPLICATION}
   */
  createTopic(topic: string, partitions: number = DEFAULT_PARTITIONS, replication?: number, configs?: Readonly<Record<string, string>>): Promise<boolean> {
    return this.#logged('create topic', { topic, partitions, replication }, async () => {
      this.#checkConnected('creating a topic')
      const copies = replication ?? Math.min(DEFAULT_REPLICATION, await this.brokerCount())
      await this.#transport.topics.create(topic, { partitions, replication: copies, configs }, this.#call)
      return true
    })
  }

  /** Resolves true when the topic was removed. @throws OperationError `ERR_MESSAGING_TOPIC_NOT_FOUND` */
  deleteTopic(topic: string): Promise<boolean> {
    return this.#logged('delete topic', { topic }, async () => {
      this.#checkConnected('deleting a topic')
      checkTopicName(topic)
      if (!(await this.#transport.topics.delete(topic, this.#call))) throw topicNotFound(topic)
      return true
    })
  }

  listTopics(): Promise<readonly string[]> {
    return this.#logged('list topics', {}, async () => {
      this.#checkConnected('listing topics')
      return this.#transport.topics.list(this.#call)
    })
  }

  /** What the broker says of a topic; null when it has none of that name. */
  getTopicInfo(topic: string): Promise<TopicDescription | null> {
    return this.#logged('get topic info', { topic }, () => this.#describe(topic))
  }

  /** How many brokers there are. */
  async brokerCount(): Promise<number> {
    this.#checkConnected('counting brokers')
    return this.#transport.topics.brokerCount(this.#call)
  }

  get #call(): { timeoutMs: number } {
    return { timeoutMs: this.#settings.timeoutMs }
  }

  async #describe(topic: string): Promise<TopicDescription | null> {
    this.#checkConnected('describing a topic')
    checkTopicName(topic)
    return this.#transport.topics.describe(topic, this.#call)
  }

  #send(operation: string, topic: string, drafts: () => readonly MessageDraft[], priority: number | undefined, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#sender.send(operation, { topic, priority }, () => ({ topic: priority === undefined ? topic : laneTopic(topic, priority), drafts: drafts() }), signal)
  }

  #checkConnected(what: string): void {
    if (!this.#isConnected) throw notConnected(what)
  }
}

/** A handler of single messages as one of batches; whatever else was given is refused where handlers are checked. */
const oneByOne = (handler: MessageHandler): BatchHandler =>
  typeof handler !== 'function'
    ? handler
    : async (messages, context) => {
        for (const message of messages) await handler(message, context)
      }

function responseTopicOf(response: DataResponse): string {
  const modelId = response.payload.metadata[RESPONSE_MODEL_ID]
  if (typeof modelId === 'string') return modelTopicName(modelId)
  throw invalid('topic', `is needed: the response names no model in payload.metadata.${RESPONSE_MODEL_ID}`)
}

function invalid(field: string, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${field} ${message}`, [{ path: [field], message }])
}
