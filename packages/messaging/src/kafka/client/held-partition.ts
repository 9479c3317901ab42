import { outsideOfCalls } from '@smart-whale/core-resilience'
import { InfrastructureError } from '@smart-whale/interfaces'
import { messagingError } from '../../errors.ts'
import type { CommitOptions, CommittedOffset, PartitionReader, TransportCallOptions } from '../../transport.ts'
import type { GroupRight } from '../kafka-api.ts'
import type { PartitionGrant, ProgressRight } from './kafka-partition-reader.ts'

/** A topic under its name: one that was made again under it has another id. */
export interface TopicIdentity {
  readonly name: string
  readonly id: string
}

/** What a held partition is made from. */
export interface HeldPartitionOptions {
  /** The topic, and which one of its name. @default none, required */
  readonly topic: TopicIdentity
  /** Number of the partition. @default none, required */
  readonly partition: number
  /** Whether the group surely counts on this member. */
  readonly isCurrent: () => boolean
  /** Resolves when the group has said whether it counts on this member. @default none, required */
  readonly untilCertain: () => Promise<void>
  /** False when the topic was deleted, whether or not another one has its name by now. */
  readonly isTopicThere: () => boolean
  /** The group's stored progress. @default none, required */
  readonly committed: (options: TransportCallOptions | undefined) => Promise<CommittedOffset | null>
  /** Stores progress; asks before each attempt whether the partition is still held. */
  readonly commit: (nextOffset: bigint, checkHeld: () => void, options: CommitOptions | undefined) => Promise<void>
  /** By which the member stores progress as part of a transaction. @default none, required */
  readonly right: { readonly groupId: string; readonly current: () => GroupRight | null }
  /** Makes the reader for the handler. @default none, required */
  readonly makeReader: (grant: PartitionGrant) => Promise<PartitionReader>
  /** The handler. @default none, required */
  readonly onPartition: (reader: PartitionReader) => Promise<void>
  /** A handler of this partition, of when it was held before, that hasn't returned yet. */
  readonly predecessor: Promise<void>
  /** Told when the handler rejects although nothing was revoked. */
  readonly onFailure: (error: unknown) => void
  /** Told when the topic was deleted. */
  readonly onTopicGone: () => void
}

/** One member's hold on one partition, from when it is given until it is given up or taken. */
export class HeldPartition implements PartitionGrant {
  readonly topic: TopicIdentity
  readonly partition: number
  /** Resolves when the handler has returned, or will never run. */
  readonly returned: Promise<void>
  readonly #options: HeldPartitionOptions
  readonly #revocation = new AbortController()
  #isFenced = false

  constructor(options: HeldPartitionOptions) {
    this.topic = options.topic
    this.partition = options.partition
    this.#options = options
    this.returned = outsideOfCalls(() => this.#handle())
  }

  get signal(): AbortSignal {
    return this.#revocation.signal
  }

  isCurrent(): boolean {
    return this.#options.isCurrent()
  }

  untilCertain(): Promise<void> {
    return this.#options.untilCertain()
  }

  onTopicGone(): void {
    this.#options.onTopicGone()
  }

  committed(options: TransportCallOptions | undefined): Promise<CommittedOffset | null> {
    return this.#options.committed(options)
  }

  async commit(nextOffset: bigint, options: CommitOptions | undefined): Promise<void> {
    this.#checkHeld()
    await this.#options.commit(nextOffset, () => this.#checkHeld(), options)
  }

  readonly progressRight = (): ProgressRight => ({
    groupId: this.#options.right.groupId,
    current: () => {
      this.#checkHeld()
      return this.#options.right.current()
    },
  })

  /** A group's readers are closed by their membership. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Asks the handler to return; it may still commit. */
  revoke(): void {
    this.#revocation.abort(this.#refusal('ERR_MESSAGING_REVOKED', 'was revoked'))
  }

  /** The partition is somebody else's, or may be from now on. */
  fence(reason: unknown = this.#refusal('ERR_MESSAGING_FENCED', 'was taken from this member')): void {
    this.#isFenced = true
    this.#revocation.abort(reason)
  }

  #checkHeld(): void {
    // Progress goes by the topic's name: what is committed for one that was deleted would become that of the next one.
    if (!this.#options.isTopicThere()) this.fence()
    if (this.#isFenced) throw this.#refusal('ERR_MESSAGING_FENCED', 'was taken from this member')
  }

  #refusal(code: 'ERR_MESSAGING_REVOKED' | 'ERR_MESSAGING_FENCED', what: string): Error {
    const message = `partition ${this.partition} of topic "${this.topic.name}" ${what}: another member of the group goes on from the last committed offset`
    return messagingError(code, message, { context: { topic: this.topic.name, partition: this.partition } })
  }

  async #handle(): Promise<void> {
    const { predecessor, onPartition, onFailure } = this.#options
    await predecessor
    try {
      const reader = await this.#makeReader()
      if (reader !== null && !this.signal.aborted) await onPartition(reader)
    } catch (error) {
      if (!this.signal.aborted) onFailure(error)
    }
  }

  /** Finds out where reading begins, for as long as it takes: a leader or coordinator that is away is no failure of the handler. */
  async #makeReader(): Promise<PartitionReader | null> {
    while (!this.signal.aborted) {
      try {
        return await this.#options.makeReader(this)
      } catch (error) {
        if (this.signal.aborted) break
        if (InfrastructureError.isInstance(error) && error.code === 'ERR_MESSAGING_TOPIC_NOT_FOUND') return this.#giveUpTopic()
        if (!(InfrastructureError.isInstance(error) && error.retryable)) throw error
      }
    }
    return null
  }

  #giveUpTopic(): null {
    this.onTopicGone()
    return null
  }
}
