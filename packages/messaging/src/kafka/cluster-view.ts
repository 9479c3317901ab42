import { outsideOfCalls } from '@smart-whale/core-resilience'
import { InfrastructureError } from '@smart-whale/interfaces'
import { topicNotFound } from '../errors.ts'
import { checkTopicName } from '../topic-name.ts'
import { BROKER, brokerError } from './broker-errors.ts'
import type { ClusterMetadata, KafkaApi, KafkaConnections, KafkaNode, KafkaTarget } from './kafka-api.ts'
import type { KafkaTransportSettings } from './options.ts'
import { orAborted } from './or-aborted.ts'
import type { TopicMetadata } from './topic-metadata.ts'

interface KnownTopic {
  readonly topic: TopicMetadata
  readonly askedAt: number
  /** A broker has said that this is not how things are any more. */
  isDoubted: boolean
}

/** Who leads a partition, and since which election. */
export interface PartitionLeader {
  readonly node: KafkaNode
  readonly epoch: number
}

/** How long a node that didn't answer is asked last. */
const AVOID_MS = 5_000
/** A question about the cluster is small: who doesn't answer it in this time is passed over, while there are others. */
const PASSED_OVER_MS = 3_000

/** Which brokers there are, which topics, and who leads each partition, as far as this client has heard. */
export class ClusterView {
  readonly #api: KafkaApi
  readonly #seeds: KafkaConnections['seeds']
  readonly #settings: KafkaTransportSettings
  readonly #topics = new Map<string, KnownTopic>()
  readonly #asking = new Map<string, Promise<TopicMetadata>>()
  readonly #failedAt = new Map<string, number>()
  readonly #listeners = new Set<(name: string) => void>()
  readonly #closing: AbortSignal
  #nodes: readonly KafkaNode[] = []

  constructor(api: KafkaApi, seeds: KafkaConnections['seeds'], settings: KafkaTransportSettings, closing: AbortSignal) {
    this.#api = api
    this.#seeds = seeds
    this.#settings = settings
    this.#closing = closing
  }

