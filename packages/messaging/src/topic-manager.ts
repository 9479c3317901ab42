import { type Logger, silentLogger } from '@smart-whale/interfaces'
import {
  BALANCE_EVENTS_TOPIC,
  BALANCE_METRICS_TOPIC,
  DATA_REQUESTS_TOPIC,
  DATA_RESPONSES_PREFIX,
  DEFAULT_PARTITIONS,
  DEFAULT_REPLICATION,
  MODEL_TOPIC_PARTITIONS,
  MODEL_TOPIC_REPLICATION,
  MODELS_REQUESTS_TOPIC,
  SYSTEM_LOGS_TOPIC,
} from './constants.ts'
import { DEAD_LETTER_CONFIGS } from './beside-topic.ts'
import { deadLetterTopic } from './dead-letter.ts'
import { isMessagingError } from './errors.ts'
import type { KafkaService } from './kafka-service.ts'
import { modelIdOfTopic, modelTopicName } from './model-topic.ts'
import type { TopicDescription } from './transport.ts'

/** What a topic is for. */
export const TopicCategory = {
  REQUEST: 'request',
  RESPONSE: 'response',
  EVENT: 'event',
  METRIC: 'metric',
  LOG: 'log',
  INTERNAL: 'internal',
  COMMAND: 'command',
  NOTIFICATION: 'notification',
} as const
/** One of {@link TopicCategory}'s values. */
export type TopicCategory = (typeof TopicCategory)[keyof typeof TopicCategory]

/** The topics that every installation has, by key, and what they are for. `data_responses_prefix` is what model topics begin with. */
export const BASE_TOPICS = {
  data_requests: { name: DATA_REQUESTS_TOPIC, category: TopicCategory.REQUEST },
  data_responses_prefix: { name: DATA_RESPONSES_PREFIX, category: TopicCategory.RESPONSE },
  models_requests: { name: MODELS_REQUESTS_TOPIC, category: TopicCategory.REQUEST },
  balance_metrics: { name: BALANCE_METRICS_TOPIC, category: TopicCategory.METRIC },
  balance_events: { name: BALANCE_EVENTS_TOPIC, category: TopicCategory.EVENT },
  system_logs: { name: SYSTEM_LOGS_TOPIC, category: TopicCategory.LOG },
} as const

/** A difference between how a topic is wanted and how it is. */
export interface TopicDrift {
  readonly topic: string
  /** What differs; a topic that isn't there differs in `existence` alone. */
  readonly property: 'existence' | 'partitions' | 'replication' | `configs.${string}`
  readonly wanted: number | string
  /** Undefined for a configuration that the broker says nothing of. */
  readonly actual: number | string | undefined
}

/** How a topic is wanted. */
interface WantedTopic {
  readonly partitions: number
  readonly replication: number
  readonly configs: Readonly<Record<string, string>>
}

/** How a {@link TopicManager} works. */
export interface TopicManagerOptions {
  /** Where drift, capped replication and unknown models are reported. @default silentLogger */
  logger?: Logger | undefined
}

/** Knows the topics of the family, and makes those that are missing. */
export class TopicManager {
  /** Topics that this manager has seen to. */
  readonly createdTopics = new Set<string>()
  /** Topics of models, by model id. */
  readonly modelTopics = new Map<string, string>()
  readonly #service: KafkaService
  readonly #logger: Logger
  /** Topics that somebody asked for, and how; the base topics from the beginning. */
  readonly #wanted = new Map<string, WantedTopic>()

  constructor(service: KafkaService, options: TopicManagerOptions = {}) {
    this.#service = service
    this.#logger = options.logger ?? silentLogger
    for (const name of baseTopicNames()) this.#wanted.set(name, { partitions: DEFAULT_PARTITIONS, replication: DEFAULT_REPLICATION, configs: {} })
  }

  /** The name of a base topic; a key that is none is a name already and is returned as it is. */
  getTopicName(key: string): string {
    return Object.hasOwn(BASE_TOPICS, key) ? BASE_TOPICS[key as keyof typeof BASE_TOPICS].name : key
  }

  /** The topic of a model's answers. */
  getModelResultTopic(modelId: string): string {
    const known = this.modelTopics.get(modelId)
    if (known !== undefined) return known
    const topic = modelTopicName(modelId)
    this.modelTopics.set(modelId, topic)
    return topic
  }

