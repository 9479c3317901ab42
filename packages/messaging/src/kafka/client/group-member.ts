import { type Clock, type Logger } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import { messagingError } from '../../errors.ts'
import { BROKER, brokerError } from '../broker-errors.ts'
import type { ClusterView } from '../cluster-view.ts'
import type { GroupRight, KafkaApi } from '../kafka-api.ts'
import type { KafkaTransportSettings } from '../options.ts'
import { runCall } from '../../run-call.ts'
import type { CommitOptions, CommittedOffset, GroupMembership, JoinOptions, PartitionReader, TransportCallOptions } from '../../transport.ts'
import { assignSticky } from './assign-sticky.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { CONSUMER_PROTOCOL, decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription, type TopicPartitions } from './group-protocol.ts'
import { HeldPartition } from './held-partition.ts'
import type { PartitionGrant } from './kafka-partition-reader.ts'

/** What a member is made from. */
export interface GroupMemberOptions {
  readonly api: KafkaApi
  readonly view: ClusterView
  readonly settings: KafkaTransportSettings
  readonly clock: Clock
  readonly logger: Logger
  readonly join: JoinOptions
  /** Names the connections of this member. */
  readonly channel: string
  readonly makeReader: (grant: PartitionGrant, held: { topic: { name: string; id: string }; partition: number; committed: CommittedOffset | null }) => Promise<PartitionReader>
  /** Told once, when the membership is over. */
  readonly onEnd: (member: GroupMember) => void
}

/** Why a generation is over for this member. */
type Turn = 'rebalance' | 'lost'

/** Codes that say that the group has gone on without this member. */
const LOST = new Set<number>([BROKER.UNKNOWN_MEMBER_ID, BROKER.ILLEGAL_GENERATION, BROKER.FENCED_INSTANCE_ID])

/**
 * One member of a group. A rebalance leaves alone what the member keeps: what it has to give up it gives up first (its handler finishes and
 * commits), and joins again so that the next member gets it (Kafka's cooperative protocol).
 */
export class GroupMember implements GroupMembership {
  readonly groupId: string
  readonly #options: GroupMemberOptions
  readonly #coordinator: GroupCoordinator
  readonly #failure = new AbortController()
  /** Ends the waits of the membership's own work. */
  readonly #closing = new AbortController()
  readonly #held = new Map<string, HeldPartition>()
  #right: GroupRight
  #aliveAt = 0
  #wantsRejoin = false
  #leaving: Promise<void> | undefined
  #isOver = false

  constructor(options: GroupMemberOptions) {
    this.#options = options
    this.groupId = options.join.groupId
    this.#coordinator = new GroupCoordinator(options, this.groupId)
    this.#right = { groupId: this.groupId, generation: -1, memberId: '' }
  }

  get memberId(): string {
    return this.#right.memberId
  }

  get failed(): AbortSignal {
    return this.#failure.signal
  }

  /** Joins; resolves when the member is in the group. The rest goes on by itself. */
  async begin(signal: AbortSignal): Promise<void> {
    const stopListening = this.#options.view.onChange((topic) => {
      if (this.#options.join.topics.includes(topic)) this.#wantsRejoin = true
    })
    this.#closing.signal.addEventListener('abort', stopListening, { once: true })
    await this.#joinAndSync(signal)
    void this.#live()
    const { signal: given } = this.#options.join
    if (given?.aborted === true) void this.leave()
    else given?.addEventListener('abort', this.#onAbort, { once: true })
  }

