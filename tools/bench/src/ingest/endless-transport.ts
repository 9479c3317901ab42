import type { CommitOptions, MessagingTransport, PartitionReader, ReadOptions, RecordBatch, ValuePlace } from '@smart-whale/messaging'
import type { Quota } from './quota.ts'

/**
 * A transport whose topic has no end: after so many records of a partition the first one comes again, at the offset behind. So a benchmark of any length needs no
 * more than a few megabytes in the broker, and everything else is what a pipeline really does: fetches, checksums, offsets, commits.
 */
export function endlessTransport(transport: MessagingTransport, quota: Quota, length: number): MessagingTransport {
  return new Proxy(transport, {
    get: (target, property) => {
      if (property === 'join') return (options: Parameters<MessagingTransport['join']>[0]) => target.join({ ...options, onPartition: (reader) => options.onPartition(new EndlessReader(reader, quota, BigInt(length))) })
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value
    },
  })
}

class EndlessReader implements PartitionReader {
  readonly #inner: PartitionReader
  readonly #quota: Quota
  readonly #length: bigint
  #position = 0n
  #hasRead = false

  constructor(inner: PartitionReader, quota: Quota, length: bigint) {
    this.#inner = inner
    this.#quota = quota
    this.#length = length
  }

  get topic(): string {
    return this.#inner.topic
  }

  get topicId(): string {
    return this.#inner.topicId
  }

  get partition(): number {
    return this.#inner.partition
  }

  get signal(): AbortSignal {
    return this.#inner.signal
  }

  committed(options?: CommitOptions): ReturnType<PartitionReader['committed']> {
    return this.#inner.committed(options)
  }

  async read(options: ReadOptions): Promise<RecordBatch> {
    // What was read so far is to be stored now, and not when it is old enough.
    if (this.#quota.left === 0 && !this.#hasRead) await this.#waitForQuota(options.maxWaitMs)
    this.#hasRead = false
    if (this.#quota.left === 0) return emptyBatch(this.topic, this.partition, this.#position)
    const base = this.#position - (this.#position % this.#length)
    const untilEnd = Number(base + this.#length - this.#position)
    // Taken before they come: the readers of other partitions have the same quota.
    const maxRecords = Math.min(options.maxRecords, this.#quota.left, untilEnd)
    this.#quota.take(maxRecords)
    const batch = await this.#inner.read({ ...options, maxRecords })
    this.#quota.giveBack(maxRecords - batch.length)
    this.#hasRead = batch.length > 0
    this.#position = base + batch.nextOffset
    if (batch.nextOffset === this.#length) this.#inner.seek(0n)
    return new MovedBatch(batch, base)
  }

  seek(offset: bigint): void {
    this.#position = offset
    this.#inner.seek(offset % this.#length)
  }

  commit(nextOffset: bigint, options?: CommitOptions): Promise<void> {
    return this.#inner.commit(nextOffset, options)
  }

  async bounds(): Promise<{ earliest: bigint; latest: bigint }> {
    return { earliest: 0n, latest: 2n ** 62n }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  async #waitForQuota(maxWaitMs: number): Promise<void> {
    const timer = Promise.withResolvers<void>()
    const timeout = setTimeout(timer.resolve, maxWaitMs)
    await Promise.race([this.#quota.open(), timer.promise])
    clearTimeout(timeout)
  }
}

function emptyBatch(topic: string, partition: number, nextOffset: bigint): RecordBatch {
  return { topic, partition, length: 0, bytes: 0, nextOffset, offsetAt: () => nextOffset, timestampAt: () => 0, keyAt: () => null, valueAt: () => null, headersAt: () => ({}) }
}

/** A batch at offsets behind its own. */
class MovedBatch implements RecordBatch {
  readonly topic: string
  readonly partition: number
  readonly length: number
  readonly bytes: number
  readonly nextOffset: bigint
  readonly #inner: RecordBatch
  readonly #base: bigint
  readonly #baseNumber: number

  constructor(inner: RecordBatch, base: bigint) {
    this.topic = inner.topic
    this.partition = inner.partition
    this.length = inner.length
    this.bytes = inner.bytes
    this.nextOffset = inner.nextOffset + base
    this.#inner = inner
    this.#base = base
    this.#baseNumber = Number(base)
  }

  offsetAt(index: number): bigint {
    return this.#inner.offsetAt(index) + this.#base
  }

  timestampAt(index: number): number {
    return this.#inner.timestampAt(index)
  }

  keyAt(index: number): Uint8Array | null {
    return this.#inner.keyAt(index)
  }

  valueAt(index: number): Uint8Array | null {
    return this.#inner.valueAt(index)
  }

  locateValue(index: number, place: ValuePlace): boolean {
    const isThere = this.#inner.locateValue?.(index, place) ?? false
    place.offset += this.#baseNumber
    return isThere
  }

  headersAt(index: number): Readonly<Record<string, Uint8Array>> {
    return this.#inner.headersAt(index)
  }

  release(): void {
    this.#inner.release?.()
  }
}
