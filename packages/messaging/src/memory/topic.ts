import { messagingError, messagingValidationError } from '../errors.ts'
import type { TopicDescription } from '../transport.ts'
import { PartitionChooser } from './choose-partition.ts'
import type { PartitionLog } from './log/partition-log.ts'
import type { MemoryBrokerSettings } from './options.ts'
import { Room } from './room.ts'
import { maxRecordBytesOf } from './topic-settings.ts'

/** A topic with its partitions, and the bound on its bytes. */
export class Topic {
  readonly description: TopicDescription
  readonly logs: readonly PartitionLog[]
  readonly chooser: PartitionChooser
  readonly maxRecordBytes: number
  readonly #maxBytes: number
  readonly #maxPendingBytes: number
  readonly #room = new Room()
  #claimedBytes = 0
  #deleted = false

  constructor(description: TopicDescription, logs: readonly PartitionLog[], settings: MemoryBrokerSettings) {
    this.description = description
    this.logs = logs
    this.chooser = new PartitionChooser(logs.length)
    this.maxRecordBytes = maxRecordBytesOf(description.name, description.configs, settings)
    this.#maxBytes = settings.maxTopicBytes
    this.#maxPendingBytes = settings.maxPendingBytes * logs.length
    for (const log of logs) log.onAppend(() => this.#room.changed())
  }

  get name(): string {
    return this.description.name
  }

  get id(): string {
    return this.description.id
  }

  /** Another one may have the name by now. */
  get isDeleted(): boolean {
    return this.#deleted
  }

  get hasAgeLimit(): boolean {
    return this.logs.some((log) => log.hasAgeLimit)
  }

  /** Waits until the topic has room, and takes it until {@link release}. */
  async claim(bytes: number, signal: AbortSignal): Promise<void> {
    if (bytes > this.#maxBytes) throw this.#neverFits(bytes)
    await this.#room.enter(() => this.#tryClaim(bytes), signal)
  }

  /** Whether senders wait for room. */
  get isFull(): boolean {
    return this.#room.waiting > 0
  }

  /** Gives room back: what took it is in the log's own count now, or wasn't sent. */
  release(bytes: number): void {
    this.#claimedBytes -= bytes
    this.#room.changed()
  }

  async enforceRetention(): Promise<void> {
    await Promise.all(this.logs.map((log) => log.enforceRetention()))
    this.#room.changed()
  }

  /** Writes what waits, then lets go of the files. */
  async close(): Promise<void> {
    await Promise.all(this.logs.map((log) => log.close()))
  }

  /** Deletes the topic's records; whoever waits for room is refused. */
  async remove(): Promise<void> {
    this.#deleted = true
    this.#room.changed()
    await Promise.all(this.logs.map((log) => log.remove()))
  }

  #tryClaim(bytes: number): boolean {
    if (this.#deleted) return true // the log itself refuses
    const stored = this.logs.reduce((sum, log) => sum + log.storedBytes, 0)
    const pending = this.logs.reduce((sum, log) => sum + log.pendingBytes, this.#claimedBytes)
    const fits = stored + pending + bytes <= this.#maxBytes && (pending === 0 || pending + bytes <= this.#maxPendingBytes)
    if (fits) this.#claimedBytes += bytes
    return fits
  }

  /** What a sender is told that waited for room in vain. */
  fullError(bytes: number, cause: unknown): Error {
    return messagingError(
      'ERR_MESSAGING_TOPIC_FULL',
      `topic "${this.name}" had no room for ${bytes} bytes in time: it may have ${this.#maxBytes}. Try again later, give it retention, or raise maxTopicBytes`,
      { retryable: true, status: 503, cause, context: { topic: this.name, maxTopicBytes: this.#maxBytes } },
    )
  }

  #neverFits(bytes: number): Error {
    const message = `the records have ${bytes} bytes as stored; the whole topic may have ${this.#maxBytes}: send fewer at a time`
    return messagingValidationError('ERR_MESSAGING_RECORD_TOO_LARGE', message, [{ path: ['records'], message }], { topic: this.name })
  }
}
