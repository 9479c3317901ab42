import { abortedError, type Logger, type Policy } from '@smart-whale/interfaces'
import { createRetry, sleep } from '@smart-whale/core-resilience'
import { BadMessageBreaker } from './consume/bad-message-breaker.ts'
import { consumptionMetrics } from './consume/consumption-metrics.ts'
import { FailedMessages, type FailedMessagesOptions } from './consume/failed-messages.ts'
import type { BatchHandler } from './consume/message-handler.ts'
import { PartitionFlow } from './consume/partition-flow.ts'
import type { ReadRecord } from './consume/read-record.ts'
import { type Delivery, RecordHandler, type RecordHandlerOptions } from './consume/record-handler.ts'
import { readRetried, retryDelays, retryTopic } from './consume/retry-topic.ts'
import { RetryWait } from './consume/retry-wait.ts'
import type { SubscribeOptions } from './consume/subscribe-options.ts'
import type { TransformWork } from './consume/transform-options.ts'
import { type TransactionalHandler, transformPartition } from './consume/transform-partition.ts'
import { WorkSlots } from './consume/work-slots.ts'
import { DEFAULT_PRIORITY } from './constants.ts'
import { messagingValidationError } from './errors.ts'
import type { MessageTracing } from './message-tracing.ts'
import { type KafkaServiceSettings, numberOption } from './service-options.ts'
import type { GroupMembership, MessagingTransport, PartitionReader } from './transport.ts'

const REJOIN_PAUSE_MS = 1_000
const DEFAULT_MAX_IN_FLIGHT = 1_000
const DEFAULT_COMMIT_INTERVAL_MS = 200
const DEFAULT_HANDLER_TIMEOUT_MS = 300_000

/** A topic that is subscribed, and how urgent its messages are. */
export interface SubscribedTopic {
  readonly topic: string
  readonly priority: number
}

/** What a subscription is made from. */
export interface SubscriptionOptions {
  /** Where messages come from; its lifecycle is somebody else's. @default none, required */
  readonly transport: MessagingTransport
  /** How the service works, and so this subscription. @default none, required */
  readonly settings: KafkaServiceSettings
  /** Carries traces on. @default none, required */
  readonly tracing: MessageTracing
  /** The name by which it is subscribed. @default none, required */
  readonly topic: string
  /** What is read: the topic itself, or its lanes. @default none, required */
  readonly topics: readonly SubscribedTopic[]
  /** Group to be a member of; its members share the partitions. @default none, required */
  readonly groupId: string
  /** Runs for the messages. @default none, required */
  readonly handler: BatchHandler | TransformWork
  /** Messages that the handler is given, at most. @default none, required */
  readonly batchSize: number
  /** How this subscription works in particular. @default none, required */
  readonly subscribe: SubscribeOptions
}

/** Where a record came from, of the topics that are read. */
interface Source extends SubscribedTopic {
  /** 0 for the topic itself, else the number of its retry topic. */
  readonly attempt: number
  readonly delayMs: number
}

/** A membership in a group that comes back when it was lost, until it is stopped. */
export class Subscription {
  readonly #options: SubscriptionOptions
  readonly #logger: Logger
  readonly #stopped = new AbortController()
  readonly #sources: ReadonlyMap<string, Source>
  readonly #failed: FailedMessages
  readonly #handling: Omit<RecordHandlerOptions, 'handler' | 'failed'>
  readonly #handler: RecordHandler | null
  readonly #breaker: BadMessageBreaker | null
  readonly #flowOptions: ReturnType<typeof flowOptions>
  readonly #sharedSlots: WorkSlots | undefined
  #membership: GroupMembership | undefined
  #rejoining: Promise<void> | undefined

