import type { Clock } from '@smart-whale/interfaces'
import type { TopicPartitions } from './group-protocol.ts'
import type { HeldPartition, TopicIdentity } from './held-partition.ts'

/** Makes a hold on a partition. */
export type TakePartition = (topic: TopicIdentity, partition: number, predecessor: Promise<void>) => HeldPartition

/** The partitions that a member has, and the handlers that go on after theirs was taken. */
export class HeldPartitions {
  readonly #clock: Clock
  readonly #take: TakePartition
  readonly #held = new Map<string, HeldPartition>()
  /** Handlers that haven't returned although their partition is not held any more. */
  readonly #late = new Map<string, Promise<void>>()

  constructor(clock: Clock, take: TakePartition) {
    this.#clock = clock
    this.#take = take
  }

  /** What to tell the group: partitions by topic. */
  owned(): TopicPartitions {
    const owned = new Map<string, number[]>()
    for (const { topic, partition } of this.#held.values()) owned.set(topic.name, [...(owned.get(topic.name) ?? []), partition])
    return owned
  }

  all(): readonly HeldPartition[] {
    return [...this.#held.values()]
  }

  /** Begins to handle a partition, unless it is held already; after the handler that had it before, so that there are never two. */
  hold(topic: TopicIdentity, partition: number): void {
    const key = keyOf(topic, partition)
    if (!this.#held.has(key)) this.#held.set(key, this.#take(topic, partition, this.#late.get(key) ?? Promise.resolve()))
  }

  /**
   * Asks handlers to return, and waits for them; those that don't in time are fenced. Afterwards none of the partitions is held.
   *
   * @returns those that were fenced
   */
  async giveUp(leaving: readonly HeldPartition[], timeoutMs: number, signal?: AbortSignal): Promise<readonly HeldPartition[]> {
    const late = new Set(leaving)
    for (const held of leaving) {
      held.revoke()
      void held.returned.then(() => late.delete(held))
    }
    await this.#allOrLate(leaving, timeoutMs, signal)
    for (const held of leaving) this.#drop(held)
    return [...late]
  }

  /** All of it is somebody else's already. */
  loseAll(reason?: unknown): void {
    for (const held of this.all()) this.#drop(held, reason)
  }

  async #allOrLate(leaving: readonly HeldPartition[], timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const late = Promise.withResolvers<void>()
    const timer = this.#clock.setTimeout(late.resolve, timeoutMs)
    const giveUp = (): void => late.resolve()
    if (signal?.aborted === true) giveUp()
    signal?.addEventListener('abort', giveUp)
    await Promise.race([Promise.all(leaving.map(({ returned }) => returned)), late.promise])
    this.#clock.clearTimeout(timer)
    signal?.removeEventListener('abort', giveUp)
  }

  #drop(held: HeldPartition, reason?: unknown): void {
    held.fence(reason)
    const key = keyOf(held.topic, held.partition)
    if (this.#held.get(key) !== held) return
    this.#held.delete(key)
    const late = Promise.all([this.#late.get(key), held.returned]).then(() => {
      if (this.#late.get(key) === late) this.#late.delete(key)
    })
    this.#late.set(key, late)
  }
}

const keyOf = ({ id }: TopicIdentity, partition: number): string => `${id}/${partition}`
