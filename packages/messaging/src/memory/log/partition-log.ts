import { messagingError } from '../../errors.ts'
import { mapFileError } from '../../map-error.ts'
import { AppendQueue, type PendingAppend, type QueuedAppend } from './append-queue.ts'
import { FRAME_HEADER_BYTES, type FramePart } from './frame.ts'
import { collectRecords, type LogChunk } from './log-chunk.ts'
import { type LogReservation, Reservations } from './reservations.ts'
import type { Segment } from './segment.ts'
import type { SegmentStore } from './segment-store.ts'

/** How much one read takes from a segment, unless a single frame is larger. */
const READ_BYTES = 512 * 1024

/** How much of a partition is kept. */
export interface Retention {
  readonly maxBytes: number | undefined
  readonly maxAgeMs: number | undefined
}

/** What a partition's log is made from. */
export interface PartitionLogOptions {
  /** Topic and partition, for messages. @default none, required */
  readonly name: string
  /** Opens, makes, seals and removes the segments. @default none, required */
  readonly store: SegmentStore
  /** Bytes of a segment, beyond which it is sealed and another one begun; a frame that is larger has one of its own. @default none, required */
  readonly segmentBytes: number
  /** Bytes of records that are written as one, unless a single append is larger; at most `segmentBytes`. @default none, required */
  readonly frameBytes: number
  /** How much is kept; whole segments go, so it may be a little more. @default none, required */
  readonly retention: Retention
  /** Tells the age of records: milliseconds since the epoch. @default none, required */
  readonly now: () => number
}

/** Where a reader is: the offset, and where its frame lies if that is known. */
export interface LogPosition {
  readonly offset: number
  readonly segment?: Segment | undefined
  readonly bytePosition?: number | undefined
}

/**
 * One partition: appends that wait while one is being written are written together by the next (group commit), and nobody,
 * reader or sender, sees a record before it is durable.
 */
export class PartitionLog {
  readonly #options: PartitionLogOptions
  readonly #segments: Segment[]
  readonly #queue = new AppendQueue()
  readonly #listeners = new Set<() => void>()
  readonly #reservations = new Reservations()
  #sealedBytes: number
  #writing: Promise<void> | undefined
  #closed = false
  #coldSegment: Segment | undefined

  private constructor(options: PartitionLogOptions, segments: Segment[]) {
    this.#options = options
    this.#segments = segments
    this.#sealedBytes = segments.slice(0, -1).reduce((sum, segment) => sum + segment.bytes.size, 0)
  }

  static async open(options: PartitionLogOptions): Promise<PartitionLog> {
    return new PartitionLog(options, await options.store.open())
  }

  /** The first offset that is still there. */
  get earliest(): number {
    return this.#segments[0]?.baseOffset ?? 0
  }

  /** The offset that the next record will get. */
  get latest(): number {
    return this.#active.endOffset
  }

  /** Whether records go with time alone. */
  get hasAgeLimit(): boolean {
    return this.#options.retention.maxAgeMs !== undefined
  }

  /** Bytes that are kept. */
  get storedBytes(): number {
    return this.#sealedBytes + this.#active.bytes.size
  }

  /** Bytes that wait to be written. */
  get pendingBytes(): number {
    return this.#queue.bytes
  }

