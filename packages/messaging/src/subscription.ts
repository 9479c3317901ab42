import { abortedError, type Logger, type MessageHandler } from '@smart-whale/interfaces'
import { createRetry, sleep } from '@smart-whale/core-resilience'
import { PartitionConsumer } from './partition-consumer.ts'
import type { KafkaServiceSettings } from './service-options.ts'
import type { GroupMembership, MessagingTransport } from './transport.ts'

const REJOIN_PAUSE_MS = 1_000

/** What a subscription is made from. */
export interface SubscriptionOptions {
  /** Where messages come from; its lifecycle is somebody else's. @default none, required */
  readonly transport: MessagingTransport
  /** How the service works, and so this subscription. @default none, required */
  readonly settings: KafkaServiceSettings
  /** Topic to read. @default none, required */
  readonly topic: string
  /** Group to be a member of; its members share the partitions. @default none, required */
  readonly groupId: string
  /** Runs for each message, in order within a partition. @default none, required */
  readonly handler: MessageHandler
}

/** A membership in a group that comes back when it was lost, until it is stopped. */
export class Subscription {
  readonly #options: SubscriptionOptions
  readonly #logger: Logger
  readonly #stopped = new AbortController()
  readonly #consumer: PartitionConsumer
  #membership: GroupMembership | undefined
  #rejoining: Promise<void> | undefined

  constructor(options: SubscriptionOptions) {
    this.#options = options
    this.#logger = options.settings.logger.child({ topic: options.topic, groupId: options.groupId })
    this.#consumer = new PartitionConsumer({ ...options, logger: this.#logger })
  }

  /** Joins the group, or says why it can't. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#join(signal)
  }

  /** Lets the handlers finish what they are at, commits it, and leaves. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#rejoining
    await this.#membership?.leave()
  }

  async #join(signal: AbortSignal): Promise<void> {
    const { transport, topic, groupId } = this.#options
    if (signal.aborted) throw abortedError(`subscribing to "${topic}"`, signal)
    const membership = await transport.join({ groupId, topics: [topic], onPartition: (reader) => this.#consumer.consume(reader) })
    this.#membership = membership
    const onFailure = (): void => {
      this.#rejoining = this.#rejoin(membership.failed.reason)
    }
    if (membership.failed.aborted) onFailure()
    else membership.failed.addEventListener('abort', onFailure, { once: true })
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
