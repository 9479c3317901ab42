import { ConnectionError, ValidationError } from '../../errors.ts'
import type { MessageHandler, MessagingInterface, ReceivedMessage } from '../../messaging.ts'
import type { MessagingSubject } from '../messaging-contract.ts'

const ATTEMPTS = 3

/** What outlives a client: messages, how far the group has come, and what was given up. */
export class QueueBroker {
  readonly logs = new Map<string, ReceivedMessage[]>()
  readonly positions = new Map<string, number>()
  readonly deadLetters = new Map<string, unknown[]>()

  logOf(topic: string): ReceivedMessage[] {
    const log = this.logs.get(topic) ?? []
    this.logs.set(topic, log)
    return log
  }
}

/** A small messaging client that keeps the whole contract, to try the suite on. One message at a time for each topic. */
export class QueueMessaging implements MessagingInterface {
  readonly broker: QueueBroker
  #connected = false
  readonly #handlers = new Map<string, MessageHandler>()
  readonly #running = new Map<string, Promise<void>>()

  constructor(broker: QueueBroker) {
    this.broker = broker
  }

  async connect(): Promise<void> {
    this.#connected = true
  }

  async disconnect(): Promise<void> {
    this.#connected = false
    this.#handlers.clear()
    await Promise.all(this.#running.values())
  }

  publish(topic: string, message: unknown): Promise<void> {
    return this.publishKeyed(topic, null, message)
  }

  async publishKeyed(topic: string, key: string | null, value: unknown): Promise<void> {
    checkTopic(topic)
    if (value === undefined || typeof value === 'function') throw new ValidationError('that is no message')
    if (!this.#connected) throw new ConnectionError('not connected')
    this.broker.logOf(topic).push({ topic, key, value: structuredClone(value), headers: {}, timestamp: Date.now() })
    this.#wake(topic)
  }

  async subscribe(topic: string, handler: MessageHandler): Promise<void> {
    checkTopic(topic)
    this.#handlers.set(topic, handler)
    this.#wake(topic)
  }

  async unsubscribe(topic: string): Promise<void> {
    this.#handlers.delete(topic)
    await this.#running.get(topic)
  }

  #wake(topic: string): void {
    if (!this.#running.has(topic)) this.#running.set(topic, this.#consume(topic))
  }

  async #consume(topic: string): Promise<void> {
    await Promise.resolve()
    for (;;) {
      const position = this.broker.positions.get(topic) ?? 0
      const message = this.broker.logOf(topic)[position]
      const handler = this.#handlers.get(topic)
      if (message === undefined || handler === undefined) {
        this.#running.delete(topic)
        return
      }
      if (!(await this.handled(handler, message))) {
        this.broker.deadLetters.set(topic, [...(this.broker.deadLetters.get(topic) ?? []), message.value])
      }
      this.broker.positions.set(topic, position + 1)
    }
  }

  protected async handled(handler: MessageHandler, message: ReceivedMessage): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        await handler(message, { signal: new AbortController().signal })
        return true
      } catch {
        // Tried again.
      }
    }
    return false
  }
}

function checkTopic(topic: string): void {
  if (!/^[\w.-]{1,249}$/.test(topic) || topic === '.' || topic === '..') throw new ValidationError('that is no topic name')
}

/** The subject that the suite runs on; `create` may make a client that breaks a promise. */
export function queueSubject(create: (broker: QueueBroker) => QueueMessaging = (broker) => new QueueMessaging(broker)): MessagingSubject {
  const broker = new QueueBroker()
  return {
    create: async () => create(broker),
    publishKeyed: (messaging, topic, key, message) => (messaging as QueueMessaging).publishKeyed(topic, key, message),
    deadLetters: async (topic) => broker.deadLetters.get(topic) ?? [],
    patienceMs: 300,
  }
}
