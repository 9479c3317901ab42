import type { Clock } from '@smart-whale/interfaces'
import { messagingError } from '../errors.ts'
import type { CommitOptions, CommittedOffset, TransportCallOptions } from '../transport.ts'
import type { GroupProgress } from './broker-store.ts'
import type { GroupMember } from './group-member.ts'
import { LogPartitionReader, type ReaderGrant } from './partition-reader.ts'
import type { Topic } from './topic.ts'

/** A group, for whoever stores its progress with something else. */
export interface ProgressGroup {
  readonly groupId: string
  /** Gives the partition to nobody until the answer is called: its progress is about to change. */
  holdStill(key: string): () => void
  storeProgress(entries: readonly (readonly [key: string, progress: GroupProgress])[]): Promise<void>
}

/** Where progress in one partition is stored, and by whose right. */
export interface GroupPlace {
  readonly group: ProgressGroup
  /** Names the partition within the group. */
  readonly key: string
  /** @throws OperationError `ERR_MESSAGING_FENCED` when another member has the partition */
  checkHeld(): void
}

/** What an ownership is made from. */
export interface OwnershipOptions {
  /** Names the partition within the group. @default none, required */
  readonly key: string
  /** Whose partition it is. @default none, required */
  readonly group: ProgressGroup
  /** Who holds it. @default none, required */
  readonly member: GroupMember
  /** The topic that the partition is of. @default none, required */
  readonly topic: Topic
  /** Number of the partition in its topic. @default none, required */
  readonly partition: number
  /** Offset that reading begins at. @default none, required */
  readonly startOffset: number
  /** The group's generation when the partition was given. @default none, required */
  readonly generation: number
  /** Measures how long a read waits. @default none, required */
  readonly clock: Clock
  /** The group's committed offset of this partition; null when there is none. @default none, required */
  readonly committed: () => GroupProgress | null
  /** Stores that offset with the group; not asked any more once the ownership is fenced. @default none, required */
  readonly commit: (progress: GroupProgress, options: TransportCallOptions | undefined) => Promise<void>
  /** Told when the handler rejects although nothing was revoked. @default none, required */
  readonly onFailure: (error: unknown) => void
}

/** One member's hold on one partition, from when it is given until it is given up or taken. */
export class Ownership implements ReaderGrant, GroupPlace {
  readonly key: string
  readonly member: GroupMember
  readonly topic: Topic
  readonly partition: number
  /** Resolves when the partition may go to another member. */
  readonly released: Promise<void>
  readonly #options: OwnershipOptions
  readonly #revocation = new AbortController()
  readonly #release: () => void
  #handling: Promise<void> = Promise.resolve()
  #isFenced = false

  constructor(options: OwnershipOptions) {
    this.key = options.key
    this.member = options.member
    this.topic = options.topic
    this.partition = options.partition
    this.#options = options
    const released = Promise.withResolvers<void>()
    this.released = released.promise
    this.#release = released.resolve
  }

  get signal(): AbortSignal {
    return this.#revocation.signal
  }

  get group(): ProgressGroup {
    return this.#options.group
  }

  /** Where its progress is stored: as itself, for it is the right to do so. */
  get place(): GroupPlace {
    return this
  }

  checkHeld(): void {
    if (this.#isFenced) throw this.#refusal('ERR_MESSAGING_FENCED', 'was taken from this member')
  }

  /** Lets the member's handler run. */
  begin(): void {
    this.#handling = this.#handle()
  }

  /** Asks the handler to return and waits for it; false when it didn't in time. */
  async revoke(timeoutMs: number, clock: Clock): Promise<boolean> {
    this.#revocation.abort(this.#refusal('ERR_MESSAGING_REVOKED', 'was revoked'))
    const isClean = await settledWithin(this.#handling, timeoutMs, clock, this.released)
    this.fence(this.signal.reason)
    return isClean
  }

  /** From now on the member can't commit. */
  fence(reason: unknown): void {
    this.#isFenced = true
    this.#revocation.abort(reason)
    this.#release()
  }

  committed(): CommittedOffset | null {
    const progress = this.#options.committed()
    return progress === null ? null : { offset: BigInt(progress.nextOffset), metadata: progress.metadata }
  }

  async commit(nextOffset: bigint, options: CommitOptions | undefined): Promise<void> {
    this.checkHeld()
    await this.#options.commit({ nextOffset: Number(nextOffset), metadata: options?.metadata ?? '' }, options)
  }

  /** A group's readers are closed by their membership. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  async #handle(): Promise<void> {
    const { topic, partition, startOffset, clock } = this.#options
    // The member's `join` returns before its handlers begin.
    await Promise.resolve()
    try {
      await this.member.onPartition(new LogPartitionReader({ topic, partition, startOffset, clock, grant: this }))
    } catch (error) {
      if (!this.signal.aborted) this.#options.onFailure(error)
    }
  }

  #refusal(code: 'ERR_MESSAGING_REVOKED' | 'ERR_MESSAGING_FENCED', what: string): Error {
    const { member, topic, partition, generation } = this.#options
    return messagingError(code, `partition ${partition} of topic "${topic.name}" ${what}: another member of the group goes on from the last committed offset`, {
      context: { topic: topic.name, partition, memberId: member.id, generation },
    })
  }
}

/** Whether the work settles before time is up; `cutShort` ends the wait as well. */
async function settledWithin(work: Promise<void>, timeoutMs: number, clock: Clock, cutShort: Promise<void>): Promise<boolean> {
  const timeout = Promise.withResolvers<boolean>()
  const timer = clock.setTimeout(() => timeout.resolve(false), timeoutMs)
  try {
    return await Promise.race([work.then(() => true), timeout.promise, cutShort.then(() => true)])
  } finally {
    clock.clearTimeout(timer)
  }
}
