import type { RecordBatch } from '../../transport.ts'
import type { LogChunk } from './log-chunk.ts'
import { headersAt, keyAt, payloadBytesAt, timestampAt, valueAt } from './record-layout.ts'

/** Which records of a chunk a batch has. */
export interface BatchRange {
  readonly from: number
  readonly length: number
  readonly bytes: number
}

/** As many records as both bounds allow, but at least one. */
export function fitRange(chunk: LogChunk, from: number, maxBytes: number, maxRecords: number): BatchRange {
  const limit = Math.min(chunk.starts.length, from + Math.max(1, maxRecords))
  let bytes = 0
  let next = from
  while (next < limit) {
    const size = payloadBytesAt(chunk.buffer, chunk.starts[next] ?? 0)
    if (next > from && bytes + size > maxBytes) break
    bytes += size
    next++
  }
  return { from, length: next - from, bytes }
}

/** A part of a chunk, as readers see it. */
export class LogRecordBatch implements RecordBatch {
  readonly topic: string
  readonly partition: number
  readonly length: number
  readonly bytes: number
  readonly #chunk: LogChunk
  readonly #from: number

  constructor(topic: string, partition: number, chunk: LogChunk, range: BatchRange) {
    this.topic = topic
    this.partition = partition
    this.length = range.length
    this.bytes = range.bytes
    this.#chunk = chunk
    this.#from = range.from
  }

  get nextOffset(): bigint {
    return BigInt(this.#chunk.firstOffset + this.#from + this.length)
  }

  offsetAt(index: number): bigint {
    this.#start(index)
    return BigInt(this.#chunk.firstOffset + this.#from + index)
  }

  timestampAt(index: number): number {
    return timestampAt(this.#chunk.buffer, this.#start(index))
  }

  keyAt(index: number): Uint8Array | null {
    return keyAt(this.#chunk.buffer, this.#start(index))
  }

  valueAt(index: number): Uint8Array | null {
    return valueAt(this.#chunk.buffer, this.#start(index))
  }

  headersAt(index: number): Readonly<Record<string, Uint8Array>> {
    return headersAt(this.#chunk.buffer, this.#start(index))
  }

  #start(index: number): number {
    const start = index >= 0 && index < this.length ? this.#chunk.starts[this.#from + index] : undefined
    if (start === undefined) throw new RangeError(`record ${index} is not in a batch of ${this.length}`)
    return start
  }
}

/** A batch without records: nothing came in time. */
export function emptyBatch(topic: string, partition: number, nextOffset: number): RecordBatch {
  const none: LogChunk = { buffer: Buffer.alloc(0), firstOffset: nextOffset, starts: new Uint32Array(0) }
  return new LogRecordBatch(topic, partition, none, { from: 0, length: 0, bytes: 0 })
}
