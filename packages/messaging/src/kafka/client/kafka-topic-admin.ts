import { InfrastructureError } from '@smart-whale/interfaces'
import { kindOf, messagingValidationError } from '../../errors.ts'
import { runCall } from '../../run-call.ts'
import { checkTopicName } from '../../topic-name.ts'
import type { TopicAdmin, TopicDescription, TopicSettings, TransportCallOptions } from '../../transport.ts'
import { BROKER, brokerError } from '../broker-errors.ts'
import type { KafkaRequestOptions, KafkaTarget } from '../kafka-api.ts'
import type { TopicMetadata } from '../topic-metadata.ts'
import type { KafkaClient } from './kafka-client.ts'

/** Makes, removes and describes topics; each call comes back when every broker that answers has seen it. */
export class KafkaTopicAdmin implements TopicAdmin {
  readonly #client: KafkaClient
  readonly #checkRunning: (what: string) => void

  constructor(client: KafkaClient, checkRunning: (what: string) => void) {
    this.#client = client
    this.#checkRunning = checkRunning
  }

  async create(name: string, settings: TopicSettings, options?: TransportCallOptions): Promise<boolean> {
    checkTopicName(name)
    checkSettings(name, settings)
    return this.#run(`creating topic "${name}"`, options, async (signal) => {
      const { partitions, replication = 1, configs = {} } = settings
      const isNew = await this.#onController(signal, `creating topic "${name}"`, BROKER.TOPIC_ALREADY_EXISTS, (target) =>
        this.#client.api.createTopic(target, { topic: name, partitions, replication, configs }, this.#request(signal)),
      )
      await this.#untilAllSay(name, signal, isNew ? isLed : isThere)
      await this.#client.view.refresh(name, signal)
      return isNew
    })
  }

  async delete(name: string, options?: TransportCallOptions): Promise<boolean> {
    checkTopicName(name)
    return this.#run(`deleting topic "${name}"`, options, async (signal) => {
      const wasThere = await this.#onController(signal, `deleting topic "${name}"`, BROKER.UNKNOWN_TOPIC_OR_PARTITION, (target) =>
        this.#client.api.deleteTopic(target, name, this.#request(signal)),
      )
      await this.#untilAllSay(name, signal, (topic) => topic === undefined)
      this.#client.view.forget(name)
      return wasThere
    })
  }

  async list(options?: TransportCallOptions): Promise<readonly string[]> {
    return this.#run('listing topics', options, async (signal) => {
      const { topics } = await this.#client.view.describe(null, signal)
      return topics.filter(({ isInternal }) => !isInternal).map(({ name }) => name).sort()
    })
  }

  async describe(name: string, options?: TransportCallOptions): Promise<TopicDescription | null> {
    checkTopicName(name)
    const what = `describing topic "${name}"`
    return this.#run(what, options, async (signal) => {
      const topic = await this.#client.view.refresh(name, signal).catch((error: unknown) => {
        if (isNotFound(error)) return null
        throw error
      })
      if (topic === null) return null
      const configs = await this.#onAnyNode(signal, async (node) => {
        const { errorCode, configs: found } = await this.#client.api.describeTopicConfig(node, name, this.#request(signal))
        if (errorCode === BROKER.UNKNOWN_TOPIC_OR_PARTITION) return null
        if (errorCode !== BROKER.NONE) throw brokerError(errorCode, what)
        return found
      })
      if (configs === null) return null
      return { name, id: topic.id, partitions: topic.partitions.length, replication: topic.partitions[0]?.replicas.length ?? 0, configs }
    })
  }

  async brokerCount(options?: TransportCallOptions): Promise<number> {
    return this.#run('counting brokers', options, async (signal) => (await this.#client.view.describe([], signal)).nodes.length)
  }

  #run<T>(what: string, options: TransportCallOptions | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#checkRunning(what)
    return runCall(what, options, this.#client.clock, work)
  }

  /** Over a connection of its own: a broker that has had enough of changes takes nothing from it for a while, and who leads has to be asked meanwhile. */
  #request(signal: AbortSignal): KafkaRequestOptions & { readonly signal: AbortSignal } {
    return { signal, timeoutMs: this.#client.settings.requestTimeoutMs, channel: 'admin' }
  }

  /**
   * True when it was done now, false when the broker says that it was so already: unless an attempt before was broken off, which then
   * is what did it.
   */
  #onController(
    signal: AbortSignal,
    what: string,
    alreadySo: number,
    request: (target: KafkaTarget) => Promise<{ errorCode: number; errorMessage?: string | null }>,
  ): Promise<boolean> {
    let mayBeDone = false
    return this.#onAnyNode(signal, async (node) => {
      const answer = await request(node).catch((error: unknown) => {
        mayBeDone = true
        throw error
      })
      if (answer.errorCode === BROKER.NONE) return true
      if (answer.errorCode === alreadySo) return mayBeDone
      throw brokerError(answer.errorCode, what, answer.errorMessage)
    })
  }

  /** Any broker hands on what only the controller can do. */
  #onAnyNode<T>(signal: AbortSignal, ask: (node: KafkaTarget) => Promise<T>): Promise<T> {
    const { view, retry } = this.#client
    return retry.execute(
      async () => {
        const [node] = await view.nodes(signal)
        if (node === undefined) throw brokerError(BROKER.BROKER_NOT_AVAILABLE, 'finding a broker')
        try {
          return await ask(node)
        } catch (error) {
          if (InfrastructureError.isInstance(error) && error.retryable) view.avoid(node)
          throw error
        }
      },
      { signal },
    )
  }

  /** Waits until each broker that answers sees the topic so: whoever is asked next must not say otherwise. */
  async #untilAllSay(name: string, signal: AbortSignal, isSo: (topic: TopicMetadata | undefined) => boolean): Promise<void> {
    const { view, retry } = this.#client
    const { nodes } = await view.describe([name], signal)
    const isSoAt = async (node: KafkaTarget): Promise<void> => {
      const answer = await view.askNode(node, [name], signal).catch(() => null)
      if (answer === null) return
      const topic = answer.topics.find((candidate) => candidate.name === name && candidate.errorCode !== BROKER.UNKNOWN_TOPIC_OR_PARTITION)
      if (!isSo(topic)) throw brokerError(BROKER.LEADER_NOT_AVAILABLE, `waiting for the brokers to see topic "${name}" as it is now`)
    }
    await Promise.all(nodes.map((node) => retry.execute(() => isSoAt(node), { signal })))
  }
}

const isThere = (topic: TopicMetadata | undefined): boolean => topic !== undefined
const isLed = (topic: TopicMetadata | undefined): boolean => topic !== undefined && topic.partitions.length > 0 && topic.partitions.every(({ leader }) => leader >= 0)
const isNotFound = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_TOPIC_NOT_FOUND'

/** What no broker would take, found before one is asked. */
function checkSettings(name: string, { partitions, replication = 1, configs = {} }: TopicSettings): void {
  const wrong = (field: string, message: string): Error => messagingValidationError('ERR_MESSAGING_TOPIC_SETTINGS', `topic "${name}": ${field} ${message}`, [{ path: [field], message }])
  for (const [field, value] of Object.entries({ partitions, replication })) {
    if (!Number.isInteger(value) || value < 1 || value > 1_000_000) throw wrong(field, `must be a whole number above 0, got ${kindOf(value)}`)
  }
  for (const [key, value] of Object.entries(configs)) if (typeof value !== 'string') throw wrong(`configs.${key}`, `must be a string, got ${kindOf(value)}`)
}
