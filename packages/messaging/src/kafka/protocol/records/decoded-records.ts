import type { RecordPlace, ValuePlace } from '../../../transport.ts'
import { giveBack } from '../../own-memory.ts'
import { VarintCursor } from './varint-cursor.ts'

/** Where each record of some batches lies: a row of numbers for each property, and no object for a record. */
export interface RecordColumns {
  /** What the columns below are views of. */
  readonly memory: Uint8Array
  /** Bytes that the records lie in: what was fetched, or what a batch was decompressed to. */
  readonly sources: readonly Buffer[]
  /** Which of the sources a record lies in. */
  readonly sourceOf: Uint32Array
  /** Offsets, counted from the base. */
  readonly baseOffset: bigint
  readonly offsets: Float64Array
  readonly timestamps: Float64Array
  readonly keyStarts: Uint32Array
  /** -1 for null, here and below. */
  readonly keyLengths: Int32Array
  readonly valueStarts: Uint32Array
  readonly valueLengths: Int32Array
  /** Where the record, and with it its last header, ends. */
  readonly ends: Uint32Array
}

/** From here on, the offsets of what one fetch can bring may be no safe integers. */
const MOST_BASE = BigInt(Number.MAX_SAFE_INTEGER) - 2n ** 32n

/** Records of one partition in offset order, gaps left out. Keys, values and headers are views, valid as long as they are held. */
export class DecodedRecords {
  readonly length: number
  /** The offset to fetch next: behind everything that was looked at, whether handed on or not. */
  readonly nextOffset: bigint
  readonly #columns: RecordColumns
  /** Of the offsets, as a number; NaN where the offsets may be none. */
  readonly #base: number
  #released = 0

  constructor(columns: RecordColumns, length: number, nextOffset: bigint) {
    this.#columns = columns
    this.#base = columns.baseOffset <= MOST_BASE ? Number(columns.baseOffset) : Number.NaN
    this.length = length
    this.nextOffset = nextOffset
  }

  offsetAt(index: number): bigint {
    return this.#columns.baseOffset + BigInt(at(this.#columns.offsets, index))
  }

  /** Milliseconds since the epoch. */
  timestampAt(index: number): number {
    return at(this.#columns.timestamps, index)
  }

  keyAt(index: number): Uint8Array | null {
    const { keyStarts, keyLengths } = this.#columns
    return this.#view(index, at(keyStarts, index), at(keyLengths, index))
  }

  valueAt(index: number): Uint8Array | null {
    const { valueStarts, valueLengths } = this.#columns
    return this.#view(index, at(valueStarts, index), at(valueLengths, index))
  }

  /** Where the value lies; false when there is none. */
  locateValue(index: number, place: ValuePlace): boolean {
    const { valueStarts, valueLengths, offsets } = this.#columns
    const length = at(valueLengths, index)
    place.bytes = this.#source(index)
    place.start = at(valueStarts, index)
    place.end = place.start + length
    place.offset = this.#base + at(offsets, index)
    return length >= 0
  }

  /** Where key, value and headers lie. */
  locateRecord(index: number, place: RecordPlace): void {
    const { keyStarts, keyLengths, ends } = this.#columns
    place.bytes = this.#source(index)
    place.keyStart = at(keyStarts, index)
    place.keyLength = at(keyLengths, index)
    place.headersStart = this.#headersStart(index)
    place.end = at(ends, index)
  }

  /** A name that was sent more than once has its last value; a null value reads as no bytes. */
  headersAt(index: number): Readonly<Record<string, Uint8Array>> {
    const source = this.#source(index)
    const cursor = new VarintCursor(source)
    cursor.at = this.#headersStart(index)
    const headers: Record<string, Uint8Array> = {}
    for (let rest = cursor.next(); rest > 0; rest--) {
      const nameLength = cursor.next()
      const name = source.toString('utf8', cursor.at, cursor.at + nameLength)
      cursor.at += nameLength
      const length = Math.max(0, cursor.next())
      const value = source.subarray(cursor.at, cursor.at + length)
      cursor.at += length
      if (name === '__proto__') Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true })
      else headers[name] = value
    }
    return headers
  }

  /** Bytes of key, value and headers together. */
  sizeAt(index: number): number {
    const { keyLengths, valueLengths, ends } = this.#columns
    // The number of headers has a byte of its own, which is nobody's.
    return Math.max(0, at(keyLengths, index)) + Math.max(0, at(valueLengths, index)) + at(ends, index) - this.#headersStart(index) - 1
  }

  /** So many more of the records are needed no longer. With the last of them, the memory that they lie in is given back. */
  release(count: number): void {
    this.#released += count
    if (this.#released < this.length) return
    for (const source of this.#columns.sources) giveBack(source)
    giveBack(this.#columns.memory)
  }

  #headersStart(index: number): number {
    const { valueStarts, valueLengths } = this.#columns
    return at(valueStarts, index) + Math.max(0, at(valueLengths, index))
  }

  #view(index: number, start: number, length: number): Uint8Array | null {
    return length < 0 ? null : this.#source(index).subarray(start, start + length)
  }

  #source(index: number): Buffer {
    return this.#columns.sources[at(this.#columns.sourceOf, index)] as Buffer
  }
}

function at(column: Uint32Array | Int32Array | Float64Array, index: number): number {
  const value = column[index]
  if (value === undefined) throw new RangeError(`record ${index} is not among the ${column.length} that there are`)
  return value
}
