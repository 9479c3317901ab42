import { sleep } from '@smart-whale/core-resilience'
import { kafkaError } from '../../errors.ts'
import { runCall } from '../../run-call.ts'
import type { CommitOptions, CommittedOffset, TransportCallOptions } from '../../transport.ts'
import { BROKER, brokerError } from '../broker-errors.ts'
import type { GroupRight, JoinGroupResult, KafkaRequestOptions, KafkaTarget } from '../kafka-api.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { CONSUMER_PROTOCOL } from './group-protocol.ts'
import type { KafkaClient } from './kafka-client.ts'

/** What a session tells its member. */
export interface SessionEvents {
  /** Somebody came or went: the member has to join again. */
  rebalance(): void
  /** The group has gone on without the member. */
  lost(): void
  /** The group refuses the member, and that doesn't pass. */
  refused(error: unknown): void
}

/** What a session is made from. */
export interface GroupSessionOptions {
  /** What requests go through. @default none, required */
  readonly client: KafkaClient
  /** The group. @default none, required */
  readonly groupId: string
  /** Names the member's connections: one for the word that it is there, one for progress, one for joins, each of which may wait. */
  readonly channel: string
  /** Told what the group says. @default none, required */
  readonly events: SessionEvents
  /** Aborts when the membership is over. */
  readonly signal: AbortSignal
}

/** Where a group's progress stands. */
export interface GroupPosition {
  readonly topic: string
  readonly partition: number
}

/** What one attempt to take part came to. */
export type Taken<T> = { readonly kind: 'taken'; readonly answer: T } | { readonly kind: 'again' } | { readonly kind: 'lost' }

const NO_GENERATION = -1
/** Codes by which the group says that it has gone on without this member. */
const LOST = new Set<number>([BROKER.UNKNOWN_MEMBER_ID, BROKER.ILLEGAL_GENERATION, BROKER.FENCED_INSTANCE_ID])

/**
 * A member's right in its group, and whether it still holds. The broker gives a member up that it hasn't heard of for the length of the
 * session. Counted here from when the last word that was answered was *sent*, it is over here before it is over there, also when this
 * process was asleep.
 */
export class GroupSession {
  readonly #options: GroupSessionOptions
  readonly #coordinator: GroupCoordinator
  #right: GroupRight
  #heardAt = { monotonic: -Infinity, wall: -Infinity }
  #certain = Promise.withResolvers<void>()
  /** The attempt to take part that is under way. */
  #joining: AbortController | null = null
  #joins = 0

  constructor(options: GroupSessionOptions) {
    this.#options = options
    this.#coordinator = new GroupCoordinator(options.client, options.groupId)
    this.#right = { groupId: options.groupId, generation: NO_GENERATION, memberId: '' }
  }

  get memberId(): string {
    return this.#right.memberId
  }

  /** By which progress is stored as part of a transaction; null while the group is taking the member up. */
  get right(): GroupRight | null {
    return this.#right.generation === NO_GENERATION ? null : this.#right
  }

  get generation(): number {
    return this.#right.generation
  }

