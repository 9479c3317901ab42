import type { Clock } from '@smart-whale/interfaces'
import { messagingError } from '../../errors.ts'
import type { CommitOptions, CommittedOffset, PartitionReader, TransportCallOptions } from '../../transport.ts'
import type { PartitionGrant } from './kafka-partition-reader.ts'

/** What a held partition is made from. */
export interface HeldPartitionOptions {
  readonly topic: { readonly name: string; readonly id: string }
  readonly partition: number
  readonly clock: Clock
  /** Throws when this process was asleep for so long that the partition may be somebody else's. */
  readonly checkCurrent: () => void
  readonly committed: (options: TransportCallOptions | undefined) => Promise<CommittedOffset | null>
  readonly commit: (nextOffset: bigint, options: CommitOptions | undefined) => Promise<void>
  readonly makeReader: (grant: PartitionGrant) => Promise<PartitionReader>
  readonly onPartition: (reader: PartitionReader) => Promise<void>
  /** Told when the handler rejects although nothing was revoked. */
  readonly onFailure: (error: unknown) => void
}

/** One member's hold on one partition, from when it is given until it is given up or taken. */
export class HeldPartition implements PartitionGrant {
  readonly topic: { readonly name: string; readonly id: string }
  readonly partition: number
  readonly #options: HeldPartitionOptions
  readonly #revocation = new AbortController()
  readonly #handling: Promise<void>
  #isFenced = false

  constructor(options: HeldPartitionOptions) {
    this.topic = options.topic
    this.partition = options.partition
    this.#options = options
    this.#handling = this.#handle()
  }

  get signal(): AbortSignal {
    return this.#revocation.signal
  }

  checkCurrent(): void {
    this.#options.checkCurrent()
  }

  committed(options: TransportCallOptions | undefined): Promise<CommittedOffset | null> {
    return this.#options.committed(options)
  }

  async commit(nextOffset: bigint, options: CommitOptions | undefined): Promise<void> {
    if (this.#isFenced) throw this.refusal('ERR_MESSAGING_FENCED', 'was taken from this member')
    await this.#options.commit(nextOffset, options)
  }

  /** A group's readers are closed by their membership. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Asks the handler to return, and waits for it; false when it didn't in time, and was fenced. */
  async revoke(timeoutMs: number): Promise<boolean> {
    this.#revocation.abort(this.refusal('ERR_MESSAGING_REVOKED', 'was revoked'))
    const { clock } = this.#options
    const late = Promise.withResolvers<boolean>()
    const timer = clock.setTimeout(() => late.resolve(false), timeoutMs)
    try {
      return await Promise.race([this.#handling.then(() => true), late.promise])
    } finally {
      clock.clearTimeout(timer)
      this.#isFenced = true
    }
  }

  /** The partition is somebody else's already. */
  fence(reason: unknown): void {
    this.#isFenced = true
    this.#revocation.abort(reason)
  }

  refusal(code: 'ERR_MESSAGING_REVOKED' | 'ERR_MESSAGING_FENCED', what: string): Error {
    return messagingError(code, `partition ${this.partition} of topic "${this.topic.name}" ${what}: another member of the group goes on from the last committed offset`, {
      context: { topic: this.topic.name, partition: this.partition },
    })
  }

  async #handle(): Promise<void> {
    // The member's `join` returns before its handlers begin.
    await Promise.resolve()
    try {
      const reader = await this.#options.makeReader(this)
      if (!this.signal.aborted) await this.#options.onPartition(reader)
    } catch (error) {
      if (!this.signal.aborted) this.#options.onFailure(error)
    }
  }
}
