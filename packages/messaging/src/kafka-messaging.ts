import type { MessageHandler, MessagingInterface } from '@smart-whale/interfaces'
import { isMessagingError } from './errors.ts'
import type { KafkaService } from './kafka-service.ts'

/** How {@link KafkaMessaging} uses a service. */
export interface KafkaMessagingOptions {
  /** The group as which topics are subscribed. @default 'smartwhale' */
  groupId?: string | undefined
  /** Whether a topic that isn't there is made when it is first used. @default true */
  createTopics?: boolean | undefined
}

/** A {@link KafkaService} as the `MessagingInterface` that the rest of the family knows. */
export class KafkaMessaging implements MessagingInterface {
  readonly #service: KafkaService
  readonly #groupId: string
  readonly #createTopics: boolean

  constructor(service: KafkaService, options: KafkaMessagingOptions = {}) {
    this.#service = service
    this.#groupId = options.groupId ?? 'smartwhale'
    this.#createTopics = options.createTopics ?? true
  }

  async connect(): Promise<void> {
    await this.#service.connect()
  }

  async disconnect(): Promise<void> {
    await this.#service.disconnect()
  }

  async publish(topic: string, message: unknown): Promise<void> {
    await this.#onTopic(topic, () => this.#service.sendMessage(topic, message))
  }

  async subscribe(topic: string, handler: MessageHandler): Promise<void> {
    await this.#onTopic(topic, () => this.#service.subscribe(topic, this.#groupId, handler))
  }

  async unsubscribe(topic: string): Promise<void> {
    await this.#service.unsubscribe(topic, this.#groupId)
  }

  async #onTopic(topic: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!this.#createTopics || !isMessagingError(error) || error.code !== 'ERR_MESSAGING_TOPIC_NOT_FOUND') throw error
      await this.#service.createTopic(topic)
      await work()
    }
  }
}
