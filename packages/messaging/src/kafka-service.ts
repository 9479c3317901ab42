import type { MessageHandler } from '@smart-whale/interfaces'
import { DATA_REQUESTS_TOPIC, DEFAULT_PARTITIONS, DEFAULT_REPLICATION } from './constants.ts'
import { kindOf, messagingError, messagingValidationError, notConnected, PartialSendError, topicNotFound } from './errors.ts'
import { encodeMessage } from './message-content.ts'
import { modelTopicName } from './model-topic.ts'
import { RESPONSE_MODEL_ID } from './schemas/create-data-message.ts'
import type { DataRequest, DataResponse } from './schemas/data-message.ts'
import { type KafkaServiceOptions, type KafkaServiceSettings, serviceSettings } from './service-options.ts'
import { Subscription } from './subscription.ts'
import { checkTopicName } from './topic-name.ts'
import type { MessagingTransport, OutgoingRecord, RecordPosition, TopicDescription } from './transport.ts'

/** What goes with a message. */
export interface SendMessageOptions {
  /** Messages of one key are handled in order. @default none */
  key?: string | Uint8Array | null | undefined
  /** Headers of the message, beside those that say how it is encoded. @default {} */
  headers?: Readonly<Record<string, string | Uint8Array>> | undefined
  /** Ends the call. @default undefined */
  signal?: AbortSignal | undefined
}

/** What goes with the messages of a batch. */
export interface SendBatchOptions {
  /** The key of each message. @default none */
  key?: ((message: unknown, index: number) => string | Uint8Array | null) | undefined
  /** Headers of every message. @default {} */
  headers?: Readonly<Record<string, string | Uint8Array>> | undefined
  /** Ends the call. @default undefined */
  signal?: AbortSignal | undefined
}

/** Messages over topics: objects, texts and bytes that come back as what they were, to handlers that are retried and then dead-lettered. */
export class KafkaService {
  readonly #transport: MessagingTransport
  readonly #settings: KafkaServiceSettings
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #sending = new Set<Promise<unknown>>()
  #isConnected = false

  constructor(transport: MessagingTransport, options?: KafkaServiceOptions) {
    this.#transport = transport
    this.#settings = serviceSettings(options)
  }

