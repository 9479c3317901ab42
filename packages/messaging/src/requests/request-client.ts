import type { Logger } from '@smart-whale/interfaces'
import { withDeadline } from '@smart-whale/core-resilience'
import { DATA_REQUESTS_TOPIC, DEFAULT_OPERATION_TIMEOUT, MESSAGE_STATUS_PENDING, MODEL_TOPIC_PARTITIONS, MODEL_TOPIC_REPLICATION } from '../constants.ts'
import type { ReadRecord } from '../consume/read-record.ts'
import { isMessagingError, messagingError, messagingTimeout, notConnected } from '../errors.ts'
import { decodeMessage } from '../message-content.ts'
import { metadataExpiry } from '../message-expiry.ts'
import { DataRequest, DataResponse } from '../schemas/data-message.ts'
import type { KafkaServiceSettings } from '../service-options.ts'
import { checkTopicName } from '../topic-name.ts'
import type { MessagingTransport } from '../transport.ts'
import { CORRELATION_HEADER } from './correlation.ts'
import { FinishedRequests } from './finished-requests.ts'
import { ReplyInbox } from './reply-inbox.ts'
import { SharedInboxes } from './shared-inboxes.ts'

/** How one request is asked. */
export interface RequestOptions {
  /** How long the answer may take, in milliseconds. @default DEFAULT_OPERATION_TIMEOUT */
  timeout?: number | undefined
  /** Where requests are read. @default DATA_REQUESTS_TOPIC */
  topic?: string | undefined
  /** Is given each answer that says that the real one is still being worked on. @default nobody */
  onPending?: ((response: DataResponse) => void) | undefined
  /** Ends the wait. @default undefined */
  signal?: AbortSignal | undefined
}

/** What a {@link RequestClient} is made from. */
export interface RequestClientOptions {
  /** Where requests go and answers come from. @default none, required */
  readonly transport: MessagingTransport
  /** How the service works. @default none, required */
  readonly settings: KafkaServiceSettings
  /** Sends a request. @default none, required */
  send(request: DataRequest, topic: string, signal: AbortSignal): Promise<unknown>
}

interface Waiting {
  readonly topic: string
  readonly onPending: ((response: DataResponse) => void) | undefined
  readonly answer: PromiseWithResolvers<DataResponse>
}

/** Asks, and waits for the answers that name their request. */
export class RequestClient {
  readonly #options: RequestClientOptions
  readonly #logger: Logger
  readonly #waiting = new Map<string, Waiting>()
  readonly #finished: FinishedRequests
  readonly #inboxes: SharedInboxes
  readonly #measure: { duration: (seconds: number, outcome: string) => void; waiting: (requests: number) => void }
  #isClosing = false

  constructor(options: RequestClientOptions) {
    const { transport, settings } = options
    const { metrics, clock, timeoutMs } = settings
    this.#options = options
    this.#logger = settings.logger
    this.#finished = new FinishedRequests(metrics)
    this.#inboxes = new SharedInboxes(clock, async (topic) => {
      await this.#makeTopic(topic)
      return new ReplyInbox({ transport, topic, timeoutMs, clock, logger: this.#logger, onRecord: (record) => void this.#onRecord(record) })
    })
    const duration = metrics.histogram({ name: 'smart_whale_request_duration_seconds', help: 'From a request to its answer', labelNames: ['outcome'] })
    const waiting = metrics.gauge({ name: 'smart_whale_requests_waiting', help: 'Requests whose answer has not come yet' })
    this.#measure = { duration: (seconds, outcome) => duration.observe({ outcome }, seconds), waiting: (requests) => waiting.set({}, requests) }
  }

