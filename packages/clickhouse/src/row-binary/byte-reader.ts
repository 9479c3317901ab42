import { isUtf8 } from 'node:buffer'

/** Thrown when a value isn't wholly there yet; never leaves this folder. */
export const UNDERFLOW: unique symbol = Symbol('more bytes are needed')

/** Bytes that are read from the front, and grow at the back while an answer arrives. */
export class ByteReader {
  buffer: Buffer = Buffer.alloc(0)
  at = 0

  /** Adds bytes behind what is not read yet. */
  append(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    this.buffer = this.at >= this.buffer.length ? bytes : Buffer.concat([this.buffer.subarray(this.at), bytes])
    this.at = 0
  }

  get left(): number {
    return this.buffer.length - this.at
  }

  /** Moves on by so many bytes and answers where they begin. @throws UNDERFLOW */
  take(bytes: number): number {
    const start = this.at
    if (start + bytes > this.buffer.length) throw UNDERFLOW
    this.at = start + bytes
    return start
  }

  byte(): number {
    return this.buffer[this.take(1)] as number
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    return value
  }

  string(): string {
    const bytes = this.varint()
    const start = this.take(bytes)
    return this.buffer.utf8Slice(start, start + bytes)
  }
}

/** Stands in a text for bytes that are none. */
const REPLACEMENT = '\ufffd'

/** Bytes as text; those that are no UTF-8 as a copy of themselves, so that nothing is lost. */
export function textOrBytes(buffer: Buffer, start: number, end: number): string | Uint8Array {
  const text = buffer.utf8Slice(start, end)
  return text.includes(REPLACEMENT) && !isUtf8(buffer.subarray(start, end)) ? Uint8Array.from(buffer.subarray(start, end)) : text
}

declare global {
  interface Buffer {
    utf8Slice(start: number, end: number): string
  }
}
