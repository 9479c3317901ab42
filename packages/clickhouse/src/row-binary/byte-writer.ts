/** A longer text is written faster by the runtime than by a loop here. */
const LOOP_CHARACTERS = 16

/** Bytes that grow as they are written; one buffer for a whole batch. */
export class ByteWriter {
  buffer: Buffer
  at = 0
  #view: DataView

  constructor(initialBytes = 64 * 1024) {
    this.buffer = Buffer.allocUnsafeSlow(initialBytes)
    this.#view = new DataView(this.buffer.buffer)
  }

  /** Makes room for so many bytes more. */
  reserve(bytes: number): void {
    if (this.at + bytes > this.buffer.length) this.#grow(bytes)
  }

  #grow(bytes: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.at + bytes))
    this.buffer.copy(grown, 0, 0, this.at)
    this.buffer = grown
    this.#view = new DataView(grown.buffer)
  }

  /** What was written: a view, valid until more is written. */
  written(): Uint8Array {
    return this.buffer.subarray(0, this.at)
  }

  byte(value: number): void {
    this.reserve(1)
    this.buffer[this.at++] = value
  }

  /** The low 16 bits, little end first, as all numbers here: signed and unsigned look the same. */
  int16(value: number): void {
    this.reserve(2)
    this.#view.setInt16(this.at, value, true)
    this.at += 2
  }

  /** The low 32 bits. */
  int32(value: number): void {
    this.reserve(4)
    this.#view.setInt32(this.at, value, true)
    this.at += 4
  }

  /** A safe integer in 64 bits. Without a bigint in between: several times faster, and most 64-bit columns hold small numbers. */
  safeInt64(value: number): void {
    this.reserve(8)
    this.#view.setInt32(this.at, value, true)
    this.#view.setInt32(this.at + 4, Math.floor(value / 0x1_0000_0000), true)
    this.at += 8
  }

  /** The low 64 bits. */
  int64(value: bigint): void {
    this.reserve(8)
    this.#view.setBigInt64(this.at, value, true)
    this.at += 8
  }

  float32(value: number): void {
    this.reserve(4)
    this.#view.setFloat32(this.at, value, true)
    this.at += 4
  }

  float64(value: number): void {
    this.reserve(8)
    this.#view.setFloat64(this.at, value, true)
    this.at += 8
  }

  /** LEB128, as ClickHouse counts strings and arrays. */
  varint(value: number): void {
    this.reserve(5)
    let rest = value
    while (rest >= 0x80) {
      this.buffer[this.at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.buffer[this.at++] = rest
  }

  bytes(value: Uint8Array): void {
    this.reserve(value.length)
    this.buffer.set(value, this.at)
    this.at += value.length
  }

  /** So many bytes that are zero. */
  zeros(count: number): void {
    this.reserve(count)
    this.buffer.fill(0, this.at, this.at + count)
    this.at += count
  }

  /** A string with its length before it; false, and nothing is written, when it holds half of a surrogate pair. */
  string(value: string): boolean {
    if (value.length <= LOOP_CHARACTERS && this.#shortAscii(value)) return true
    return this.#longText(value)
  }

  /** Many strings are short and ASCII: a loop is faster for them than a call into the runtime. */
  #shortAscii(value: string): boolean {
    const length = value.length
    this.reserve(length + 1)
    const { buffer } = this
    const start = this.at + 1
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) return false
      buffer[start + index] = code
    }
    buffer[this.at] = length
    this.at = start + length
    return true
  }

  /** Its length in bytes is known only once it is written, and stands before it: the usual width is kept free. */
  #longText(value: string): boolean {
    // A UTF-16 unit takes three bytes at most.
    const mostBytes = value.length * 3
    this.reserve(5 + mostBytes)
    const begin = this.at
    const expectedStart = begin + varintWidth(value.length)
    const bytes = this.buffer.utf8Write(value, expectedStart, mostBytes)
    // ASCII is well-formed; to ask only of what isn't spares most texts one more pass.
    if (bytes !== value.length && !value.isWellFormed()) return false
    const start = begin + varintWidth(bytes)
    if (start !== expectedStart) this.buffer.copyWithin(start, expectedStart, expectedStart + bytes)
    this.varint(bytes)
    this.at = start + bytes
    return true
  }
}

function varintWidth(value: number): number {
  let width = 1
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) width++
  return width
}

declare global {
  interface Buffer {
    utf8Write(text: string, offset: number, length: number): number
  }
}