  constructor(options: SubscriptionOptions) {
    const { settings, topic, topics, groupId, subscribe, transport } = options
    refuseOnceWhereItCanNotBe(options)
    const delaysMs = subscribe.retryTopics === undefined ? [] : retryDelays(subscribe.retryTopics)
    this.#options = options
    this.#logger = settings.logger.child({ topic, groupId })
    this.#sources = new Map(topics.flatMap((subscribed) => sourcesOf(subscribed, delaysMs)).map(([name, source]) => [name, source]))
    this.#flowOptions = flowOptions(options)
    // Lanes of priorities have their slots together: that is what lets urgent messages pass.
    this.#sharedSlots = topics.length > 1 ? new WorkSlots(this.#flowOptions.concurrency) : undefined
    const metrics = consumptionMetrics(settings.metrics, topic, groupId)
    this.#breaker = subscribe.breaker === false ? null : new BadMessageBreaker(subscribe.breaker ?? {}, this.#breakerEvents(metrics.halted), settings.clock)
    this.#failed = this.#failedTo(transport, delaysMs)
    this.#handling = {
      retry: subscribe.retry ?? (delaysMs.length > 0 ? onceOnly : settings.retry),
      handlerTimeoutMs: numberOption('handlerTimeoutMs', subscribe.handlerTimeoutMs ?? DEFAULT_HANDLER_TIMEOUT_MS),
      expired: subscribe.expired ?? 'drop',
      breaker: this.#breaker,
      content: settings,
      tracing: options.tracing,
      metrics,
      clock: settings.clock,
      logger: this.#logger,
    }
    this.#handler = typeof options.handler === 'function' ? new RecordHandler({ ...this.#handling, handler: options.handler, failed: this.#failed }) : null
  }

  /** Whether nothing is handled because too many messages were bad. */
  get isHalted(): boolean {
    return this.#breaker?.isHalted ?? false
  }

  /** Joins the group, or says why it can't. */
  async start(signal: AbortSignal): Promise<void> {
    for (const { topic } of this.#options.topics) await this.#failed.makeRetryTopics(topic)
    await this.#join(signal)
  }

  /** Lets the handlers finish what they are at, commits it, and leaves. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#rejoining
    await this.#membership?.leave()
  }

  async #join(signal: AbortSignal): Promise<void> {
    const { transport, topic, groupId, subscribe } = this.#options
    if (signal.aborted) throw abortedError(`subscribing to "${topic}"`, signal)
    const { startFrom } = subscribe
    const membership = await transport.join({ groupId, topics: [...this.#sources.keys()], startFrom, onPartition: (reader) => this.#consume(reader), signal: this.#stopped.signal })
    this.#membership = membership
    const onFailure = (): void => {
      this.#rejoining = this.#rejoin(membership.failed.reason)
    }
    if (membership.failed.aborted) onFailure()
    else membership.failed.addEventListener('abort', onFailure, { once: true })
  }

  #failedTo(transport: FailedMessagesOptions['transport'], delaysMs: readonly number[]): FailedMessages {
    const { settings, groupId } = this.#options
    return new FailedMessages({ transport, groupId, delaysMs, timeoutMs: settings.timeoutMs, clock: settings.clock, logger: this.#logger })
  }

  async #consume(reader: PartitionReader): Promise<void> {
    const transactional = transactionalHandler(this.#options)
    if (transactional === null) return this.#handlePartition(reader)
    const { batchSize, bufferBytes, timeoutMs, drainTimeoutMs } = this.#flowOptions
    const flow = { ...this.#options, reader, batchSize, bufferBytes, timeoutMs, drainTimeoutMs, clock: this.#options.settings.clock, logger: this.#logger }
    await transformPartition(transactional, { ...flow, handling: this.#handling, failedTo: (transport) => this.#failedTo(transport, []) })
  }

  async #handlePartition(reader: PartitionReader): Promise<void> {
    const source = this.#sources.get(reader.topic) ?? { topic: reader.topic, attempt: 0, delayMs: 0, priority: DEFAULT_PRIORITY }
    if (source.attempt > 0) await beginAtEarliest(reader)
    const { concurrency, ...flow } = this.#flowOptions
    const { clock } = this.#options.settings
    const deliveryOf = (record: ReadRecord): Delivery => ({ record, retried: source.attempt === 0 ? { origin: record, attempt: 0, groupId: undefined, dueAtMs: undefined } : readRetried(record, source.topic, source.attempt) })
    const retryWait = new RetryWait(source.delayMs, clock)
    const isOurs = ({ retried }: Delivery): boolean => retried.groupId === undefined || retried.groupId === this.#options.groupId
    await new PartitionFlow({
      ...flow,
      reader,
      slots: this.#sharedSlots ?? new WorkSlots(concurrency),
      priority: source.priority,
      logger: this.#logger,
      waitBefore: (record) => {
        if (source.attempt === 0) return 0
        const delivery = deliveryOf(record)
        return isOurs(delivery) ? retryWait.before(delivery.retried.dueAtMs ?? 0) : 0
      },
      handle: async (records, signals) => this.#handler?.handle(records.map(deliveryOf).filter(isOurs), signals) ?? new Set(records),
    }).run()
  }

  #breakerEvents(setHalted: (isHalted: boolean) => void) {
    return {
      onHalt: (share: number) => {
        setHalted(true)
        this.#logger.error({ badShare: share }, 'too many messages can not be handled: the subscription halts, and tries one from time to time; look at the handler and the dead letters')
      },
      onResume: () => {
        setHalted(false)
        this.#logger.info('messages can be handled again: the subscription goes on')
      },
    }
  }

  async #rejoin(error: unknown): Promise<void> {
    this.#logger.error({ error }, 'the subscription was lost; joining the group again')
    const forever = createRetry({
      name: 'rejoin-group',
      maxAttempts: Infinity,
      maxDelayMs: 30_000,
      budget: false,
      clock: this.#options.settings.clock,
      isRetryable: () => true,
      onRetry: (event) => this.#logger.error({ error: event.error, attempt: event.attempt }, 'the group could not be joined again yet'),
    })
    const { signal } = this.#stopped
    try {
      // A membership that is lost as soon as it is had must not be had again without a pause.
      await sleep(REJOIN_PAUSE_MS, { signal, clock: this.#options.settings.clock })
      await forever.execute(() => this.#join(signal), { signal })
    } catch {
      // Only the end of the subscription ends the attempts.
    }
  }
}

/** A retry topic is read from its beginning, wherever its group begins in other topics: whatever is in it was accepted from there. */
async function beginAtEarliest(reader: PartitionReader): Promise<void> {
  if ((await reader.committed()) === null) reader.seek((await reader.bounds()).earliest)
}

const onceOnly: Policy = createRetry({ name: 'retry-topics', maxAttempts: 1, budget: false })

function sourcesOf(subscribed: SubscribedTopic, delaysMs: readonly number[]): (readonly [string, Source])[] {
  const retries = delaysMs.map((delayMs, index) => [retryTopic(subscribed.topic, index + 1), { ...subscribed, attempt: index + 1, delayMs }] as const)
  return [[subscribed.topic, { ...subscribed, attempt: 0, delayMs: 0 }], ...retries]
}

/** How messages are handled whose batches are transactions; null for all others. */
function transactionalHandler({ handler, subscribe }: SubscriptionOptions): TransactionalHandler | null {
  if (typeof handler !== 'function') {
    return async (messages, transaction, context) => {
      await handler.transform(messages, transaction, context)
    }
  }
  return subscribe.deadLettersOnce === true ? (messages, _transaction, context) => handler(messages, context) : null
}

/** A transaction has the progress of one partition in it: up to what was handled, and nothing that is elsewhere or still going on. */
function refuseOnceWhereItCanNotBe({ subscribe, topics }: SubscriptionOptions): void {
  if (subscribe.deadLettersOnce !== true) return
  const conflict = subscribe.retryTopics !== undefined ? 'retryTopics' : (subscribe.concurrency ?? 1) > 1 ? 'concurrency above 1' : topics.length > 1 ? 'lanes' : null
  if (conflict === null) return
  const message = `deadLettersOnce can't be had together with ${conflict}: leave one of them out`
  throw messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', message, [{ path: ['deadLettersOnce'], message }])
}

function flowOptions({ settings, subscribe, batchSize }: SubscriptionOptions) {
  const concurrency = numberOption('concurrency', subscribe.concurrency ?? 1)
  return {
    concurrency,
    isOrderedByKey: concurrency > 1,
    batchSize: numberOption('batchSize', batchSize),
    maxInFlight: numberOption('maxInFlight', subscribe.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT),
    commitIntervalMs: numberOption('commitIntervalMs', subscribe.commitIntervalMs ?? DEFAULT_COMMIT_INTERVAL_MS),
    bufferBytes: settings.bufferBytes,
    timeoutMs: settings.timeoutMs,
    drainTimeoutMs: settings.drainTimeoutMs,
    clock: settings.clock,
  }
}