  /**
   * Resolves true when the topic is there. One that is there otherwise than wanted is reported, not changed.
   * A topic in {@link createdTopics} isn't looked at again.
   *
   * @param configs Kafka's topic configuration: `retention.ms`, `cleanup.policy` …
   */
  async ensureTopicExists(
    topic: string,
    partitions: number = DEFAULT_PARTITIONS,
    replication: number = DEFAULT_REPLICATION,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<boolean> {
    const name = this.getTopicName(topic)
    if (this.createdTopics.has(name)) return true
    const wanted = { partitions, replication, configs }
    this.#wanted.set(name, wanted)
    const copies = await this.#cappedReplication(name, replication)
    if (await this.#service.topicExists(name)) await this.#reportDrift(name, { ...wanted, replication: copies })
    else await this.#service.createTopic(name, partitions, copies, configs)
    this.createdTopics.add(name)
    return true
  }

  /** Makes sure of the topic of a model's answers, and names it. */
  async ensureModelTopic(modelId: string): Promise<string> {
    const topic = this.getModelResultTopic(modelId)
    await this.ensureTopicExists(topic, MODEL_TOPIC_PARTITIONS, MODEL_TOPIC_REPLICATION)
    return topic
  }

  /** Makes sure of the base topics. Resolves true when all are there. */
  async initializeAllTopics(): Promise<boolean> {
    await Promise.all(baseTopicNames().map((name) => this.ensureTopicExists(name)))
    return true
  }

  /** What differs between a topic as it is wanted and as the broker has it; reported as a warning too. One that isn't there differs in nothing. */
  async checkDrift(
    topic: string,
    partitions: number = DEFAULT_PARTITIONS,
    replication: number = DEFAULT_REPLICATION,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<readonly TopicDrift[]> {
    const wanted = { partitions, replication: Math.min(replication, await this.#service.brokerCount()), configs }
    return (await this.#reportDrift(this.getTopicName(topic), wanted)).filter(({ property }) => property !== 'existence')
  }

  /**
   * What differs between every topic that is wanted (the base topics, and those that were asked for here) and the broker, and where their
   * dead letters would be removed before anybody takes them away; reported as warnings too. As many copies as there are brokers count as enough.
   */
  async describeDrift(): Promise<readonly TopicDrift[]> {
    const brokers = await this.#service.brokerCount()
    const there = new Set(await this.#service.listTopics())
    const found = await Promise.all(
      [...this.#wanted].flatMap(([name, wanted]) => [
        this.#reportDrift(name, { ...wanted, replication: Math.min(wanted.replication, brokers) }),
        ...(there.has(deadLetterTopic(name)) ? [this.#reportLetterDrift(deadLetterTopic(name))] : []),
      ]),
    )
    return found.flat()
  }

  /** Every topic that the broker has. */
  listAllTopics(): Promise<readonly string[]> {
    return this.#service.listTopics()
  }

  /** The models that have a topic, with its name: those that this manager knows and those that the broker has. */
  async listModelTopics(): Promise<readonly (readonly [modelId: string, topic: string])[]> {
    const found = new Map([...this.modelTopics].map(([modelId, topic]) => [topic, modelId]))
    const existing = (await this.#service.listTopics()).filter((topic) => found.has(topic) || modelIdOfTopic(topic) !== null)
    return existing.map((topic) => [found.get(topic) ?? modelIdOfTopic(topic) ?? topic, topic] as const)
  }

  /** Resolves true when the topic was removed, false (with a warning) when there was none. */
  async deleteTopic(topic: string): Promise<boolean> {
    const name = this.getTopicName(topic)
    const removed = await this.#service.deleteTopic(name).catch((error: unknown) => {
      if (isMessagingError(error) && error.code === 'ERR_MESSAGING_TOPIC_NOT_FOUND') return false
      throw error
    })
    this.createdTopics.delete(name)
    if (!baseTopicNames().includes(name)) this.#wanted.delete(name)
    for (const [modelId, modelTopic] of this.modelTopics) if (modelTopic === name) this.modelTopics.delete(modelId)
    if (!removed) this.#logger.warn({ topic: name }, 'there was no such topic to delete')
    return removed
  }

  /** Removes a model's topic; a model that has none is a warning and false. */
  async deleteModelTopic(modelId: string): Promise<boolean> {
    const topic = this.modelTopics.get(modelId) ?? modelTopicName(modelId)
    if (!this.modelTopics.has(modelId) && !(await this.#service.topicExists(topic))) {
      this.#logger.warn({ modelId }, 'the model has no topic to delete')
      return false
    }
    return this.deleteTopic(topic)
  }

  async #reportDrift(name: string, wanted: WantedTopic): Promise<readonly TopicDrift[]> {
    return this.#report(differences(name, wanted, await this.#service.getTopicInfo(name)))
  }

  /** How many partitions and copies dead letters have is their topic's matter; that they stay is ours. */
  async #reportLetterDrift(name: string): Promise<readonly TopicDrift[]> {
    const actual = await this.#service.getTopicInfo(name)
    if (actual === null) return []
    // What a broker says nothing of removes nothing.
    return this.#report(differences(name, { ...actual, configs: DEAD_LETTER_CONFIGS }, actual).filter((difference) => difference.actual !== undefined))
  }

  #report(drift: readonly TopicDrift[]): readonly TopicDrift[] {
    for (const difference of drift) this.#logger.warn(difference, 'a topic is not as it is wanted')
    return drift
  }

  async #cappedReplication(topic: string, wanted: number): Promise<number> {
    const brokers = await this.#service.brokerCount()
    if (wanted <= brokers) return wanted
    this.#logger.warn({ topic, wanted, brokers }, 'there are fewer brokers than copies wanted; there is one copy on each')
    return brokers
  }
}

function baseTopicNames(): string[] {
  return Object.entries(BASE_TOPICS).flatMap(([key, { name }]) => (key === 'data_responses_prefix' ? [] : [name]))
}

function differences(topic: string, wanted: WantedTopic, actual: TopicDescription | null): TopicDrift[] {
  if (actual === null) return [{ topic, property: 'existence', wanted: 'present', actual: 'absent' }]
  const numbers = (['partitions', 'replication'] as const)
    .filter((property) => actual[property] !== wanted[property])
    .map((property) => ({ topic, property, wanted: wanted[property], actual: actual[property] }))
  const configs = Object.entries(wanted.configs)
    .filter(([name, value]) => actual.configs[name] !== value)
    .map(([name, value]) => ({ topic, property: `configs.${name}` as const, wanted: value, actual: actual.configs[name] }))
  return [...numbers, ...configs]
}
