import { randomUUID } from 'node:crypto'
import type { Lifecycle } from '@smart-whale/interfaces'
import { kindOf, messagingValidationError, notConnected, topicNotFound } from '../errors.ts'
import { mapFileError } from '../map-error.ts'
import { checkTopicName } from '../topic-name.ts'
import type { TopicDescription, TopicSettings } from '../transport.ts'
import { type BrokerStore, createVolatileStore, FolderStore } from './broker-store.ts'
import { CoalescedSave } from './coalesced-save.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { PartitionLog } from './log/partition-log.ts'
import { brokerSettings, type MemoryBrokerOptions, type MemoryBrokerSettings } from './options.ts'
import { RetentionTimer } from './retention-timer.ts'
import { Topic } from './topic.ts'
import { checkTopicSettings, logSettings } from './topic-settings.ts'
import { MemoryKeeper } from './transactions/memory-keeper.ts'
import { TransactionCommitter } from './transactions/transaction-committer.ts'

/** A broker of one process, which transports share that are to see each other's messages. */
export type MemoryBroker = Lifecycle

/** Makes a broker; hand it to several {@link createMemoryTransport}. Whoever makes it stops it, after the transports. */
export function createMemoryBroker(options?: MemoryBrokerOptions): MemoryBroker {
  return new EmbeddedBroker(brokerSettings(options))
}

/** Topics, groups and what is kept of them. */
export class EmbeddedBroker implements Lifecycle {
  readonly settings: MemoryBrokerSettings
  readonly #store: BrokerStore
  readonly #topics = new Map<string, Topic>()
  readonly #groups = new Map<string, ConsumerGroup>()
  readonly #making = new Map<string, Promise<boolean>>()
  readonly #savingTopics: CoalescedSave
  readonly #retention: RetentionTimer
  readonly #keepers = new Map<string, MemoryKeeper>()
  #committer: TransactionCommitter
  #state: 'stopped' | 'running' = 'stopped'
  #transition: Promise<void> = Promise.resolve()

  constructor(settings: MemoryBrokerSettings) {
    this.settings = settings
    this.#store = settings.dataDir === undefined ? createVolatileStore() : new FolderStore(settings.dataDir, settings)
    this.#savingTopics = new CoalescedSave(() => this.#store.saveTopics([...this.#topics.values()].map((topic) => topic.description)))
    this.#committer = this.#newCommitter()
    this.#retention = new RetentionTimer({ topics: () => this.#topics.values(), clock: settings.clock, logger: settings.logger })
  }

  start(): Promise<void> {
    return this.#inTurn(() => this.#start())
  }

  stop(): Promise<void> {
    return this.#inTurn(() => this.#stop())
  }

