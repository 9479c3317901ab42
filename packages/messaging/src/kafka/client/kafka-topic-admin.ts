import { type Clock } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import { kindOf, messagingValidationError, topicNotFound } from '../../errors.ts'
import { BROKER, brokerError } from '../broker-errors.ts'
import type { ClusterView } from '../cluster-view.ts'
import type { KafkaApi, KafkaTarget } from '../kafka-api.ts'
import type { KafkaTransportSettings } from '../options.ts'
import { runCall } from '../../run-call.ts'
import { checkTopicName } from '../../topic-name.ts'
import type { TopicAdmin, TopicDescription, TopicSettings, TransportCallOptions } from '../../transport.ts'
import { pauseMs } from './call-leader.ts'

/** What the admin works with. */
export interface TopicAdminPorts {
  readonly api: KafkaApi
  readonly view: ClusterView
  readonly settings: KafkaTransportSettings
  readonly clock: Clock
  readonly checkRunning: (what: string) => void
}

/** Makes, removes and describes topics; each call comes back when every broker that was asked has seen it. */
export class KafkaTopicAdmin implements TopicAdmin {
  readonly #ports: TopicAdminPorts

  constructor(ports: TopicAdminPorts) {
    this.#ports = ports
  }

  async create(name: string, settings: TopicSettings, options?: TransportCallOptions): Promise<boolean> {
    checkTopicName(name)
    checkSettings(name, settings)
    return this.#run(`creating topic "${name}"`, options, async (signal) => {
      const { partitions, replication = 1, configs = {} } = settings
      const isNew = await this.#onController(signal, `creating topic "${name}"`, BROKER.TOPIC_ALREADY_EXISTS, (target) =>
        this.#ports.api.createTopic(target, { topic: name, partitions, replication, configs }, this.#request(signal)),
      )
      this.#ports.view.forget(name)
      await this.#untilLed(name, signal)
      return isNew
    })
  }

  async delete(name: string, options?: TransportCallOptions): Promise<boolean> {
    checkTopicName(name)
    return this.#run(`deleting topic "${name}"`, options, async (signal) => {
      const isThere = await this.#onController(signal, `deleting topic "${name}"`, BROKER.UNKNOWN_TOPIC_OR_PARTITION, (target) => this.#ports.api.deleteTopic(target, name, this.#request(signal)))
      await this.#untilGone(name, signal)
      this.#ports.view.forget(name)
      return isThere
    })
  }

  async list(options?: TransportCallOptions): Promise<readonly string[]> {
    return this.#run('listing topics', options, async (signal) => {
      const { topics } = await this.#ports.view.describe(null, signal)
      return topics.filter(({ isInternal }) => !isInternal).map(({ name }) => name).sort()
    })
  }

  async describe(name: string, options?: TransportCallOptions): Promise<TopicDescription | null> {
    checkTopicName(name)
    return this.#run(`describing topic "${name}"`, options, async (signal) => {
      const { api, view } = this.#ports
      const topic = await view.refresh(name, signal).catch((error: unknown) => {
        if ((error as { code?: unknown }).code === topicNotFound(name).code) return null
        throw error
      })
      if (topic === null) return null
      const [target] = await view.nodes(signal)
      const { errorCode, configs } = await api.describeTopicConfig(target as KafkaTarget, name, this.#request(signal))
      if (errorCode === BROKER.UNKNOWN_TOPIC_OR_PARTITION) return null
      if (errorCode !== BROKER.NONE) throw brokerError(errorCode, `describing topic "${name}"`)
      return { name, id: topic.id, partitions: topic.partitions.length, replication: topic.partitions[0]?.replicas.length ?? 0, configs }
    })
  }

  async brokerCount(options?: TransportCallOptions): Promise<number> {
    return this.#run('counting brokers', options, async (signal) => (await this.#ports.view.describe([], signal)).nodes.length)
  }

  #run<T>(what: string, options: TransportCallOptions | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#ports.checkRunning(what)
    return runCall(what, options, this.#ports.clock, work)
  }

  #request(signal: AbortSignal): { signal: AbortSignal; timeoutMs: number } {
    return { signal, timeoutMs: this.#ports.settings.requestTimeoutMs }
  }

  /** True when it was done now, false when the broker says that it was so already. */
  async #onController(signal: AbortSignal, what: string, alreadySo: number, request: (target: KafkaTarget) => Promise<{ errorCode: number; errorMessage?: string | null }>): Promise<boolean> {
    const { view, clock } = this.#ports
    for (let attempt = 0; ; attempt++) {
      if (attempt > 0) await sleep(pauseMs(attempt), { signal, clock })
      const { controllerId, nodes } = await view.describe([], signal)
      const target = nodes.find(({ nodeId }) => nodeId === controllerId) ?? nodes[0]
      if (target === undefined) continue
      const { errorCode, errorMessage } = await request(target)
      if (errorCode === BROKER.NONE) return true
      if (errorCode === alreadySo) return false
      const error = brokerError(errorCode, what, errorMessage)
      if (!error.retryable) throw error
    }
  }

  async #untilLed(name: string, signal: AbortSignal): Promise<void> {
    const { view, clock } = this.#ports
    for (let attempt = 0; ; attempt++) {
      if (attempt > 0) await sleep(pauseMs(attempt), { signal, clock })
      const topic = await view.refresh(name, signal).catch((error: unknown) => {
        if (signal.aborted) throw error
        return null
      })
      if (topic !== null && topic.partitions.length > 0 && topic.partitions.every(({ leader }) => leader >= 0)) return
    }
  }

  async #untilGone(name: string, signal: AbortSignal): Promise<void> {
    const { view, clock } = this.#ports
    for (let attempt = 0; ; attempt++) {
      if (attempt > 0) await sleep(pauseMs(attempt), { signal, clock })
      const { topics } = await view.describe([name], signal)
      if (topics.every((topic) => topic.errorCode === BROKER.UNKNOWN_TOPIC_OR_PARTITION)) return
    }
  }
}

/** What no broker would take, found before one is asked. */
function checkSettings(name: string, { partitions, replication = 1, configs = {} }: TopicSettings): void {
  const wrong = (field: string, message: string): Error => messagingValidationError('ERR_MESSAGING_TOPIC_SETTINGS', `topic "${name}": ${field} ${message}`, [{ path: [field], message }])
  for (const [field, value] of Object.entries({ partitions, replication })) {
    if (!Number.isInteger(value) || value < 1 || value > 1_000_000) throw wrong(field, `must be a whole number above 0, got ${kindOf(value)}`)
  }
  for (const [key, value] of Object.entries(configs)) if (typeof value !== 'string') throw wrong(`configs.${key}`, `must be a string, got ${kindOf(value)}`)
}
