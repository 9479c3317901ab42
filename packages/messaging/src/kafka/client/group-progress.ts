import { runCall } from '../../run-call.ts'
import type { CommitOptions, CommittedOffset, TransportCallOptions } from '../../transport.ts'
import { BROKER, brokerError } from '../broker-errors.ts'
import type { GroupRight, KafkaRequestOptions } from '../kafka-api.ts'
import { orAborted } from '../or-aborted.ts'
import type { GroupCoordinator } from './group-coordinator.ts'
import type { KafkaClient } from './kafka-client.ts'

/** What a {@link GroupProgress} is made from. */
export interface GroupProgressOptions {
  /** What requests go through. @default none, required */
  readonly client: KafkaClient
  /** The group. @default none, required */
  readonly groupId: string
  /** Who keeps the group. @default none, required */
  readonly coordinator: GroupCoordinator
  /** Names the member's connections. */
  readonly channel: string
  /** Aborts when the membership is over; every call ends then. */
  readonly signal: AbortSignal
  /** The member's right of now. */
  readonly right: () => GroupRight
  /** Told when the group doesn't know the member any more. */
  readonly lost: () => void
}

/** Where a group's progress stands. */
export interface GroupPosition {
  readonly topic: string
  readonly partition: number
}

/** What a group's progress is known to be. */
export interface GroupStanding {
  readonly committed: CommittedOffset | null
  /** Whether a transaction that hasn't ended may move it. */
  readonly isPending: boolean
}

interface StoredQuestion {
  readonly requireStable: boolean
  /** Whether it is an answer that a transaction hasn't ended; else it is asked for again. */
  readonly mayBePending?: boolean
}

/** One commit among those of its partition. */
interface CommitOrder {
  readonly checkHeld: () => void
  /** The one before it, whatever comes of that. */
  readonly before: Promise<void> | undefined
  readonly options: CommitOptions
}

/** A group's stored progress, written by a member's right. */
export class GroupProgress {
  readonly #options: GroupProgressOptions
  /** The newest commit of each partition that is under way. */
  readonly #committing = new Map<string, Promise<void>>()

  constructor(options: GroupProgressOptions) {
    this.#options = options
  }

  /**
   * Stores progress, of one partition in the order given: of two at once the older one could come last. Repeated between two generations of a
   * member that stays, until the caller's time is up; `checkHeld` is asked before each attempt and throws when the member has lost the partition
   * meanwhile, so that nobody commits with a right that came later.
   */
  async commit(position: GroupPosition, offset: bigint, checkHeld: () => void, options: CommitOptions | undefined): Promise<void> {
    const key = `${position.topic}/${position.partition}`
    const before = this.#committing.get(key)
    const committing = this.#commit(position, offset, { checkHeld, before, options: this.#whileMember(options) }).catch((error: unknown) => {
      // Who is no member any more is told so, and not that the call was ended.
      if (this.#options.signal.aborted) checkHeld()
      throw error
    })
    const ended = committing.then(NOTHING, NOTHING)
    this.#committing.set(key, ended)
    await committing.finally(() => {
      if (this.#committing.get(key) === ended) this.#committing.delete(key)
    })
  }

  /** What the group has committed last, once every transaction that stores progress here has ended; null when it is nothing. */
  async committed(position: GroupPosition, options: TransportCallOptions | undefined): Promise<CommittedOffset | null> {
    return (await this.#stored(position, options, { requireStable: true })).committed
  }

  /**
   * What the group has committed last, at once. It is pending while a transaction may yet move it, and whoever asks may be the one who can end that:
   * the next owner of its id. To wait here would be to wait until the broker gives the transaction up.
   */
  async standing(position: GroupPosition, options: TransportCallOptions): Promise<GroupStanding> {
    const stable = await this.#stored(position, options, { requireStable: true, mayBePending: true })
    return stable.isPending ? { ...(await this.#stored(position, options, { requireStable: false })), isPending: true } : stable
  }

  async #stored({ topic, partition }: GroupPosition, options: TransportCallOptions | undefined, { requireStable, mayBePending = false }: StoredQuestion): Promise<GroupStanding> {
    const { client, groupId, coordinator } = this.#options
    const what = `asking for the progress of group "${groupId}"`
    return runCall(what, this.#whileMember(options), client.clock, async (signal) => {
      const found = await coordinator.call(signal, async (target) => {
        const question = { groupId, topic, partitions: [partition], requireStable }
        const { errorCode: ofGroup, offsets } = await client.api.offsetFetch(target, question, this.#request(signal))
        const errorCode = ofGroup === BROKER.NONE ? (offsets[0]?.errorCode ?? BROKER.NONE) : ofGroup
        const isPending = mayBePending && errorCode === BROKER.UNSTABLE_OFFSET_COMMIT
        return { offset: -1n, metadata: null, ...offsets[0], errorCode: isPending ? BROKER.NONE : errorCode, isPending }
      })
      if (found.errorCode !== BROKER.NONE) throw brokerError(found.errorCode, what)
      return { committed: found.offset < 0n ? null : { offset: found.offset, metadata: found.metadata ?? '' }, isPending: found.isPending }
    })
  }

  async #commit({ topic, partition }: GroupPosition, offset: bigint, { checkHeld, before, options }: CommitOrder): Promise<void> {
    const { client, groupId, coordinator, lost } = this.#options
    const what = `committing offset ${offset} of group "${groupId}"`
    const place = { topic, partition, offset, leaderEpoch: -1, metadata: options.metadata ?? '' }
    const attempt = async (signal: AbortSignal): Promise<void> => {
      let right = this.#options.right()
      const { errorCode } = await coordinator.ask(signal, (target) => {
        checkHeld()
        right = this.#options.right()
        return client.api.offsetCommit(target, { ...right, ...place }, this.#request(signal))
      })
      if (errorCode === BROKER.NONE) return
      if (errorCode === BROKER.UNKNOWN_MEMBER_ID && right.memberId === this.#options.right().memberId) lost()
      checkHeld()
      // The right of the generation before; the next attempt has the new one, or is refused.
      throw brokerError(LOST.has(errorCode) ? BROKER.REBALANCE_IN_PROGRESS : errorCode, what)
    }
    await runCall(what, options, client.clock, async (signal) => {
      if (before !== undefined) await orAborted(before, signal, what)
      await client.retry.execute(() => attempt(signal), { signal })
    })
  }

  #whileMember(options: CommitOptions | undefined): CommitOptions {
    const { signal } = this.#options
    return { ...options, signal: options?.signal === undefined ? signal : AbortSignal.any([options.signal, signal]) }
  }

  #request(signal: AbortSignal): KafkaRequestOptions {
    const { client, channel } = this.#options
    return { signal, timeoutMs: client.settings.requestTimeoutMs, channel: `${channel}-progress` }
  }
}

/** Codes by which the group says that it has gone on without this member. */
export const LOST = new Set<number>([BROKER.UNKNOWN_MEMBER_ID, BROKER.ILLEGAL_GENERATION, BROKER.FENCED_INSTANCE_ID])

const NOTHING = (): void => {}
