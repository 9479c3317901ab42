import type { Clock } from '@smart-whale/interfaces'
import { messagingError, messagingValidationError } from '../../errors.ts'
import { orAborted } from '../../kafka/or-aborted.ts'
import { producerFenced } from '../../transactions/transaction-errors.ts'
import type { StagedOffset, TransactionKeeper } from '../../transactions/transaction-keeper.ts'
import type { OutgoingRecord, PartitionReader } from '../../transport.ts'
import { checkRecord } from '../check-record.ts'
import { recordBytes } from '../log/record-layout.ts'
import { LogPartitionReader } from '../partition-reader.ts'
import { encodeRecords } from '../send-records.ts'
import type { Topic } from '../topic.ts'
import type { StagedAppend, StagedProgress, TransactionCommitter } from './transaction-committer.ts'

/** What the transactions of one id work with. */
export interface MemoryKeeperOptions {
  /** The id. @default none, required */
  readonly transactionalId: string
  /** The topic of a name. @throws OperationError `ERR_MESSAGING_TOPIC_NOT_FOUND` @default none, required */
  readonly topic: (name: string) => Topic
  /** Makes transactions count. @default none, required */
  readonly committer: TransactionCommitter
  /** Bytes that one transaction may hold. @default none, required */
  readonly maxTransactionBytes: number
  /** The time of records that have none. @default none, required */
  readonly clock: Clock
  /** Told when its producer is closed. */
  readonly onClose: (keeper: MemoryKeeper) => void
}

/** The transactions of one id on an embedded broker: records wait here until the commit, and go with the process. */
export class MemoryKeeper implements TransactionKeeper {
  readonly transactionalId: string
  readonly #options: MemoryKeeperOptions
  #staged = new Map<string, StagedAppend>()
  #bytes = 0
  #committing: Promise<void> | null = null
  #isUndecided = false
  #isFenced = false

  constructor(options: MemoryKeeperOptions) {
    this.#options = options
    this.transactionalId = options.transactionalId
  }

  get isUndecided(): boolean {
    return this.#isUndecided
  }

  async begin(): Promise<void> {
    this.#checkCurrent()
    this.#clear()
  }

  async send(name: string, records: readonly OutgoingRecord[]): Promise<void> {
    this.#checkCurrent()
    const { topic: find, clock, maxTransactionBytes } = this.#options
    const topic = find(name)
    records.forEach((record, index) => checkRecord(record, index, { topic: name, partitions: topic.logs.length, maxRecordBytes: topic.maxRecordBytes }))
    const sizes = records.map(recordBytes)
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    if (this.#bytes + bytes > maxTransactionBytes) throw tooLarge(this.#bytes + bytes, maxTransactionBytes)
    this.#bytes += bytes
    topic.chooser.beginSend()
    const byPartition = Map.groupBy(records.keys(), (index) => topic.chooser.choose(records[index] as OutgoingRecord, sizes[index] as number))
    for (const [partition, indexes] of byPartition) {
      const size = indexes.reduce((sum, index) => sum + (sizes[index] as number), 0)
      const staged = this.#stagedFor(topic, partition)
      staged.parts.push(encodeRecords(indexes.map((index) => records[index] as OutgoingRecord), size, clock.now()))
      staged.bytes += size
    }
  }

  checkOffset(reader: PartitionReader, nextOffset: bigint): void {
    if (!(reader instanceof LogPartitionReader)) throw foreignReader()
    reader.checkOffset(nextOffset)
    placeOf(reader).checkHeld()
  }

  async commit(offsets: readonly StagedOffset[], signal: AbortSignal): Promise<void> {
    this.#committing ??= this.#commit(offsets, signal)
    await orAborted(this.#committing, signal, 'committing a transaction')
  }

  async abort(): Promise<void> {
    this.#clear()
  }

  close(): void {
    this.#clear()
    this.#isFenced = true
    this.#options.onClose(this)
  }

  /** Another producer has the id. Resolves when nothing of this one is on its way any more. */
  async fence(): Promise<void> {
    this.#isFenced = true
    await this.#committing?.catch(() => {})
  }

  async #commit(offsets: readonly StagedOffset[], signal: AbortSignal): Promise<void> {
    const progress = offsets.map(({ reader, nextOffset, metadata }): StagedProgress => ({ place: placeOf(reader as LogPartitionReader), nextOffset: Number(nextOffset), metadata }))
    const committing = this.#options.committer.commit(
      {
        appends: [...this.#staged.values()],
        progress,
        checkCurrent: () => this.#checkCurrent(),
        onDeciding: (isUndecided) => {
          this.#isUndecided = isUndecided
        },
      },
      signal,
    )
    await committing
  }

  #stagedFor(topic: Topic, partition: number): StagedAppend {
    const key = `${topic.id}/${partition}`
    const staged = this.#staged.get(key) ?? { topic, partition, parts: [], bytes: 0 }
    this.#staged.set(key, staged)
    return staged
  }

  #clear(): void {
    this.#staged = new Map()
    this.#bytes = 0
    this.#committing = null
    this.#isUndecided = false
  }

  #checkCurrent(): void {
    if (this.#isFenced) throw producerFenced(this.transactionalId)
  }
}

function placeOf(reader: LogPartitionReader) {
  if (reader.place !== null) return reader.place
  throw messagingError('ERR_MESSAGING_NO_GROUP', `partition ${reader.partition} of topic "${reader.topic}" is read without a group, so there is no progress to store: join one`)
}

function foreignReader(): Error {
  const message = "must be a reader that this transport's join() handed out"
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `reader ${message}`, [{ path: ['reader'], message }])
}

function tooLarge(bytes: number, most: number): Error {
  const message = `have ${bytes} bytes with what the transaction has already; it may hold ${most}: make smaller transactions, or raise maxTransactionBytes`
  return messagingValidationError('ERR_MESSAGING_RECORD_TOO_LARGE', `the records ${message}`, [{ path: ['records'], message }])
}
