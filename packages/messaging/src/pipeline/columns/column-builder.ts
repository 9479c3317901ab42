import type { ColumnLayout, ColumnValues } from '@smart-whale/interfaces'

/** Bytes of a value; a text has its own. */
const WIDTHS: Readonly<Record<ColumnLayout, number>> = { text: 0, int32: 4, int64: 8, float64: 8, boolean: 1, milliseconds: 8, days: 4, uuid: 16, decimal32: 4, decimal64: 8 }
const SHORT_TEXT = 32
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
    this.#reserve(this.#width + 1)
    this.#buffer.fill(0, this.#at, this.#at + Math.max(1, this.#width))
    this.#done(Math.max(1, this.#width), 1)
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

  /** The sixteen bytes of a UUID. */
  uuid(bytes: Uint8Array): void {
    this.#reserve(16)
    for (let index = 0; index < 16; index++) this.#buffer[this.#at + index] = bytes[index] as number
    this.#done(16, 0)
  }

  /** Bytes that are UTF-8. */
  textBytes(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    this.#reserve(length + 5)
    this.#varint(length)
    if (length > SHORT_TEXT && Buffer.isBuffer(bytes)) bytes.copy(this.#buffer, this.#at, start, end)
    else for (let index = 0; index < length; index++) this.#buffer[this.#at + index] = bytes[start + index] as number
    this.#done(length, 0)
  }

  /** ASCII in which capitals are to be small letters. */
  smallLetters(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    this.#reserve(length + 5)
    this.#varint(length)
    for (let index = 0; index < length; index++) {
      const byte = bytes[start + index] as number
      this.#buffer[this.#at + index] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    }
    this.#done(length, 0)
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
