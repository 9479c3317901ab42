import { sleep } from '@smart-whale/core-resilience'
import { kafkaError } from '../../errors.ts'
import { runCall } from '../../run-call.ts'
import { BROKER, brokerError } from '../broker-errors.ts'
import type { GroupRight, JoinGroupResult, KafkaRequestOptions, KafkaTarget } from '../kafka-api.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { GroupProgress, LOST } from './group-progress.ts'
import { CONSUMER_PROTOCOL } from './group-protocol.ts'
import type { KafkaClient } from './kafka-client.ts'
import { type Moment, SessionLease } from './session-lease.ts'

/** What a session tells its member. */
export interface SessionEvents {
  /** Another heartbeat is due. */
  due(): void
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

/** What one attempt to take part came to. */
export type Taken<T> = { readonly kind: 'taken'; readonly answer: T } | { readonly kind: 'again' } | { readonly kind: 'lost' }

const NO_GENERATION = -1

/** A member's right in its group, and whether it still holds. */
export class GroupSession {
  /** The group's progress, by this member's right. */
  readonly progress: GroupProgress
  readonly #options: GroupSessionOptions
  readonly #coordinator: GroupCoordinator
  readonly #lease: SessionLease
  #right: GroupRight
  #certain = Promise.withResolvers<void>()
  /** The attempt to take part that is under way. */
  #joining: AbortController | null = null
  #isSyncing = false
  #joins = 0

  constructor(options: GroupSessionOptions) {
    this.#options = options
    this.#coordinator = new GroupCoordinator(options.client, options.groupId)
    this.progress = new GroupProgress({ ...options, coordinator: this.#coordinator, right: () => this.#right, lost: () => options.events.lost() })
    this.#lease = new SessionLease(options.client.clock, options.client.settings)
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
    return this.#right.generation !== NO_GENERATION && this.#lease.isRunning
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
      // Who is just joining has no right yet; its word finds out whether the coordinator is still there to answer the join.
      const hasToSpeak = this.#right.generation !== NO_GENERATION || this.#joining !== null
      if (!signal.aborted) events.due()
      if (signal.aborted || this.#right.memberId === '' || !hasToSpeak) continue
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
    const sentAt = this.#lease.now()
    const right = this.#right
    this.#isSyncing = true
    try {
      const taken = await this.#takePart((target, options) => this.#options.client.api.syncGroup(target, { ...right, assignments }, options))
      if (taken.kind === 'taken') this.#heard(sentAt, true)
      return taken
    } finally {
      this.#isSyncing = false
    }
  }

  /** The group has given this member up; it comes back as a new one. */
  forget(): void {
    this.#right = { ...this.#right, generation: NO_GENERATION, memberId: '' }
    this.#tell()
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
          client.closeChannel(`${channel}-join-${this.#joins}`)
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
    const sentAt = this.#lease.now()
    const timeoutMs = Math.min(settings.requestTimeoutMs, Math.ceil(settings.sessionTimeoutMs / 3))
    const { errorCode } = await this.#coordinator.ask(signal, (target) => api.heartbeat(target, right, { signal, timeoutMs, channel }))
    if (errorCode === BROKER.NONE || errorCode === BROKER.REBALANCE_IN_PROGRESS) this.#heard(sentAt, errorCode === BROKER.NONE)
    if (errorCode === BROKER.NONE || right !== this.#right) return
    // The round that is waited for is over already, and its answer won't come.
    if (errorCode === BROKER.REBALANCE_IN_PROGRESS && this.#isSyncing) this.#joining?.abort(roundOver(right.groupId))
    // What was said of a right that is just being renewed says nothing.
    if (this.#joining !== null) return
    if (errorCode === BROKER.REBALANCE_IN_PROGRESS) return events.rebalance()
    if (LOST.has(errorCode)) return events.lost()
    throw brokerError(errorCode, `staying in group "${right.groupId}"`)
  }

  /** The group has answered to something that was sent then. */
  #heard(sentAt: Moment, isSettled: boolean): void {
    this.#lease.renew(sentAt, isSettled)
    this.#tell()
  }

  #tell(): void {
    this.#certain.resolve()
    this.#certain = Promise.withResolvers()
  }
}

/** Answers to a join or sync that its member knows what to do with. */
const KNOWN = new Set<number>([BROKER.NONE, BROKER.MEMBER_ID_REQUIRED, BROKER.REBALANCE_IN_PROGRESS, ...LOST])

const isPassing = (error: unknown): boolean => (error as { readonly retryable?: unknown }).retryable === true

function coordinatorAway(groupId: string): Error {
  return kafkaError('ERR_MESSAGING_CONNECTION', `the coordinator of group "${groupId}" doesn't answer: the one that is found next is asked`, { retryable: true, status: 503 })
}

function roundOver(groupId: string): Error {
  return kafkaError('ERR_MESSAGING_BROKER_REFUSED', `group "${groupId}" has begun another round of its rebalance: this one is asked for again`, { retryable: true, status: 503 })
}