  /** Resolves with the answer, whatever its status. */
  async request(asked: DataRequest, options: RequestOptions = {}): Promise<DataResponse> {
    const { timeout = DEFAULT_OPERATION_TIMEOUT, topic = DATA_REQUESTS_TOPIC, signal, onPending } = options
    const { clock, maxRequests } = this.#options.settings
    const { requestId } = asked.metadata
    const responseTopic = asked.payload.responseTopic
    checkTopicName(responseTopic)
    if (this.#isClosing) throw notConnected('asking')
    if (this.#waiting.has(requestId)) throw duplicateRequest(requestId)
    if (this.#waiting.size >= maxRequests) throw tooManyRequests(maxRequests)

    const request = expiringWith(asked, clock.now() + timeout)
    const begunAt = clock.monotonic()
    const waiting: Waiting = { topic: responseTopic, onPending, answer: Promise.withResolvers() }
    this.#waiting.set(requestId, waiting)
    this.#measure.waiting(this.#waiting.size)
    let outcome = 'failed'
    try {
      const response = await withDeadline((context) => this.#ask(request, topic, waiting, context.signal), { timeoutMs: timeout, signal, clock, what: `request ${requestId}` })
      outcome = response.payload.status
      return response
    } catch (error) {
      if (isDeadline(error)) outcome = 'timeout'
      throw isDeadline(error) ? messagingTimeout(`the answer to request ${requestId}`, timeout, { topic, responseTopic }) : error
    } finally {
      this.#waiting.delete(requestId)
      this.#finished.add(requestId, outcome === 'timeout' || outcome === 'failed')
      this.#measure.waiting(this.#waiting.size)
      this.#measure.duration((clock.monotonic() - begunAt) / 1_000, outcome)
    }
  }

  /** Lets what was asked be answered, for as long as handlers may go on, then ends it. Afterwards nothing is asked. */
  async close(): Promise<void> {
    this.#isClosing = true
    const { clock, drainTimeoutMs } = this.#options.settings
    const answers = [...this.#waiting.values()].map(({ answer }) => answer.promise)
    const endAll = (): void => this.#waiting.forEach(({ answer }) => answer.reject(notConnected('waiting for an answer')))
    const timer = clock.setTimeout(endAll, drainTimeoutMs)
    await Promise.allSettled(answers)
    clock.clearTimeout(timer)
    await this.#inboxes.closeAll()
    this.#isClosing = false
  }

  async #ask(request: DataRequest, topic: string, waiting: Waiting, signal: AbortSignal): Promise<DataResponse> {
    const giveUp = (): void => waiting.answer.reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    // Nobody may be waiting yet when it ends.
    waiting.answer.promise.catch(() => {})
    const release = await this.#inboxes.use(waiting.topic)
    try {
      signal.throwIfAborted()
      await this.#options.send(request, topic, signal)
      return await waiting.answer.promise
    } finally {
      signal.removeEventListener('abort', giveUp)
      release()
    }
  }

  async #makeTopic(topic: string): Promise<void> {
    const { transport, settings } = this.#options
    const call = { timeoutMs: settings.timeoutMs }
    if ((await transport.topics.describe(topic, call)) !== null) return
    const replication = Math.min(MODEL_TOPIC_REPLICATION, await transport.topics.brokerCount(call))
    await transport.topics.create(topic, { partitions: MODEL_TOPIC_PARTITIONS, replication }, call)
  }

  /** The header spares reading the answers to others; an answer without one is read for its own word. */
  async #onRecord(record: ReadRecord): Promise<void> {
    const header = record.headers[CORRELATION_HEADER]
    const named = header === undefined ? undefined : Buffer.from(header).toString('utf8')
    if (named !== undefined && !this.#waiting.has(named)) return this.#finished.noteAnswer(named)
    try {
      const { encryptor, assumedContentType, acceptPlaintext } = this.#options.settings
      const value = await decodeMessage(record.value, record.headers, { topic: record.topic, key: record.key, encryptor, assumedContentType, acceptPlaintext })
      this.#onResponse(DataResponse.fromDict(value))
    } catch (error) {
      this.#logger.warn({ error, topic: record.topic, partition: record.partition, offset: String(record.offset) }, 'an answer could not be read')
      if (named !== undefined) this.#waiting.get(named)?.answer.reject(error)
    }
  }

  #onResponse(response: DataResponse): void {
    const { correlationId } = response.metadata
    if (correlationId === undefined) return
    const waiting = this.#waiting.get(correlationId)
    if (waiting === undefined) this.#finished.noteAnswer(correlationId)
    else if (response.payload.status === MESSAGE_STATUS_PENDING) waiting.onPending?.(response)
    else waiting.answer.resolve(response)
  }
}

/** What nobody waits for any more need not be worked on. */
function expiringWith(request: DataRequest, expiresAtMs: number): DataRequest {
  const own = metadataExpiry(request.metadata)
  if (own !== undefined && own <= expiresAtMs) return request
  return new DataRequest({ ...request, metadata: { ...request.metadata, expiresAt: new Date(expiresAtMs).toISOString() } })
}

const isDeadline = (error: unknown): boolean => (error as { code?: unknown }).code === 'ERR_TIMEOUT' && !isMessagingError(error)

const duplicateRequest = (requestId: string): Error =>
  messagingError('ERR_MESSAGING_DUPLICATE_REQUEST', `request ${requestId} is being asked already: give each request an id of its own`, { status: 409, context: { requestId } })

const tooManyRequests = (maxRequests: number): Error =>
  messagingError('ERR_MESSAGING_TOO_MANY_REQUESTS', `${maxRequests} requests wait for their answers already: ask again when some have come, or raise maxRequests`, {
    status: 503,
    retryable: true,
    context: { maxRequests },
  })
