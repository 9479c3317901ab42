import { outsideOfCalls } from '@smart-whale/core-resilience'
import { randomUUID } from 'node:crypto'
import type { Clock } from '@smart-whale/interfaces'
import { runCall } from '../run-call.ts'
import type { GroupMembership, JoinOptions, PartitionReader, StartFrom, TransportCallOptions } from '../transport.ts'
import type { ConsumerGroup } from './consumer-group.ts'

/** What a member is made from. */
export interface GroupMemberOptions {
  /** The group that it is a member of. @default none, required */
  readonly group: ConsumerGroup
  /** What whoever joined asked for: topics, handler, signal. @default none, required */
  readonly join: JoinOptions
  /** How long handlers have when the member leaves, in milliseconds; what they hold then is taken. @default none, required */
  readonly handoverTimeoutMs: number
  /** Measures the deadline of leaving. @default none, required */
  readonly clock: Clock
  /** Told once, when the membership is over. @default none, required */
  readonly onEnd: (member: GroupMember) => void
}

/** One member of a group, from `join` until it leaves, fails or is expelled. */
export class GroupMember implements GroupMembership {
  readonly id = randomUUID()
  readonly groupId: string
  readonly topics: ReadonlySet<string>
  readonly startFrom: StartFrom
  readonly #options: GroupMemberOptions
  readonly #failure = new AbortController()
  #leaving: Promise<void> | undefined
  #isOver = false

  constructor(options: GroupMemberOptions) {
    this.#options = options
    this.groupId = options.group.groupId
    this.topics = new Set(options.join.topics)
    this.startFrom = options.join.startFrom ?? 'earliest'
  }

  get memberId(): string {
    return this.id
  }

  get failed(): AbortSignal {
    return this.#failure.signal
  }

  onPartition(reader: PartitionReader): Promise<void> {
    return outsideOfCalls(() => this.#options.join.onPartition(reader))
  }

  begin(): void {
    this.#options.group.join(this)
    const { signal } = this.#options.join
    if (signal?.aborted) void this.leave()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  leave(options?: TransportCallOptions): Promise<void> {
    if (this.#isOver) return this.#leaving ?? Promise.resolve()
    this.#leaving ??= this.#leave(options)
    return this.#leaving
  }

  /** Ends the membership because of a handler that failed; the other handlers finish what they are at. */
  giveUp(error: unknown): void {
    if (this.#isOver || this.#leaving !== undefined) return
    this.#failure.abort(error)
    void this.leave()
  }

  /** Ends the membership at once: whatever its handlers still do is refused. */
  fail(error: unknown): void {
    if (this.#isOver) return
    this.#end()
    this.#options.group.expel(this, error)
    this.#failure.abort(error)
  }

  async #leave(options: TransportCallOptions | undefined): Promise<void> {
    const { group, clock, handoverTimeoutMs } = this.#options
    const timeoutMs = options?.timeoutMs ?? handoverTimeoutMs + MARGIN_MS
    try {
      await runCall(`leaving group "${this.groupId}"`, { signal: options?.signal, timeoutMs }, clock, () => group.leave(this))
    } catch (error) {
      // Out of time or patience: what is still held is taken, so that the group goes on.
      group.expel(this, error)
    } finally {
      this.#end()
    }
  }

  #end(): void {
    this.#isOver = true
    this.#options.join.signal?.removeEventListener('abort', this.#onAbort)
    this.#options.onEnd(this)
  }

  readonly #onAbort = (): void => {
    void this.leave()
  }
}

/** The group's own deadline for handlers comes first; this one is for when it doesn't. */
const MARGIN_MS = 1_000