  /** Resolves true when the topic was made now, false when it was there. */
  async createTopic(name: string, settings: TopicSettings): Promise<boolean> {
    this.#checkRunning('creating a topic')
    checkTopicName(name)
    const checked = checkTopicSettings(name, settings)
    const making = this.#making.get(name)
    if (making !== undefined) return making.then(() => false)
    if (this.#topics.has(name)) return false
    const made = this.#createTopic({ name, id: randomUUID(), ...checked }).finally(() => this.#making.delete(name))
    this.#making.set(name, made)
    return made
  }

  /** Resolves true when the topic was removed now, false when there was none. */
  async deleteTopic(name: string): Promise<boolean> {
    this.#checkRunning('deleting a topic')
    const topic = this.#topics.get(name)
    if (topic === undefined) return false
    this.#topics.delete(name)
    await this.#savingTopics.request()
    await Promise.all([...this.#groups.values()].map((group) => group.forgetTopic(topic.id)))
    await topic.remove()
    await this.#store.removeTopic(topic.id)
    return true
  }

  findTopic(name: string): Topic | undefined {
    this.#checkRunning('looking at topics')
    return this.#topics.get(name)
  }

  /** @throws OperationError `ERR_MESSAGING_TOPIC_NOT_FOUND` */
  topic(name: string): Topic {
    const topic = this.findTopic(name)
    if (topic !== undefined) return topic
    checkTopicName(name)
    throw topicNotFound(name)
  }

  topicNames(): readonly string[] {
    this.#checkRunning('listing topics')
    return [...this.#topics.keys()].sort()
  }

  /** The group of that name, as it is or new. */
  group(groupId: string): ConsumerGroup {
    this.#checkRunning('joining a group')
    return this.#groupOf(groupId)
  }

  findGroup(groupId: string): ConsumerGroup | undefined {
    checkGroupId(groupId)
    return this.#groups.get(groupId)
  }

  /** The transactions of an id; whoever had it is refused from now on, and what it left open is gone. */
  async transactional(transactionalId: string): Promise<MemoryKeeper> {
    this.#checkRunning('opening a producer of transactions')
    const { clock, maxTransactionBytes } = this.settings
    const before = this.#keepers.get(transactionalId)
    const keeper = new MemoryKeeper({ transactionalId, topic: (name) => this.topic(name), committer: this.#committer, maxTransactionBytes, clock, onClose: (closed) => this.#forgetKeeper(closed) })
    this.#keepers.set(transactionalId, keeper)
    await before?.fence()
    return keeper
  }

  /** Starting and stopping never overlap, and what fails leaves the way free for the next try. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#transition.then(work)
    this.#transition = turn.catch(() => {})
    return turn
  }

  async #start(): Promise<void> {
    if (this.#state === 'running') return
    this.#committer = this.#newCommitter()
    try {
      await this.#store.open()
      // Without a folder, what there is has stayed in memory.
      if (this.settings.dataDir !== undefined) await this.#load()
    } catch (error) {
      await this.#closeTopics()
      this.#store.close()
      throw mapFileError(error, this.settings.dataDir ?? 'the log', 'opening')
    }
    this.#state = 'running'
    this.#retention.start()
  }

  async #load(): Promise<void> {
    const startedAt = this.settings.clock.monotonic()
    for (const description of await this.#store.loadTopics()) {
      this.#topics.set(description.name, await this.#openTopic(description))
    }
    const topicIds = new Set([...this.#topics.values()].map((topic) => topic.id))
    for (const [groupId, offsets] of await this.#store.loadGroups()) {
      const known = offsets.filter(([topicId]) => topicIds.has(topicId))
      this.#groups.set(groupId, this.#openGroup(groupId, known))
    }
    await this.#committer.recover()
    const durationMs = Math.round(this.settings.clock.monotonic() - startedAt)
    this.settings.logger.debug({ dataDir: this.settings.dataDir, topics: this.#topics.size, durationMs }, 'log opened')
  }

  async #stop(): Promise<void> {
    if (this.#state === 'stopped') return
    this.#retention.stop()
    await Promise.allSettled(this.#making.values())
    await this.#committer.close()
    await Promise.all([...this.#groups.values()].map((group) => group.close()))
    this.#state = 'stopped'
    await this.#savingTopics.idle()
    if (this.settings.dataDir !== undefined) await this.#closeTopics()
    this.#store.close()
  }

  async #closeTopics(): Promise<void> {
    await Promise.all([...this.#topics.values()].map((topic) => topic.close()))
    this.#topics.clear()
    this.#groups.clear()
  }

  async #createTopic(description: TopicDescription): Promise<boolean> {
    const topic = await this.#makeTopic(description).catch(async (error: unknown) => {
      // What was made of it may be what fills the disk.
      await this.#store.removeTopic(description.id).catch(() => {})
      throw error
    })
    this.#topics.set(description.name, topic)
    try {
      await this.#savingTopics.request()
    } catch (error) {
      this.#topics.delete(description.name)
      await topic.remove()
      throw error
    }
    for (const group of this.#groups.values()) group.rebalance()
    this.#retention.start()
    return true
  }

  async #makeTopic(description: TopicDescription): Promise<Topic> {
    const { id, partitions } = description
    for (let partition = 0; partition < partitions; partition++) {
      const segment = await this.#store.segmentsOf(id, partition).create(0)
      await segment.bytes.close()
    }
    return this.#openTopic(description)
  }

  async #openTopic(description: TopicDescription): Promise<Topic> {
    const { name, id, partitions } = description
    const { retention, segmentBytes } = logSettings(name, description, this.settings)
    const open = (partition: number): Promise<PartitionLog> =>
      PartitionLog.open({
        name: `partition ${partition} of topic "${name}"`,
        store: this.#store.segmentsOf(id, partition),
        segmentBytes,
        frameBytes: Math.min(MAX_FRAME_BYTES, segmentBytes),
        retention,
        now: () => this.settings.clock.now(),
      })
    const logs: PartitionLog[] = []
    // A few at a time: each may have a file to look through, with a buffer of its own.
    for (let from = 0; from < partitions; from += OPENED_AT_ONCE) {
      const some = Array.from({ length: Math.min(OPENED_AT_ONCE, partitions - from) }, (_, i) => open(from + i))
      logs.push(...(await Promise.all(some)))
    }
    return new Topic(description, logs, this.settings)
  }

  #forgetKeeper(keeper: MemoryKeeper): void {
    if (this.#keepers.get(keeper.transactionalId) === keeper) this.#keepers.delete(keeper.transactionalId)
  }

  #groupOf(groupId: string): ConsumerGroup {
    const group = this.findGroup(groupId) ?? this.#openGroup(groupId, [])
    this.#groups.set(groupId, group)
    return group
  }

  #newCommitter(): TransactionCommitter {
    const { clock, logger } = this.settings
    return new TransactionCommitter({
      store: this.#store,
      findLog: (topicId, partition) => [...this.#topics.values()].find(({ id }) => id === topicId)?.logs[partition],
      group: (groupId) => this.#groupOf(groupId),
      clock,
      logger,
    })
  }

  #openGroup(groupId: string, offsets: Parameters<BrokerStore['saveGroup']>[1]): ConsumerGroup {
    const { clock, logger, handoverTimeoutMs } = this.settings
    return new ConsumerGroup({
      groupId,
      offsets,
      findTopic: (name) => this.#topics.get(name),
      save: (progress) => this.#store.saveGroup(groupId, progress),
      handoverTimeoutMs,
      clock,
      logger,
    })
  }

  #checkRunning(what: string): void {
    if (this.#state !== 'running') throw notConnected(what)
  }
}

/** Records that are written as one, unless a single part of a send is larger. */
const MAX_FRAME_BYTES = 1024 * 1024
const OPENED_AT_ONCE = 4
const MAX_GROUP_ID_LENGTH = 255

function checkGroupId(groupId: unknown): void {
  if (typeof groupId === 'string' && groupId !== '' && groupId.length <= MAX_GROUP_ID_LENGTH) return
  const message = `must be a string of 1 to ${MAX_GROUP_ID_LENGTH} characters, got ${groupId === '' ? 'an empty one' : kindOf(groupId)}`
  throw messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `groupId ${message}`, [{ path: ['groupId'], message }])
}
