import { kindOf, messagingError, messagingValidationError } from './errors.ts'
import type { LogOutcome } from './log-outcome.ts'
import type { KafkaServiceSettings } from './service-options.ts'
import { Subscription, type SubscriptionOptions } from './subscription.ts'
import { checkTopicName } from './topic-name.ts'

/** What is subscribed, beside what every subscription of a service shares. */
export type SubscriptionRequest = Omit<SubscriptionOptions, 'transport' | 'settings' | 'tracing'>

/** The subscriptions of a service: one for a topic and group. */
export class Subscriptions {
  readonly #shared: Pick<SubscriptionOptions, 'transport' | 'settings' | 'tracing'>
  readonly #settings: KafkaServiceSettings
  readonly #logged: LogOutcome
  readonly #checkConnected: (what: string) => void
  readonly #byName = new Map<string, Subscription>()

  constructor(shared: Pick<SubscriptionOptions, 'transport' | 'settings' | 'tracing'>, logged: LogOutcome, checkConnected: (what: string) => void) {
    this.#shared = shared
    this.#settings = shared.settings
    this.#logged = logged
    this.#checkConnected = checkConnected
  }

  /** Resolves true when the group is joined. */
  start(operation: string, request: SubscriptionRequest, prepare: () => Promise<void> = async () => {}): Promise<boolean> {
    const { topic, groupId, handler } = request
    return this.#logged(operation, { topic, groupId }, async () => {
      this.#checkConnected('subscribing')
      checkTopicName(topic)
      if (typeof groupId !== 'string' || groupId === '') throw invalid('groupId', `must be a string with something in it, got ${groupId === '' ? 'an empty one' : kindOf(groupId)}`)
      if (typeof handler !== 'function' && typeof handler?.transform !== 'function') throw invalid('handler', `must be a function, got ${kindOf(handler)}`)
      const name = nameOf(topic, groupId)
      if (this.#byName.has(name)) throw alreadySubscribed(topic, groupId)
      const subscription = new Subscription({ ...this.#shared, ...request })
      this.#byName.set(name, subscription)
      try {
        await this.#settings.admit({ action: 'subscribe', topic, groupId })
        await this.#settings.policy.execute(async ({ signal }) => {
          await prepare()
          await subscription.start(signal)
        })
      } catch (error) {
        this.#byName.delete(name)
        throw error
      }
      return true
    })
  }

  /** Resolves true when nothing of the topic is handled any more. */
  stop(topic: string, groupId: string): Promise<boolean> {
    return this.#logged('unsubscribe', { topic, groupId }, async () => {
      const name = nameOf(topic, groupId)
      const subscription = this.#byName.get(name)
      await subscription?.stop()
      if (this.#byName.get(name) === subscription) this.#byName.delete(name)
      return true
    })
  }

  /** Whether a subscription handles nothing because too many messages were bad. */
  isHalted(topic: string, groupId: string): boolean {
    return this.#byName.get(nameOf(topic, groupId))?.isHalted ?? false
  }

  /** Ends all of them. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#byName.values()].map((subscription) => subscription.stop()))
    this.#byName.clear()
  }
}

const nameOf = (topic: string, groupId: string): string => JSON.stringify([topic, groupId])

function alreadySubscribed(topic: string, groupId: string): Error {
  return messagingError('ERR_MESSAGING_ALREADY_SUBSCRIBED', `topic "${topic}" is subscribed by group "${groupId}" already: unsubscribe first, or use another group`, {
    status: 409,
    context: { topic, groupId },
  })
}

function invalid(field: string, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${field} ${message}`, [{ path: [field], message }])
}