  leave(options?: TransportCallOptions): Promise<void> {
    if (this.#isOver) return this.#leaving ?? Promise.resolve()
    this.#leaving ??= this.#leave(options)
    return this.#leaving
  }

  /** Ends the membership at once: whatever its handlers still do is refused. */
  fail(error: unknown): void {
    if (this.#isOver) return
    this.#end()
    for (const held of this.#held.values()) held.fence(error)
    this.#held.clear()
    this.#failure.abort(error)
  }

  readonly #onAbort = (): void => void this.leave()

  async #live(): Promise<void> {
    try {
      while (!this.#isStopping) {
        const turn = await this.#stayAlive()
        if (this.#isStopping) return
        if (turn === 'lost') this.#loseAll()
        await this.#joinAndSync(this.#closing.signal)
      }
    } catch (error) {
      if (!this.#isStopping) this.fail(error)
    }
  }

  get #isStopping(): boolean {
    return this.#isOver || this.#leaving !== undefined
  }

  /** Says that the member is there until the group changes. */
  async #stayAlive(): Promise<Turn> {
    const { settings, clock, view, join } = this.#options
    for (;;) {
      await sleep(settings.heartbeatIntervalMs, { signal: this.#closing.signal, clock })
      if (this.#isStopping) return 'rebalance'
      for (const topic of join.topics) await view.topic(topic, this.#closing.signal).catch(() => {})
      const said = await this.#heartbeat()
      if (said !== null) return said
      if (this.#wantsRejoin) return 'rebalance'
      if (clock.monotonic() - this.#aliveAt > settings.sessionTimeoutMs) return 'lost'
    }
  }

  async #heartbeat(): Promise<Turn | null> {
    const { api, settings, clock, channel } = this.#options
    const askedAt = clock.monotonic()
    const answer = await this.#coordinator.callOnce(this.#closing.signal, (target) =>
      api.heartbeat(target, this.#right, { signal: this.#closing.signal, timeoutMs: Math.min(settings.requestTimeoutMs, settings.sessionTimeoutMs), channel }),
    )
    if (answer === null) return null
    if (answer.errorCode === BROKER.REBALANCE_IN_PROGRESS) return 'rebalance'
    if (LOST.has(answer.errorCode)) return 'lost'
    if (answer.errorCode !== BROKER.NONE) throw brokerError(answer.errorCode, `staying in group "${this.groupId}"`)
    this.#aliveAt = askedAt
    return null
  }

  /** The group went on without this member: what it held is somebody else's. */
  #loseAll(): void {
    this.#options.logger.warn({ groupId: this.groupId, memberId: this.memberId }, 'the group gave this member up; it joins again')
    for (const held of this.#held.values()) held.fence(held.refusal('ERR_MESSAGING_FENCED', 'was taken from this member, which was not heard of for too long'))
    this.#held.clear()
    this.#right = { groupId: this.groupId, generation: -1, memberId: '' }
  }

  /** Rounds of joining, until this member has what the group wants it to have. */
  async #joinAndSync(signal: AbortSignal): Promise<void> {
    for (let joined = false; !joined && !this.#isStopping; ) {
      this.#wantsRejoin = false
      const assigned = await this.#joinOnce(signal)
      if (assigned === null) continue
      joined = !(await this.#giveUp(assigned))
      await this.#take(assigned, signal)
    }
  }

  /** One round; null when it has to be repeated. */
  async #joinOnce(signal: AbortSignal): Promise<TopicPartitions | null> {
    const { api, settings, join, channel, clock } = this.#options
    const metadata = encodeSubscription({ topics: join.topics, owned: this.#owned(), generation: this.#right.generation })
    const request = { ...settings, groupId: this.groupId, protocols: [{ name: CONSUMER_PROTOCOL, metadata }] }
    const askedAt = clock.monotonic()
    const joined = await this.#coordinator.call(signal, (target) =>
      api.joinGroup(target, { ...request, memberId: this.#right.memberId }, { signal, timeoutMs: settings.rebalanceTimeoutMs + settings.requestTimeoutMs, channel: `${channel}-join` }),
    )
    this.#aliveAt = clock.monotonic()
    if (joined.errorCode === BROKER.MEMBER_ID_REQUIRED) {
      this.#right = { ...this.#right, memberId: joined.memberId }
      return null
    }
    if (LOST.has(joined.errorCode)) {
      this.#loseAll()
      return null
    }
    if (joined.errorCode !== BROKER.NONE) {
      const error = brokerError(joined.errorCode, `joining group "${this.groupId}"`)
      if (!error.retryable) throw error
      return null
    }
    void askedAt
    this.#right = { groupId: this.groupId, generation: joined.generation, memberId: joined.memberId }
    const assignments = joined.leader === joined.memberId ? await this.#assign(joined.members, signal) : []
    const synced = await this.#coordinator.call(signal, (target) =>
      api.syncGroup(target, { ...this.#right, assignments }, { signal, timeoutMs: settings.rebalanceTimeoutMs + settings.requestTimeoutMs, channel: `${channel}-join` }),
    )
    this.#aliveAt = clock.monotonic()
    if (LOST.has(synced.errorCode)) this.#loseAll()
    if (synced.errorCode === BROKER.NONE) return decodeAssignment(synced.assignment)
    const error = brokerError(synced.errorCode, `joining group "${this.groupId}"`)
    if (!error.retryable && !LOST.has(synced.errorCode)) throw error
    return null
  }

  async #assign(members: readonly { readonly memberId: string; readonly metadata: Uint8Array }[], signal: AbortSignal): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const { view } = this.#options
    const known = members.map(({ memberId, metadata }) => ({ memberId, ...decodeSubscription(metadata) }))
    const partitionsOf = new Map<string, number>()
    for (const topic of new Set(known.flatMap(({ topics }) => topics))) {
      const found = await view.refresh(topic, signal).catch((error: unknown) => {
        if (signal.aborted) throw error
        return undefined
      })
      if (found !== undefined) partitionsOf.set(topic, found.partitions.length)
    }
    return [...assignSticky(known, partitionsOf)].map(([memberId, assigned]) => ({ memberId, assignment: encodeAssignment(assigned) }))
  }

  /** Lets go of what isn't assigned any more; true when there was something, so that others wait for it. */
  async #giveUp(assigned: TopicPartitions): Promise<boolean> {
    const { settings, view, logger } = this.#options
    const leaving = [...this.#held.values()].filter(({ topic, partition }) => assigned.get(topic.name)?.includes(partition) !== true || view.known(topic.name)?.id !== topic.id)
    if (leaving.length === 0) return false
    const done = new AbortController()
    // The group must not give this member up while its handlers finish.
    const beating = this.#beatUntil(done.signal)
    const clean = await Promise.all(leaving.map((held) => held.revoke(settings.handoverTimeoutMs)))
    done.abort()
    await beating
    for (const [index, held] of leaving.entries()) {
      if (clean[index] === false) logger.warn({ groupId: this.groupId, topic: held.topic.name, partition: held.partition }, 'partition taken from a handler that did not return in time')
      this.#held.delete(keyOf(held.topic.id, held.partition))
    }
    return true
  }

  async #beatUntil(done: AbortSignal): Promise<void> {
    const { settings, clock } = this.#options
    while (!done.aborted) {
      await this.#heartbeat().catch(() => null)
      await sleep(settings.heartbeatIntervalMs, { signal: done, clock }).catch(() => {})
    }
  }

  async #take(assigned: TopicPartitions, signal: AbortSignal): Promise<void> {
    for (const [name, partitions] of assigned) {
      const topic = await this.#options.view.topic(name, signal).catch(() => undefined)
      if (topic === undefined) continue
      for (const partition of partitions) if (!this.#held.has(keyOf(topic.id, partition))) this.#hold({ name, id: topic.id }, partition)
    }
  }

  #hold(topic: { name: string; id: string }, partition: number): void {
    const { clock, join, makeReader } = this.#options
    const held: HeldPartition = new HeldPartition({
      topic,
      partition,
      clock,
      checkCurrent: () => this.#checkCurrent(held),
      committed: (options) => this.#committed(topic.name, partition, options),
      commit: (nextOffset, options) => this.#commit(held, nextOffset, options),
      makeReader: async (grant) => makeReader(grant, { topic, partition, committed: await this.#committed(topic.name, partition, undefined) }),
      onPartition: join.onPartition,
      onFailure: (error) => this.#giveUpMembership(error),
    })
    this.#held.set(keyOf(topic.id, partition), held)
  }

  #giveUpMembership(error: unknown): void {
    if (this.#isStopping) return
    this.#failure.abort(error)
    void this.leave()
  }

  /** After a sleep that was longer than the session nothing is handed out until the group has said whose it is. */
  #checkCurrent(held: HeldPartition): void {
    const { clock, settings } = this.#options
    if (clock.monotonic() - this.#aliveAt <= settings.sessionTimeoutMs) return
    throw held.refusal('ERR_MESSAGING_REVOKED', 'may be taken from this member, which was not heard of for too long')
  }

  async #committed(topic: string, partition: number, options: TransportCallOptions | undefined): Promise<CommittedOffset | null> {
    const { api, settings, clock, channel } = this.#options
    return runCall(`asking for the progress of group "${this.groupId}"`, options, clock, async (signal) => {
      const { errorCode, offsets } = await this.#coordinator.call(signal, (target) =>
        api.offsetFetch(target, { groupId: this.groupId, topic, partitions: [partition] }, { signal, timeoutMs: settings.requestTimeoutMs, channel }),
      )
      const [found] = offsets
      if (errorCode !== BROKER.NONE) throw brokerError(errorCode, `asking for the progress of group "${this.groupId}"`)
      if (found === undefined || found.offset < 0n) return null
      return { offset: found.offset, metadata: found.metadata ?? '' }
    })
  }

  async #commit(held: HeldPartition, offset: bigint, options: CommitOptions | undefined): Promise<void> {
    const { api, settings, clock, channel } = this.#options
    const { topic, partition } = held
    await runCall(`committing offset ${offset} of group "${this.groupId}"`, options, clock, async (signal) => {
      for (;;) {
        if (this.#held.get(keyOf(topic.id, partition)) !== held) throw held.refusal('ERR_MESSAGING_FENCED', 'was taken from this member')
        const { errorCode } = await this.#coordinator.call(signal, (target) =>
          api.offsetCommit(target, { ...this.#right, topic: topic.name, partition, offset, leaderEpoch: -1, metadata: options?.metadata ?? '' }, { signal, timeoutMs: settings.requestTimeoutMs, channel }),
        )
        if (errorCode === BROKER.NONE) return
        if (errorCode === BROKER.UNKNOWN_MEMBER_ID || errorCode === BROKER.FENCED_INSTANCE_ID) throw held.refusal('ERR_MESSAGING_FENCED', 'was taken from this member')
        // Between two generations of a member that stays: the next attempt has the right of the new one.
        if (errorCode !== BROKER.REBALANCE_IN_PROGRESS && errorCode !== BROKER.ILLEGAL_GENERATION) throw brokerError(errorCode, `committing offset ${offset} of group "${this.groupId}"`)
        await sleep(COMMIT_PAUSE_MS, { signal, clock })
      }
    })
  }

  #owned(): Map<string, number[]> {
    const owned = new Map<string, number[]>()
    for (const { topic, partition } of this.#held.values()) owned.set(topic.name, [...(owned.get(topic.name) ?? []), partition])
    return owned
  }

  async #leave(options: TransportCallOptions | undefined): Promise<void> {
    const { api, settings, clock, channel } = this.#options
    const done = new AbortController()
    const beating = this.#beatUntil(done.signal)
    const timeoutMs = Math.min(options?.timeoutMs ?? settings.handoverTimeoutMs, settings.handoverTimeoutMs)
    await Promise.all([...this.#held.values()].map((held) => held.revoke(timeoutMs)))
    this.#held.clear()
    done.abort()
    await beating
    await runCall(`leaving group "${this.groupId}"`, { timeoutMs: settings.requestTimeoutMs }, clock, (signal) =>
      this.#coordinator.callOnce(signal, (target) => api.leaveGroup(target, this.#right, { signal, timeoutMs: settings.requestTimeoutMs, channel })),
    ).catch((error: unknown) => this.#options.logger.debug({ err: error, groupId: this.groupId }, 'the group was left without a word; its session runs out'))
    this.#end()
  }

  #end(): void {
    this.#isOver = true
    this.#options.join.signal?.removeEventListener('abort', this.#onAbort)
    this.#closing.abort(messagingError('ERR_MESSAGING_MEMBERSHIP_LOST', `the membership of group "${this.groupId}" is over`))
    this.#options.onEnd(this)
  }
}

const COMMIT_PAUSE_MS = 50
const keyOf = (topicId: string, partition: number): string => `${topicId}/${partition}`
