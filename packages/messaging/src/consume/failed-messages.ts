import { type Clock, InfrastructureError, type Logger, type Policy } from '@smart-whale/interfaces'
import { createRetry } from '@smart-whale/core-resilience'
import { deadLetterSettings, letterRisksOf, retryTopicSettings } from '../beside-topic.ts'
import { deadLetterRecord, type DeadLetterReason, deadLetterTopic } from '../dead-letter.ts'
import type { MessagingTransport, OutgoingRecord, TopicDescription, TopicSettings } from '../transport.ts'
import { type RetriedRecord, retryRecord, retryTopic } from './retry-topic.ts'

/** What {@link FailedMessages} is made from. */
export interface FailedMessagesOptions {
  /** Where the topics are, and what takes the messages. @default none, required */
  readonly transport: Pick<MessagingTransport, 'topics' | 'send'>
  /** Group whose handler fails. @default none, required */
  readonly groupId: string
  /** How long each retry topic's messages wait, in milliseconds; none at all sends to the dead letters at once. @default none, required */
  readonly delaysMs: readonly number[]
  /** How long one call to the broker may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
  /** Whose time passes. @default none, required */
  readonly clock: Clock
  /** Where each failed message is said. @default none, required */
  readonly logger: Logger
}

/** Where a failed message went; null when it could not be put anywhere yet. */
export type FailedMessagePlace = 'retry' | 'dead-letter' | null

/** Puts messages that could not be handled where they are safe: into the next retry topic, else to the dead letters. */
export class FailedMessages {
  readonly #options: FailedMessagesOptions
  readonly #forever: Policy
  /** Topics that were there. */
  readonly #known = new Set<string>()

  constructor(options: FailedMessagesOptions) {
    this.#options = options
    this.#forever = createRetry({
      name: 'failed-messages',
      maxAttempts: Infinity,
      maxDelayMs: 30_000,
      budget: false,
      clock: options.clock,
      isRetryable: () => true,
      onRetry: ({ error, attempt }) => options.logger.error({ error, attempt }, 'a failed message could not be stored; its partition stands still until it is'),
    })
  }

  /** Not moving on until the message is safe is what keeps it from being lost: only the signal ends the attempts. */
  async store(retried: RetriedRecord, error: unknown, signal: AbortSignal): Promise<FailedMessagePlace> {
    const { groupId, delaysMs, clock, logger } = this.#options
    const { topic, partition, offset } = retried.origin
    const reason = { ...reasonOf(error), groupId, retries: retried.attempt }
    const isRetry = retried.attempt < delaysMs.length && mayPass(error)
    const target = isRetry ? retryTopic(topic, retried.attempt + 1) : deadLetterTopic(topic)
    const record = isRetry ? retryRecord(retried, { groupId, delayMs: delaysMs[retried.attempt] ?? 0, clock, reason }) : deadLetterRecord(retried.origin, reason)
    const context = { partition, offset: String(offset), reason, target }
    try {
      await this.#forever.execute(() => this.#send(target, topic, record, isRetry ? delaysMs[retried.attempt] : undefined), { signal })
    } catch (failure) {
      logger.error({ ...context, error: failure }, 'a message that could not be handled is not stored as such yet; the next owner of the partition gets it')
      return null
    }
    if (isRetry) logger.info(context, 'a message could not be handled and is tried again later')
    else logger.warn(context, 'a message could not be handled and went to the dead letters')
    return isRetry ? 'retry' : 'dead-letter'
  }

  /** Makes the topics in which the messages of another one wait for their retries. */
  async makeRetryTopics(topic: string): Promise<void> {
    for (const [index, delayMs] of this.#options.delaysMs.entries()) await this.#ensure(retryTopic(topic, index + 1), topic, delayMs)
  }

  /** `delayMs` is how long a retry waits; a dead letter waits for nobody. */
  async #send(target: string, topic: string, record: OutgoingRecord, delayMs: number | undefined): Promise<void> {
    const { transport, timeoutMs } = this.#options
    if (!this.#known.has(target)) await this.#ensure(target, topic, delayMs)
    try {
      await transport.send(target, [record], { timeoutMs })
      this.#known.add(target)
    } catch (error) {
      // Somebody may have deleted it.
      this.#known.delete(target)
      throw error
    }
  }

  async #ensure(target: string, topic: string, delayMs: number | undefined): Promise<void> {
    const { transport, timeoutMs, logger } = this.#options
    const settings = (model: TopicDescription | null): TopicSettings => (delayMs === undefined ? deadLetterSettings(model) : retryTopicSettings(model, delayMs))
    const found = await makeTopicBeside(transport, target, topic, settings, timeoutMs)
    if (delayMs !== undefined || found === null) return
    for (const risk of letterRisksOf(found)) logger.warn({ topic: target, risk }, 'a setting of the topic may cost dead letters')
  }
}

/** Makes a topic that belongs to another one; resolves with what was there already, as it is. */
export async function makeTopicBeside(
  { topics }: Pick<MessagingTransport, 'topics'>,
  name: string,
  beside: string,
  settings: (model: TopicDescription | null) => TopicSettings,
  timeoutMs: number,
): Promise<TopicDescription | null> {
  const found = await topics.describe(name, { timeoutMs })
  if (found === null) await topics.create(name, settings(await topics.describe(beside, { timeoutMs })), { timeoutMs })
  return found
}

/** With as many partitions and copies. */
export const sameSpread = (model: TopicDescription | null): TopicSettings => ({ partitions: model?.partitions ?? 1, replication: model?.replication ?? 1 })

/** Any failure may pass, unless it says that it won't. */
export const mayPass = (error: unknown): boolean => !InfrastructureError.isInstance(error) || error.retryable

function reasonOf(error: unknown): DeadLetterReason {
  if (InfrastructureError.isInstance(error)) return { code: error.code, message: error.message }
  return { code: 'ERR_MESSAGING_HANDLER_FAILED', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
}