  /** Whether the group surely counts on this member. */
  get isCurrent(): boolean {
    const { clock, settings } = this.#options.client
    // A machine that slept may not have counted that time; a clock that was set forward costs a heartbeat at most.
    const silentMs = Math.max(clock.monotonic() - this.#heardAt.monotonic, clock.now() - this.#heardAt.wall)
    return this.#right.generation !== NO_GENERATION && silentMs <= settings.sessionTimeoutMs
  }

  /** Resolves with the next word of the group. */
  untilCertain(): Promise<void> {
    return this.#certain.promise
  }

  /** Says that the member is there, again and again, until the membership is over. */
  async keepAlive(): Promise<void> {
    const { client, signal, events } = this.#options
    while (!signal.aborted) {
      await sleep(client.settings.heartbeatIntervalMs, { signal, clock: client.clock }).catch(() => {})
      if (signal.aborted || this.#right.memberId === '' || this.#right.generation === NO_GENERATION) continue
      await this.#beat().catch((error: unknown) => {
        if (!isPassing(error)) return events.refused(error)
        client.settings.logger.debug({ err: error, groupId: this.#right.groupId }, 'no answer to a heartbeat')
        // Who doesn't answer a heartbeat won't answer the join either.
        this.#joining?.abort(coordinatorAway(this.#right.groupId))
      })
    }
  }

  /** Takes part in the next generation; answered when the other members have come as well. */
  async join(metadata: Uint8Array): Promise<Taken<JoinGroupResult>> {
    const { client } = this.#options
    const { groupId, memberId } = this.#right
    const request = { ...client.settings, groupId, memberId, protocols: [{ name: CONSUMER_PROTOCOL, metadata }] }
    const taken = await this.#takePart((target, options) =>
      // Without a name the answer only brings one, and comes at once.
      client.api.joinGroup(target, request, memberId === '' ? { ...options, timeoutMs: client.settings.requestTimeoutMs } : options),
    )
    if (taken.kind === 'taken') this.#right = { groupId, memberId: taken.answer.memberId, generation: taken.answer.generation }
    return taken
  }

  /** Hears what the leader has assigned to this member; the leader says what it has assigned to each. */
  async sync(assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]): Promise<Taken<{ readonly assignment: Uint8Array }>> {
    const sentAt = this.#now()
    const right = this.#right
    const taken = await this.#takePart((target, options) => this.#options.client.api.syncGroup(target, { ...right, assignments }, options))
    if (taken.kind === 'taken') this.#heard(sentAt)
    return taken
  }

  /** The group has given this member up; it comes back as a new one. */
  forget(): void {
    this.#right = { ...this.#right, generation: NO_GENERATION, memberId: '' }
    this.#tell()
  }

  /**
   * Stores progress. Repeated between two generations of a member that stays, until the caller's time is up; `checkHeld` is asked before
   * each attempt and throws when the member has lost the partition meanwhile, so that nobody commits with a right that came later.
   */
  async commit({ topic, partition }: GroupPosition, offset: bigint, checkHeld: () => void, options: CommitOptions | undefined): Promise<void> {
    const { client } = this.#options
    const what = `committing offset ${offset} of group "${this.#right.groupId}"`
    const place = { topic, partition, offset, leaderEpoch: -1, metadata: options?.metadata ?? '' }
    await runCall(what, options, client.clock, (signal) =>
      client.retry.execute(
        async () => {
          let right = this.#right
          const { errorCode } = await this.#coordinator.ask(signal, (target) => {
            checkHeld()
            right = this.#right
            return client.api.offsetCommit(target, { ...right, ...place }, this.#progressRequest(signal))
          })
          if (errorCode === BROKER.NONE) return
          if (errorCode === BROKER.UNKNOWN_MEMBER_ID && right.memberId === this.#right.memberId) this.#options.events.lost()
          checkHeld()
          // The right of the generation before; the next attempt has the new one, or is refused.
          throw LOST.has(errorCode) ? brokerError(BROKER.REBALANCE_IN_PROGRESS, what) : brokerError(errorCode, what)
        },
        { signal },
      ),
    )
  }

  /** What the group has committed last; null when it is nothing. */
  async committed({ topic, partition }: GroupPosition, options: TransportCallOptions | undefined): Promise<CommittedOffset | null> {
    const { client } = this.#options
    const what = `asking for the progress of group "${this.#right.groupId}"`
    return runCall(what, options, client.clock, async (signal) => {
      const found = await this.#coordinator.call(signal, async (target) => {
        const question = { groupId: this.#right.groupId, topic, partitions: [partition], requireStable: true }
        const { errorCode, offsets } = await client.api.offsetFetch(target, question, this.#progressRequest(signal))
        return { offset: -1n, metadata: null, ...offsets[0], errorCode: errorCode === BROKER.NONE ? (offsets[0]?.errorCode ?? BROKER.NONE) : errorCode }
      })
      if (found.errorCode !== BROKER.NONE) throw brokerError(found.errorCode, what)
      return found.offset < 0n ? null : { offset: found.offset, metadata: found.metadata ?? '' }
    })
  }