  append(part: FramePart): PendingAppend {
    if (this.#closed) return { stored: Promise.reject(this.#closedError()), cancel: () => true }
    const pending = this.#queue.push(part)
    this.#writing ??= this.#write()
    return pending
  }

  /** Waits for what is being written, then keeps everybody else from writing. */
  async reserve(): Promise<LogReservation> {
    if (this.#closed) throw this.#closedError()
    const { granted, release } = this.#reservations.add()
    this.#writing ??= this.#write()
    await granted
    return { offset: this.latest, append: (parts) => this.#appendParts(parts), release }
  }

  /** The records from a position on, and the position after them; null when there is none yet. */
  async read(from: LogPosition): Promise<{ chunk: LogChunk; next: LogPosition } | null> {
    const { offset } = from
    if (this.#closed) throw this.#closedError()
    if (offset < this.earliest || offset > this.latest) throw this.#outOfRange(offset)
    const segment = this.#segmentOf(offset)
    if (offset >= segment.endOffset) return null
    const isKnown = from.segment === segment && from.bytePosition !== undefined
    this.#leaveCold(segment)
    try {
      return await this.#readFrom(segment, isKnown ? (from.bytePosition ?? 0) : segment.positionFor(offset), offset)
    } catch (error) {
      // Retention may have removed the segment meanwhile.
      throw offset < this.earliest ? this.#outOfRange(offset) : error
    }
  }

  /** Calls back after each append, until the answer is called. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Removes the oldest segments beyond the bounds. What is kept may exceed them by the segment that is written to and one more. */
  async enforceRetention(): Promise<void> {
    const { maxAgeMs, maxBytes } = this.#options.retention
    if (this.#writing !== undefined || this.#closed) return
    this.#writing = this.#exclusively(async () => {
      if (maxAgeMs !== undefined && !this.#active.isEmpty && this.#isExpired(this.#active)) await this.#roll()
      await this.#removeOldest((oldest) => this.#isExpired(oldest) || (maxBytes !== undefined && this.storedBytes - oldest.bytes.size >= maxBytes))
    })
    await this.#writing
  }

  /** Writes what waits, then lets go of the files. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#writing !== undefined) await this.#writing.catch(() => {})
    await Promise.all(this.#segments.map((segment) => segment.bytes.close()))
    this.#notify()
  }

  /** Refuses what waits, and deletes everything. */
  async remove(): Promise<void> {
    this.#closed = true
    this.#queue.rejectAll(this.#closedError())
    await this.close()
    await this.#options.store.removeAll()
  }

  get #active(): Segment {
    const active = this.#segments.at(-1)
    if (active === undefined) throw this.#closedError()
    return active
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } finally {
      this.#writing = this.#queue.isEmpty && this.#reservations.isEmpty ? undefined : this.#write()
    }
  }

  async #write(): Promise<void> {
    // Whoever sends in the same turn is written along with the first.
    await Promise.resolve()
    while (!this.#queue.isEmpty || !this.#reservations.isEmpty) {
      await this.#reservations.serve()
      const group = this.#queue.takeGroup(this.#options.frameBytes)
      if (group.length > 0) await this.#writeGroup(group)
    }
    this.#writing = undefined
  }

  async #writeGroup(group: readonly QueuedAppend[]): Promise<void> {
    try {
      let offset = await this.#appendFrame(group.map((entry) => entry.part))
      for (const entry of group) {
        entry.resolve(offset)
        offset += entry.part.records
      }
    } catch (error) {
      const failure = mapFileError(error, this.#options.name, 'writing to')
      for (const entry of group) entry.reject(failure)
    } finally {
      this.#queue.written(group)
    }
    this.#notify()
  }

  async #appendParts(parts: readonly FramePart[]): Promise<void> {
    try {
      await this.#appendFrame(parts)
    } catch (error) {
      throw mapFileError(error, this.#options.name, 'writing to')
    }
    this.#notify()
  }

  async #appendFrame(parts: readonly FramePart[]): Promise<number> {
    const bytes = parts.reduce((sum, part) => sum + part.body.length, 0)
    if (!this.#active.isEmpty && this.#active.bytes.size + FRAME_HEADER_BYTES + bytes > this.#options.segmentBytes) await this.#roll()
    return this.#active.append(parts)
  }

  async #roll(): Promise<void> {
    const full = this.#active
    await this.#options.store.seal(full)
    this.#segments.push(await this.#options.store.create(full.endOffset))
    this.#sealedBytes += full.bytes.size
    const { maxBytes } = this.#options.retention
    if (maxBytes !== undefined) await this.#removeOldest((oldest) => this.storedBytes - oldest.bytes.size >= maxBytes)
  }

  async #removeOldest(mayGo: (oldest: Segment) => boolean): Promise<void> {
    for (let oldest = this.#segments[0]; oldest !== undefined && oldest !== this.#active && mayGo(oldest); oldest = this.#segments[0]) {
      this.#segments.shift()
      this.#sealedBytes -= oldest.bytes.size
      await this.#options.store.remove(oldest)
    }
  }

  #isExpired(segment: Segment): boolean {
    const { maxAgeMs } = this.#options.retention
    return maxAgeMs !== undefined && segment.maxTimestamp + maxAgeMs < this.#options.now()
  }

  #segmentOf(offset: number): Segment {
    let low = 0
    let high = this.#segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#segments[middle]?.baseOffset ?? Infinity) <= offset) low = middle + 1
      else high = middle
    }
    return this.#segments[Math.max(0, low - 1)] ?? this.#active
  }

  async #readFrom(segment: Segment, from: number, offset: number): Promise<{ chunk: LogChunk; next: LogPosition }> {
    let position = from
    for (let length = READ_BYTES; ; ) {
      const buffer = await segment.bytes.read(position, length)
      const found = collectRecords({ buffer, salt: segment.salt, verify: segment.bytes.mayRot }, offset)
      if (found.chunk !== null) {
        const nextOffset = found.chunk.firstOffset + found.chunk.starts.length
        return { chunk: found.chunk, next: { offset: nextOffset, segment, bytePosition: position + found.consumedBytes } }
      }
      if (found.isDamaged || (found.consumedBytes === 0 && found.wantedBytes <= length)) throw this.#damaged(segment, position, offset)
      position += found.consumedBytes
      length = Math.max(READ_BYTES, found.wantedBytes)
    }
  }

  /** Only the file that is written to and the one that was read last stay open. */
  #leaveCold(segment: Segment): void {
    const left = this.#coldSegment
    if (left !== undefined && left !== segment && left !== this.#active) void left.bytes.close().catch(() => {})
    this.#coldSegment = segment
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }

  #outOfRange(offset: number): Error {
    return messagingError(
      'ERR_MESSAGING_OFFSET_OUT_OF_RANGE',
      `${this.#options.name} has the offsets ${this.earliest} to ${this.latest - 1} now, not ${offset}; seek to one that is there`,
      { context: { offset, earliest: this.earliest, latest: this.latest } },
    )
  }

  #damaged(segment: Segment, position: number, offset: number): Error {
    return messagingError(
      'ERR_MESSAGING_LOG_CORRUPT',
      `${this.#options.name} can't be read at offset ${offset}: the stored bytes are not those that were written. Restore the log from a backup`,
      { context: { offset, segment: segment.baseOffset, position } },
    )
  }

  #closedError(): Error {
    return messagingError('ERR_MESSAGING_NOT_CONNECTED', `${this.#options.name} is closed: its broker has stopped or its topic was deleted`, { status: 503 })
  }
}
