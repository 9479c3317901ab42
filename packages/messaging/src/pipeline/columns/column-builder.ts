import type { ColumnLayout, ColumnValues } from '@smart-whale/interfaces'

/** Bytes of a value; a text has its own. */
const WIDTHS: Readonly<Record<ColumnLayout, number>> = { text: 0, int32: 4, int64: 8, float64: 8, boolean: 1, milliseconds: 8, days: 4, uuid: 16, decimal32: 4, decimal64: 8 }
/** A longer text is copied faster by the runtime than by a loop here. */
const LONG_TEXT = 256
/** Small letters of hexadecimal digits: capitals lack the bit, digits and the dash have it. */
const SMALL_LETTERS = 0x20202020
const FIRST_BYTES = 1024

/** What a column is. */
export interface ColumnShape {
  readonly name: string
  readonly layout: ColumnLayout
  readonly nullable: boolean
  readonly precision: number
  readonly scale: number
}

/** Collects the values of one column, row after row. */
export class ColumnBuilder {
  readonly shape: ColumnShape
  readonly #width: number
  #buffer: Buffer
  #view: DataView
  #at = 0
  /** Where the last row's value begins. */
  #lastAt = 0
  #nulls: Uint8Array | null
  #rows = 0

  constructor(shape: ColumnShape) {
    this.shape = shape
    this.#width = WIDTHS[shape.layout]
    this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
    this.#view = new DataView(this.#buffer.buffer)
    this.#nulls = shape.nullable ? new Uint8Array(FIRST_BYTES) : null
  }

  /** Forgets all values, and keeps their memory. */
  clear(): void {
    this.#rows = 0
    this.#at = 0
  }

  get rows(): number {
    return this.#rows
  }

  /** Takes back the last row, when the column has one more than it should. */
  backTo(rows: number): void {
    if (this.#rows === rows) return
    this.#rows = rows
    this.#at = this.#lastAt
  }

  none(): void {
    const width = Math.max(1, this.#width)
    this.#reserve(width)
    for (let at = this.#at; at < this.#at + width; at++) this.#buffer[at] = 0
    this.#done(width, 1)
  }

  int32(value: number): void {
    this.#reserve(4)
    this.#view.setInt32(this.#at, value, true)
    this.#done(4, 0)
  }

  /** A safe integer in 64 bits, without a bigint in between. */
  safeInt64(value: number): void {
    this.#reserve(8)
    this.#view.setInt32(this.#at, value, true)
    this.#view.setInt32(this.#at + 4, Math.floor(value / 0x1_0000_0000), true)
    this.#done(8, 0)
  }

  int64(value: bigint): void {
    this.#reserve(8)
    this.#view.setBigInt64(this.#at, value, true)
    this.#done(8, 0)
  }

  float64(value: number): void {
    this.#reserve(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#done(8, 0)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#at] = value
    this.#done(1, 0)
  }

  /** A UUID as four words of 32 bits, the first one first. */
  uuid(first: number, second: number, third: number, fourth: number): void {
    this.#reserve(16)
    const at = this.#at
    this.#view.setInt32(at, first)
    this.#view.setInt32(at + 4, second)
    this.#view.setInt32(at + 8, third)
    this.#view.setInt32(at + 12, fourth)
    this.#done(16, 0)
  }

  /** Bytes that are UTF-8. */
  textBytes(source: DataView, start: number, end: number): void {
    const length = end - start
    this.#reserve(length + 8)
    this.#varint(length)
    this.#copy(source, start, end)
    this.#done(length, 0)
  }

  /** The text of a UUID, in small letters. */
  uuidText(source: DataView, start: number): void {
    this.#reserve(37)
    this.#buffer[this.#at++] = 36
    for (let offset = 0; offset < 36; offset += 4) this.#view.setInt32(this.#at + offset, source.getInt32(start + offset, true) | SMALL_LETTERS, true)
    this.#done(36, 0)
  }

  text(value: string): void {
    const length = Buffer.byteLength(value)
    this.#reserve(length + 5)
    this.#varint(length)
    this.#buffer.write(value, this.#at, length, 'utf8')
    this.#done(length, 0)
  }

  /** What was collected: views, valid until more is. */
  values(): ColumnValues {
    const { name, layout, precision, scale } = this.shape
    return { name, layout, precision, scale, bytes: this.#buffer.subarray(0, this.#at), isConstant: false, nulls: this.#nulls?.subarray(0, this.#rows) ?? null }
  }

  /** Four bytes at a time, and at the end up to three bytes too many, where there are any: they are written over, or cut off. */
  #copy(source: DataView, start: number, end: number): void {
    if (end - start > LONG_TEXT || end + 3 > source.byteLength) {
      this.#buffer.set(new Uint8Array(source.buffer, source.byteOffset + start, end - start), this.#at)
      return
    }
    const shift = this.#at - start
    for (let at = start; at < end; at += 4) this.#view.setInt32(at + shift, source.getInt32(at, true), true)
  }

  #done(bytes: number, isNull: number): void {
    this.#at += bytes
    if (this.#nulls !== null) this.#mark(this.#nulls, isNull)
    this.#rows++
  }

  #mark(nulls: Uint8Array, isNull: number): void {
    if (this.#rows === nulls.length) {
      this.#nulls = new Uint8Array(2 * nulls.length)
      this.#nulls.set(nulls)
      this.#nulls[this.#rows] = isNull
      return
    }
    nulls[this.#rows] = isNull
  }

  #varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#at++] = rest
  }

  /** The first thing that each value does. */
  #reserve(bytes: number): void {
    this.#lastAt = this.#at
    if (this.#at + bytes <= this.#buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.length, this.#at + bytes))
    this.#buffer.copy(grown, 0, 0, this.#at)
    this.#buffer = grown
    this.#view = new DataView(grown.buffer)
  }
}
