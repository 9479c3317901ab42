import { outsideOfCalls, sleep } from '@smart-whale/core-resilience'
import { messagingError } from '../../errors.ts'
import type { GroupMembership, JoinOptions, PartitionReader, TransportCallOptions } from '../../transport.ts'
import { assignAsLeader } from './assign-as-leader.ts'
import { decodeAssignment, encodeSubscription, type TopicPartitions } from './group-protocol.ts'
import type { GroupStanding } from './group-progress.ts'
import { GroupSession, type Taken } from './group-session.ts'
import { HeldPartition, type TopicIdentity } from './held-partition.ts'
import { HeldPartitions } from './held-partitions.ts'
import type { KafkaClient } from './kafka-client.ts'
import type { PartitionGrant } from './kafka-partition-reader.ts'

/** A partition that a member got. */
export interface GrantedPartition extends GroupStanding {
  readonly grant: PartitionGrant
  readonly topic: TopicIdentity
  readonly partition: number
}

/** What a member is made from. */
export interface GroupMemberOptions {
  /** What requests go through. @default none, required */
  readonly client: KafkaClient
  /** What whoever joined asked for. @default none, required */
  readonly join: JoinOptions
  /** Names the connections of this member. */
  readonly channel: string
  /** Makes the reader of a partition that was granted. @default none, required */
  readonly makeReader: (granted: GrantedPartition) => Promise<PartitionReader>
  /** Told once, when the membership is over. */
  readonly onEnd: (member: GroupMember) => void
}

/** The generation of who owns nothing. */
const NEVER = -1
/** Before joining again after a loss, or many rounds in vain, so that a group that goes on so isn't asked without end. */
const PAUSE_MS = 100
const ROUNDS_WITHOUT_PAUSE = 3

/**
 * One member of a group. A rebalance leaves alone what the member keeps: what it has to give up it gives up first (its handler finishes and
 * commits), and joins again so that the next member gets it (Kafka's cooperative protocol).
 */
export class GroupMember implements GroupMembership {
  readonly groupId: string
  readonly #options: GroupMemberOptions
  readonly #topics: readonly string[]
  readonly #session: GroupSession
  readonly #held: HeldPartitions
  readonly #failure = new AbortController()
  /** Aborts when the membership is over: nothing goes on behind it. */
  readonly #over = new AbortController()
  /** In which generation it got what it holds. */
  #ownedSince = NEVER
  #wantsRejoin = false
  #roundsInVain = 0
  #wake: (() => void) | null = null
  #leaving: Promise<void> | null = null