  /** Tells the group that the member goes. Without an answer its session runs out. */
  async leave(): Promise<void> {
    const { client, channel } = this.#options
    const { groupId, memberId } = this.#right
    if (memberId === '') return
    const { settings, clock, api } = client
    await runCall(`leaving group "${groupId}"`, { timeoutMs: settings.requestTimeoutMs }, clock, (signal) =>
      this.#coordinator.ask(signal, (target) => api.leaveGroup(target, { groupId, memberId }, { signal, timeoutMs: settings.requestTimeoutMs, channel })),
    ).catch((error: unknown) => settings.logger.debug({ err: error, groupId }, 'the group was left without a word; the session runs out'))
  }

  /** One join or sync. Another connection is taken after one that was broken off: its answer is still to come. */
  async #takePart<T extends { readonly errorCode: number; readonly memberId?: string }>(request: (target: KafkaTarget, options: KafkaRequestOptions) => Promise<T>): Promise<Taken<T>> {
    const { client, channel, signal } = this.#options
    const { settings } = client
    const answer = await client.retry.execute(
      async () => {
        const joining = new AbortController()
        const stop = (): void => joining.abort(signal.reason)
        this.#joining = joining
        signal.addEventListener('abort', stop, { once: true })
        try {
          const timeoutMs = settings.rebalanceTimeoutMs + settings.requestTimeoutMs
          const said = await this.#coordinator.ask(signal, (target) => request(target, { signal: joining.signal, timeoutMs, channel: `${channel}-join-${this.#joins}` }))
          if (!KNOWN.has(said.errorCode)) throw brokerError(said.errorCode, `joining group "${this.#right.groupId}"`)
          return said
        } catch (error) {
          this.#joins++
          throw joining.signal.aborted && !signal.aborted ? joining.signal.reason : error
        } finally {
          this.#joining = null
          signal.removeEventListener('abort', stop)
        }
      },
      { signal },
    )
    if (answer.errorCode === BROKER.NONE) return { kind: 'taken', answer }
    if (answer.errorCode === BROKER.MEMBER_ID_REQUIRED) this.#right = { ...this.#right, memberId: answer.memberId ?? '' }
    return { kind: LOST.has(answer.errorCode) ? 'lost' : 'again' }
  }

  async #beat(): Promise<void> {
    const { client, channel, signal, events } = this.#options
    const { settings, api } = client
    const right = this.#right
    const sentAt = this.#now()
    const timeoutMs = Math.min(settings.requestTimeoutMs, Math.ceil(settings.sessionTimeoutMs / 3))
    const { errorCode } = await this.#coordinator.ask(signal, (target) => api.heartbeat(target, right, { signal, timeoutMs, channel }))
    if (errorCode === BROKER.NONE || errorCode === BROKER.REBALANCE_IN_PROGRESS) this.#heard(sentAt)
    // What was said of a right that is not ours any more, or is just being renewed, says nothing.
    if (errorCode === BROKER.NONE || this.#joining !== null || right !== this.#right) return
    if (errorCode === BROKER.REBALANCE_IN_PROGRESS) return events.rebalance()
    if (LOST.has(errorCode)) return events.lost()
    throw brokerError(errorCode, `staying in group "${right.groupId}"`)
  }

  #now(): { monotonic: number; wall: number } {
    const { clock } = this.#options.client
    return { monotonic: clock.monotonic(), wall: clock.now() }
  }

  /** The group has answered to something that was sent then. */
  #heard(sentAt: { monotonic: number; wall: number }): void {
    if (sentAt.monotonic > this.#heardAt.monotonic) this.#heardAt = sentAt
    this.#tell()
  }

  #tell(): void {
    this.#certain.resolve()
    this.#certain = Promise.withResolvers()
  }

  #progressRequest(signal: AbortSignal): KafkaRequestOptions {
    const { client, channel } = this.#options
    return { signal, timeoutMs: client.settings.requestTimeoutMs, channel: `${channel}-progress` }
  }
}

/** Answers to a join or sync that its member knows what to do with. */
const KNOWN = new Set<number>([BROKER.NONE, BROKER.MEMBER_ID_REQUIRED, BROKER.REBALANCE_IN_PROGRESS, ...LOST])

const isPassing = (error: unknown): boolean => (error as { readonly retryable?: unknown }).retryable === true

function coordinatorAway(groupId: string): Error {
  return kafkaError('ERR_MESSAGING_CONNECTION', `the coordinator of group "${groupId}" doesn't answer: the one that is found next is asked`, { retryable: true, status: 503 })
}