  /**
   * The topic as it was heard of last; asks when nothing is known, or when it was doubted since. What has become old is asked for
   * anew without waiting for the answer.
   *
   * @throws OperationError `ERR_MESSAGING_TOPIC_NOT_FOUND`
   */
  async topic(name: string, signal: AbortSignal): Promise<TopicMetadata> {
    checkTopicName(name)
    const known = this.#topics.get(name)
    if (known === undefined || known.isDoubted) return this.refresh(name, signal)
    if (this.#settings.clock.monotonic() - known.askedAt > this.#settings.metadataMaxAgeMs) this.freshen(name)
    return known.topic
  }

  /** Asks about the topic again, without anybody waiting for it. */
  freshen(name: string): void {
    if (this.#asking.has(name)) return
    this.refresh(name, this.#closing).catch((error: unknown) => {
      if (!this.#closing.aborted) this.#settings.logger.debug({ err: error, topic: name }, 'metadata could not be refreshed')
    })
  }

  /** Freshens what is doubted, or old. */
  keepFresh(name: string): void {
    const known = this.#topics.get(name)
    const isOld = known === undefined || known.isDoubted || this.#settings.clock.monotonic() - known.askedAt > this.#settings.metadataMaxAgeMs
    if (isOld) this.freshen(name)
  }

  /** The topic as a broker says now. Whoever asks at the same time gets the same answer. */
  async refresh(name: string, signal: AbortSignal): Promise<TopicMetadata> {
    let asking = this.#asking.get(name)
    if (asking === undefined) {
      asking = outsideOfCalls(() => this.#askForTopic(name)).finally(() => this.#asking.delete(name))
      asking.catch(() => {})
      this.#asking.set(name, asking)
    }
    return orAborted(asking, signal, `asking for topic "${name}"`)
  }

  /** What was heard of the topic last, without asking. */
  known(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)?.topic
  }

  /** Who leads the partition, as was heard last; undefined when that is not known, or doubted. */
  leader(name: string, partition: number): PartitionLeader | undefined {
    const known = this.#topics.get(name)
    if (known === undefined || known.isDoubted) return undefined
    const { partitions } = known.topic
    // They nearly always lie in their order.
    const found = partitions[partition]?.partition === partition ? partitions[partition] : partitions.find((candidate) => candidate.partition === partition)
    const node = this.#nodes.find(({ nodeId }) => nodeId === found?.leader)
    return found === undefined || node === undefined ? undefined : { node, epoch: found.leaderEpoch }
  }

  /** A broker has answered that it doesn't lead what was asked of it, or can't be reached: who is next asks anew. */
  doubt(name: string): void {
    const known = this.#topics.get(name)
    if (known !== undefined) known.isDoubted = true
  }

  /** The topic was deleted, or made, by this client. */
  forget(name: string): void {
    this.#topics.delete(name)
    this.#notify(name)
  }

  /** Told the name of each topic that came, went, became another under its name, or got more partitions. */
  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The cluster and, unless `topics` names some, all of its topics. */
  async describe(topics: readonly string[] | null, signal: AbortSignal): Promise<ClusterMetadata> {
    let failure: unknown
    const candidates = this.#candidates()
    for (const [index, target] of candidates.entries()) {
      try {
        // With nobody else to ask, a slow answer is better than none.
        const isLast = index === candidates.length - 1
        return await this.askNode(target, topics, signal, isLast ? this.#settings.requestTimeoutMs : PASSED_OVER_MS)
      } catch (error) {
        if (signal.aborted || !(InfrastructureError.isInstance(error) && error.retryable)) throw error
        failure = error
      }
    }
    throw failure
  }

  /** What one broker says. */
  async askNode(target: KafkaTarget, topics: readonly string[] | null, signal: AbortSignal, patienceMs = PASSED_OVER_MS): Promise<ClusterMetadata> {
    try {
      const timeoutMs = Math.min(patienceMs, this.#settings.requestTimeoutMs)
      const cluster = await this.#api.metadata(target, topics, { signal, timeoutMs })
      this.#failedAt.delete(keyOf(target))
      if (cluster.nodes.length > 0) this.#nodes = cluster.nodes
      return cluster
    } catch (error) {
      this.avoid(target)
      throw error
    }
  }

  /** The node didn't answer: others are asked first for a while. */
  avoid(target: KafkaTarget): void {
    this.#failedAt.set(keyOf(target), this.#settings.clock.monotonic())
  }

  /** The brokers, those first that are likely to answer. */
  async nodes(signal: AbortSignal): Promise<readonly KafkaTarget[]> {
    if (this.#nodes.length === 0) await this.describe([], signal)
    return this.#candidates()
  }

  async #askForTopic(name: string): Promise<TopicMetadata> {
    const answer = await this.describe([name], this.#closing)
    let topic = answer.topics.find((candidate) => candidate.name === name)
    // A topic that was just made is not known to every broker yet.
    for (const other of answer.nodes) {
      if (topic?.errorCode !== BROKER.UNKNOWN_TOPIC_OR_PARTITION) break
      const said = await this.askNode(other, [name], this.#closing).catch(() => undefined)
      topic = said?.topics.find((candidate) => candidate.name === name) ?? topic
    }
    return this.#learn(name, topic)
  }

  #learn(name: string, topic: TopicMetadata | undefined): TopicMetadata {
    if (topic === undefined || topic.errorCode === BROKER.UNKNOWN_TOPIC_OR_PARTITION) {
      const wasKnown = this.#topics.delete(name)
      if (wasKnown) this.#notify(name)
      throw topicNotFound(name)
    }
    if (topic.errorCode !== BROKER.NONE && topic.errorCode !== BROKER.LEADER_NOT_AVAILABLE) throw brokerError(topic.errorCode, `asking for topic "${name}"`)
    const before = this.#topics.get(name)?.topic
    const newest = before?.id === topic.id ? keepNewerLeaders(before, topic) : topic
    this.#topics.set(name, { topic: newest, askedAt: this.#settings.clock.monotonic(), isDoubted: false })
    if (before?.id !== topic.id || before.partitions.length !== topic.partitions.length) this.#notify(name)
    return newest
  }

  #notify(name: string): void {
    for (const listener of [...this.#listeners]) listener(name)
  }

  #candidates(): readonly KafkaTarget[] {
    const now = this.#settings.clock.monotonic()
    const isAvoided = (target: KafkaTarget): boolean => now - (this.#failedAt.get(keyOf(target)) ?? -Infinity) < AVOID_MS
    const known = shuffled(this.#nodes)
    const seeds = this.#seeds.filter((seed) => !known.some((node) => keyOf(node) === keyOf(seed)))
    const all = [...known, ...seeds]
    return [...all.filter((target) => !isAvoided(target)), ...all.filter(isAvoided)]
  }
}

const keyOf = ({ host, port }: KafkaTarget): string => `${host}:${port}`

/** A broker that lags behind may still name a leader of the past: an epoch never goes back. */
function keepNewerLeaders(before: TopicMetadata, now: TopicMetadata): TopicMetadata {
  const partitions = now.partitions.map((partition) => {
    const old = before.partitions.find((candidate) => candidate.partition === partition.partition)
    return old !== undefined && old.leaderEpoch > partition.leaderEpoch ? old : partition
  })
  return { ...now, partitions: partitions.sort((a, b) => a.partition - b.partition) }
}

function shuffled<T>(items: readonly T[]): T[] {
  const mixed = [...items]
  for (let i = mixed.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1))
    ;[mixed[i], mixed[other]] = [mixed[other] as T, mixed[i] as T]
  }
  return mixed
}
