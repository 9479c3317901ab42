import { buildFrame, type FramePart } from './frame.ts'
import type { SegmentBytes } from './segment-bytes.ts'
import { SparseIndex } from './sparse-index.ts'

/** What a segment is made from. */
export interface SegmentOptions {
  /** Where its frames are kept. @default none, required */
  readonly bytes: SegmentBytes
  /** Offset of its first record. @default none, required */
  readonly baseOffset: number
  /** Seed of its checksums, so that frames of other logs don't count. @default none, required */
  readonly salt: number
  /** Bytes before the first frame. @default none, required */
  readonly preambleBytes: number
  /** Where its frames lie, for a segment that has some already. @default an empty one */
  readonly index?: SparseIndex | undefined
  /** Offset after its last record. @default baseOffset */
  readonly endOffset?: number | undefined
  /** Newest timestamp of its records, in milliseconds since the epoch. @default 0 */
  readonly maxTimestamp?: number | undefined
}

/** A stretch of a partition's log. Only the last one of a partition grows. */
export class Segment {
  readonly baseOffset: number
  readonly salt: number
  readonly bytes: SegmentBytes
  readonly #index: SparseIndex
  readonly #preambleBytes: number
  #endOffset: number
  #maxTimestamp: number

  constructor(options: SegmentOptions) {
    this.baseOffset = options.baseOffset
    this.salt = options.salt
    this.bytes = options.bytes
    this.#preambleBytes = options.preambleBytes
    this.#index = options.index ?? new SparseIndex()
    this.#endOffset = options.endOffset ?? options.baseOffset
    this.#maxTimestamp = options.maxTimestamp ?? 0
  }

  /** The offset after the last durable record. */
  get endOffset(): number {
    return this.#endOffset
  }

  /** Milliseconds since the epoch; 0 when there is no record. */
  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  get isEmpty(): boolean {
    return this.#endOffset === this.baseOffset
  }

  /** Adds the records as one frame; they are there, for readers too, once it is durable. Answers the offset of the first. */
  async append(parts: readonly FramePart[]): Promise<number> {
    const firstOffset = this.#endOffset
    const position = this.bytes.size
    await this.bytes.append(buildFrame(parts, firstOffset, this.salt))
    this.#index.add(firstOffset, position)
    for (const part of parts) {
      this.#endOffset += part.records
      this.#maxTimestamp = Math.max(this.#maxTimestamp, part.maxTimestamp)
    }
    return firstOffset
  }

  /** The position of a frame at or before the one that has the offset. */
  positionFor(offset: number): number {
    return this.#index.positionFor(offset) ?? this.#preambleBytes
  }

  /** What the index file of this segment has once it is sealed. */
  encodeIndex(): Buffer {
    return this.#index.encode(this.#endOffset, this.#maxTimestamp, this.bytes.size)
  }
}