  /** Makes the service ready. Twice is a no-op. */
  connect(): Promise<boolean> {
    return this.#logged('connect', {}, async () => {
      if (this.#settings.manageTransport) await this.#transport.start()
      this.#isConnected = true
      return true
    })
  }

  /** Lets handlers and sends finish, then lets go of the broker. Twice is a no-op. */
  disconnect(): Promise<boolean> {
    return this.#logged('disconnect', {}, async () => {
      await Promise.all([...this.#subscriptions.values()].map((subscription) => subscription.stop()))
      this.#subscriptions.clear()
      this.#isConnected = false
      await Promise.allSettled(this.#sending)
      if (this.#settings.manageTransport) await this.#transport.stop()
      return true
    })
  }

  /** Resolves true when the broker has the message durably. */
  sendMessage(topic: string, message: unknown, options: SendMessageOptions = {}): Promise<boolean> {
    const { key, headers, signal } = options
    return this.#send('send message', topic, [{ message, key, headers }], signal)
  }

  /** Resolves true when the broker has all of the messages durably; a `PartialSendError` says which it has otherwise. */
  sendBatch(topic: string, messages: readonly unknown[], options: SendBatchOptions = {}): Promise<boolean> {
    const { key, headers, signal } = options
    if (!Array.isArray(messages)) return Promise.reject(invalid('messages', `must be an array, got ${kindOf(messages)}`))
    const drafts = messages.map((message: unknown, index) => ({ message, key: key?.(message, index), headers }))
    return this.#send('send batch', topic, drafts, signal)
  }

  /** Sends a request for data, keyed by its model so that a model's requests keep their order. */
  sendDataRequest(request: DataRequest, topic: string = DATA_REQUESTS_TOPIC): Promise<boolean> {
    return this.sendMessage(topic, request.toDict(), { key: request.payload.modelId })
  }

  /** Sends an answer, to the topic of the model that asked unless said otherwise. */
  async sendDataResponse(response: DataResponse, topic?: string): Promise<boolean> {
    const modelId = response.payload.metadata[RESPONSE_MODEL_ID]
    if (topic === undefined && typeof modelId !== 'string') {
      throw invalid('topic', `is needed: the response names no model in payload.metadata.${RESPONSE_MODEL_ID}`)
    }
    return this.sendMessage(topic ?? modelTopicName(String(modelId)), response.toDict(), { key: response.metadata.correlationId })
  }

  /**
   * Hands each message of a topic to a handler, as a member of a group. A handler that throws is run again, then the message
   * goes to `<topic>.dlq`; the next one is handled when that is done.
   */
  subscribe(topic: string, groupId: string, handler: MessageHandler): Promise<boolean> {
    return this.#logged('subscribe', { topic, groupId }, async () => {
      this.#checkConnected('subscribing')
      checkTopicName(topic)
      if (typeof handler !== 'function') throw invalid('handler', `must be a function, got ${kindOf(handler)}`)
      const name = subscriptionName(topic, groupId)
      if (this.#subscriptions.has(name)) throw alreadySubscribed(topic, groupId)
      const subscription = new Subscription({ transport: this.#transport, settings: this.#settings, topic, groupId, handler })
      this.#subscriptions.set(name, subscription)
      try {
        await this.#settings.policy.execute(({ signal }) => subscription.start(signal))
      } catch (error) {
        this.#subscriptions.delete(name)
        throw error
      }
      return true
    })
  }

  /** Resolves true when nothing of the topic is handled any more; what was being handled has ended. */
  unsubscribe(topic: string, groupId: string): Promise<boolean> {
    return this.#logged('unsubscribe', { topic, groupId }, async () => {
      const name = subscriptionName(topic, groupId)
      const subscription = this.#subscriptions.get(name)
      await subscription?.stop()
      if (this.#subscriptions.get(name) === subscription) this.#subscriptions.delete(name)
      return true
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

  #send(operation: string, topic: string, drafts: readonly Draft[], signal: AbortSignal | undefined): Promise<boolean> {
    const sending = this.#logged(operation, { topic, messages: drafts.length }, async () => {
      this.#checkConnected('sending')
      checkTopicName(topic)
      const records = await Promise.all(drafts.map((draft) => this.#record(topic, draft)))
      await this.#sendRecords(topic, records, signal)
      return true
    })
    this.#sending.add(sending)
    const forget = (): void => void this.#sending.delete(sending)
    sending.then(forget, forget)
    return sending
  }

  /** Under the policy; when that tries again after a part was stored, only the rest is sent. */
  async #sendRecords(topic: string, records: readonly OutgoingRecord[], signal: AbortSignal | undefined): Promise<void> {
    const stored: (RecordPosition | null)[] = records.map(() => null)
    const attempt = async (attemptSignal: AbortSignal): Promise<void> => {
      const left = [...records.keys()].filter((index) => stored[index] === null)
      const note = (positions: readonly (RecordPosition | null)[]): void =>
        left.forEach((index, order) => {
          stored[index] = positions[order] ?? null
        })
      try {
        note(await this.#transport.send(topic, left.map((index) => records[index] as OutgoingRecord), { ...this.#call, signal: attemptSignal }))
      } catch (error) {
        if (!PartialSendError.isInstance(error)) throw error
        note(error.stored)
        throw new PartialSendError({ topic, stored: [...stored], cause: error.cause, retryable: error.retryable })
      }
    }
    await this.#settings.policy.execute((context) => attempt(context.signal), { signal })
  }

  async #record(topic: string, { message, key, headers }: Draft): Promise<OutgoingRecord> {
    const content = await encodeMessage(topic, message, this.#settings.encryptor)
    return { key, value: content.value, headers: { ...headers, ...content.headers } }
  }

  #checkConnected(what: string): void {
    if (!this.#isConnected) throw notConnected(what)
  }

  async #logged<T>(operation: string, context: object, work: () => Promise<T>): Promise<T> {
    const { logger } = this.#settings
    try {
      const result = await work()
      logger.debug(context, `${operation}: done`)
      return result
    } catch (error) {
      logger.error({ ...context, error }, `${operation}: failed`)
      throw error
    }
  }
}

interface Draft {
  readonly message: unknown
  readonly key: string | Uint8Array | null | undefined
  readonly headers: Readonly<Record<string, string | Uint8Array>> | undefined
}

const subscriptionName = (topic: string, groupId: string): string => JSON.stringify([topic, groupId])

function alreadySubscribed(topic: string, groupId: string): Error {
  return messagingError('ERR_MESSAGING_ALREADY_SUBSCRIBED', `topic "${topic}" is subscribed by group "${groupId}" already: unsubscribe first, or use another group`, {
    status: 409,
    context: { topic, groupId },
  })
}

function invalid(field: string, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${field} ${message}`, [{ path: [field], message }])
}