  constructor(options: GroupMemberOptions) {
    const { client, join, channel } = options
    this.#options = options
    this.groupId = join.groupId
    this.#topics = [...new Set(join.topics)]
    this.#session = new GroupSession({
      client,
      groupId: join.groupId,
      channel,
      signal: this.#over.signal,
      events: { due: () => this.#lookAtTopics(), rebalance: () => this.#rejoin(), lost: () => this.#loseAll(), refused: (error) => this.fail(error) },
    })
    this.#held = new HeldPartitions(client.clock, (topic, partition, predecessor) => this.#hold(topic, partition, predecessor))
  }

  get memberId(): string {
    return this.#session.memberId
  }

  get failed(): AbortSignal {
    return this.#failure.signal
  }

  /** Joins; resolves when the member is in the group. The rest goes on by itself. Who gives up before leaves nothing behind. */
  async begin(signal: AbortSignal): Promise<void> {
    const { client, join } = this.#options
    if (this.#isOver) throw this.#over.signal.reason as Error
    const stopListening = client.view.onChange((topic) => {
      if (this.#topics.includes(topic)) this.#rejoin()
    })
    this.#over.signal.addEventListener('abort', stopListening, { once: true })
    const giveUp = (): void => void this.leave({ timeoutMs: 1 })
    signal.addEventListener('abort', giveUp, { once: true })
    join.signal?.addEventListener('abort', this.#onAbort, { once: true })
    void outsideOfCalls(() => this.#session.keepAlive())
    const joined = this.#joinAndSync()
    try {
      await joined
    } catch (error) {
      await this.leave({ timeoutMs: 1 })
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
    void outsideOfCalls(() => this.#live())
    if (signal.aborted || join.signal?.aborted === true) void this.leave()
  }

  leave(options?: TransportCallOptions): Promise<void> {
    this.#leaving ??= this.#isOver ? Promise.resolve() : this.#leave(options)
    return this.#leaving
  }

  /** Ends the membership at once: whatever its handlers still do is refused. */
  fail(error: unknown): void {
    if (this.#isOver) return
    this.#failure.abort(error)
    this.#held.loseAll(error)
    this.#end()
    this.#closeChannel()
  }

  readonly #onAbort = (): void => void this.leave()

  get #isOver(): boolean {
    return this.#over.signal.aborted
  }

  async #live(): Promise<void> {
    try {
      while (!this.#isOver) {
        if (this.#wantsRejoin) await this.#joinAndSync()
        else await this.#untilWoken()
      }
    } catch (error) {
      if (!this.#isOver) this.fail(error)
    }
  }

  async #untilWoken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await promise
    this.#wake = null
  }

  #rejoin(): void {
    this.#wantsRejoin = true
    this.#wake?.()
  }

  /** Nobody tells that a topic got more partitions. */
  #lookAtTopics(): void {
    for (const topic of this.#topics) this.#options.client.view.keepFresh(topic)
  }

  /** The group went on without this member: what it held is somebody else's. */
  #loseAll(): void {
    if (this.#isOver) return
    this.#options.client.settings.logger.warn({ groupId: this.groupId, memberId: this.memberId }, 'the group gave this member up; it joins again')
    this.#held.loseAll()
    this.#session.forget()
    this.#ownedSince = NEVER
    this.#rejoin()
  }

  /** Rounds of joining, until this member has what the group wants it to have. */
  async #joinAndSync(): Promise<void> {
    do {
      this.#wantsRejoin = false
      const assigned = await this.#joinOnce()
      if (assigned === null) continue
      this.#roundsInVain = 0
      await this.#adopt(assigned)
      // Who is on the way out only keeps its right, so that its handlers can commit.
    } while (this.#wantsRejoin && !this.#isOver)
  }

  /** One round; null when it has to be repeated. */
  async #joinOnce(): Promise<TopicPartitions | null> {
    const metadata = encodeSubscription({ topics: this.#topics, owned: this.#held.owned(), generation: this.#ownedSince })
    const joined = await this.#orAgain(await this.#session.join(metadata))
    if (joined === null) return null
    const { client, join } = this.#options
    const assignments = joined.leader === joined.memberId ? await assignAsLeader(client, join.groupId, joined.members, this.#over.signal) : []
    if (assignments === null) return this.#again()
    const synced = await this.#orAgain(await this.#session.sync(assignments))
    // The group may have gone on without this member before it had looked at what it got.
    if (synced === null || this.#session.generation !== joined.generation) return null
    this.#ownedSince = joined.generation
    return decodeAssignment(synced.assignment)
  }

  async #orAgain<T>(taken: Taken<T>): Promise<T | null> {
    if (taken.kind === 'taken') return taken.answer
    if (taken.kind === 'lost') this.#loseAll()
    // A group that is about to begin another round is asked at once, one that says so again and again is not.
    if (taken.kind === 'again' && this.#roundsInVain++ < ROUNDS_WITHOUT_PAUSE) {
      this.#wantsRejoin = true
      return null
    }
    return this.#again()
  }

  async #again(): Promise<null> {
    this.#wantsRejoin = true
    await sleep(PAUSE_MS, { signal: this.#over.signal, clock: this.#options.client.clock })
    return null
  }

  /** Takes what is new, and begins to let go of what isn't assigned any more. */
  async #adopt(assigned: TopicPartitions): Promise<void> {
    const { view } = this.#options.client
    for (const [name, partitions] of assigned) await this.#take(name, partitions)
    const leaving = this.#held.all().filter(({ topic, partition, signal }) => {
      const isMine = assigned.get(topic.name)?.includes(partition) === true && view.known(topic.name)?.id === topic.id
      return !isMine && !signal.aborted
    })
    for (const held of leaving) void this.#handOver(held)
  }

  /** While handlers finish the member still owns their partitions, and takes part when others come and go: a slow one holds up no other partition. */
  async #handOver(leaving: HeldPartition): Promise<void> {
    const { settings } = this.#options.client
    const fenced = await this.#held.giveUp([leaving], settings.handoverTimeoutMs, this.#over.signal)
    if (this.#isOver) return
    for (const { topic, partition } of fenced) {
      settings.logger.warn({ groupId: this.groupId, topic: topic.name, partition }, 'partition taken from a handler that did not return in time')
    }
    // Somebody waits for what was given up.
    this.#rejoin()
  }

  async #take(name: string, partitions: readonly number[]): Promise<void> {
    const { view } = this.#options.client
    const since = this.#ownedSince
    const topic = await view.topic(name, this.#over.signal).catch((error: unknown) => {
      if (this.#isOver) throw error
      return view.known(name)
    })
    // If the group went on without this member meanwhile, what it had assigned is somebody else's.
    if (this.#leaving !== null || this.#ownedSince !== since) return
    // Assigned, and nobody knows under which id: the next round will.
    if (topic === undefined) this.#wantsRejoin = true
    else for (const partition of partitions) this.#held.hold({ name, id: topic.id }, partition)
  }

  #hold(topic: TopicIdentity, partition: number, predecessor: Promise<void>): HeldPartition {
    const { client, join, makeReader } = this.#options
    const session = this.#session
    const position = { topic: topic.name, partition }
    const held: HeldPartition = new HeldPartition({
      topic,
      partition,
      predecessor,
      isCurrent: () => session.isCurrent,
      untilCertain: () => session.untilCertain(),
      committed: (options) => session.progress.committed(position, options),
      isTopicThere: () => client.view.known(topic.name)?.id === topic.id,
      right: { groupId: this.groupId, current: () => session.right },
      commit: (nextOffset, checkHeld, options) => session.progress.commit(position, nextOffset, checkHeld, options),
      makeReader: async (grant) => makeReader({ grant, topic, partition, ...(await session.progress.standing(position, { signal: grant.signal })) }),
      onPartition: join.onPartition,
      onFailure: (error) => this.#giveUpMembership(error),
      onTopicGone: () => {
        client.view.doubt(topic.name)
        if (!held.signal.aborted) void this.#handOver(held)
      },
    })
    return held
  }

  #giveUpMembership(error: unknown): void {
    if (this.#isOver || this.#leaving !== null) return
    this.#failure.abort(error)
    void this.leave()
  }

  async #leave(options: TransportCallOptions | undefined): Promise<void> {
    const { settings } = this.#options.client
    const timeoutMs = Math.min(options?.timeoutMs ?? settings.handoverTimeoutMs, settings.handoverTimeoutMs)
    // The right is kept, and renewed if the group goes on meanwhile, until the last handler has committed.
    await this.#held.giveUp(this.#held.all(), timeoutMs, options?.signal)
    if (this.#isOver) return
    this.#end()
    await this.#session.leave()
    this.#closeChannel()
  }

  /** Its connections are its own, and of no use to the next member. */
  readonly #closeChannel = (): void => this.#options.client.closeChannel(this.#options.channel)

  #end(): void {
    this.#options.join.signal?.removeEventListener('abort', this.#onAbort)
    this.#held.loseAll()
    this.#over.abort(messagingError('ERR_MESSAGING_MEMBERSHIP_LOST', `the membership of group "${this.groupId}" is over`))
    this.#wake?.()
    this.#options.onEnd(this)
  }
}
