import type { DecodedRecords } from '../protocol/records/decoded-records.ts'
import type { RecordBatch, RecordPlace, ValuePlace } from '../../transport.ts'

/** Some of the records that one fetch brought. */
export class RecordSlice implements RecordBatch {
  readonly topic: string
  readonly partition: number
  readonly length: number
  readonly bytes: number
  readonly nextOffset: bigint
  readonly #records: DecodedRecords | null
  readonly #from: number
  #isReleased = false

  private constructor(topic: string, partition: number, records: DecodedRecords | null, range: { from: number; length: number; bytes: number; nextOffset: bigint }) {
    this.topic = topic
    this.partition = partition
    this.#records = records
    this.#from = range.from
    this.length = range.length
    this.bytes = range.bytes
    this.nextOffset = range.nextOffset
  }

  static empty(topic: string, partition: number, nextOffset: bigint): RecordSlice {
    return new RecordSlice(topic, partition, null, { from: 0, length: 0, bytes: 0, nextOffset })
  }

  /** As many records as the bounds allow, and one at least. */
  static fitting(topic: string, partition: number, records: DecodedRecords, { from, maxBytes, maxRecords }: { from: number; maxBytes: number; maxRecords: number }): RecordSlice {
    const most = Math.min(records.length, from + Math.max(1, maxRecords))
    let bytes = records.sizeAt(from)
    let end = from + 1
    for (; end < most; end++) {
      const size = records.sizeAt(end)
      if (bytes + size > maxBytes) break
      bytes += size
    }
    const nextOffset = end === records.length ? records.nextOffset : records.offsetAt(end)
    return new RecordSlice(topic, partition, records, { from, length: end - from, bytes, nextOffset })
  }

  offsetAt(index: number): bigint {
    return this.#all.offsetAt(this.#at(index))
  }

  timestampAt(index: number): number {
    return this.#all.timestampAt(this.#at(index))
  }

  keyAt(index: number): Uint8Array | null {
    return this.#all.keyAt(this.#at(index))
  }

  valueAt(index: number): Uint8Array | null {
    return this.#all.valueAt(this.#at(index))
  }

  locateValue(index: number, place: ValuePlace): boolean {
    return this.#all.locateValue(this.#at(index), place)
  }

  locateRecord(index: number, place: RecordPlace): void {
    this.#all.locateRecord(this.#at(index), place)
  }

  headersAt(index: number): Readonly<Record<string, Uint8Array>> {
    return this.#all.headersAt(this.#at(index))
  }

  release(): void {
    if (this.#isReleased || this.length === 0) return
    this.#isReleased = true
    this.#all.release(this.length)
  }

  get #all(): DecodedRecords {
    if (this.#records === null) throw new RangeError('the batch is empty')
    return this.#records
  }

  #at(index: number): number {
    if (index < 0 || index >= this.length) throw new RangeError(`record ${index} is not among the ${this.length} that there are`)
    return this.#from + index
  }
}
