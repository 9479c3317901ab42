/** Bytes that grow as they are written; one buffer for a whole batch. */
export class ByteWriter {
  buffer: Buffer
  at = 0

  constructor(initialBytes = 64 * 1024) {
    this.buffer = Buffer.allocUnsafe(initialBytes)
  }

  /** Makes room for so many bytes more. */
  reserve(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + bytes))
    this.buffer.copy(grown, 0, 0, this.at)
    this.buffer = grown
  }

  /** What was written: a view, valid until more is written. */
  written(): Uint8Array {
    return this.buffer.subarray(0, this.at)
  }

  byte(value: number): void {
    this.reserve(1)
    this.buffer[this.at++] = value
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

  /** A string with its length before it. */
  string(value: string): void {
    if (value.length < 48 && this.#shortAscii(value)) return
    const bytes = Buffer.byteLength(value)
    this.varint(bytes)
    this.reserve(bytes)
    this.buffer.utf8Write(value, this.at, bytes)
    this.at += bytes
  }

  /** Most strings are short and ASCII: a loop is faster for them than two calls into the runtime. */
  #shortAscii(value: string): boolean {
    const length = value.length
    this.reserve(length + 1)
    const start = this.at + 1
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) return false
      this.buffer[start + index] = code
    }
    this.buffer[this.at] = length
    this.at = start + length
    return true
  }
}

declare global {
  interface Buffer {
    utf8Write(text: string, offset: number, length: number): number
  }
}
