import { type ByteReader, textOrBytes } from './byte-reader.ts'
import type { CellDecoder } from './cell-decoder-port.ts'
import { type ColumnType, enumEntries } from './column-type.ts'

/** `String`: text, or bytes where they are no UTF-8. */
export function stringOrBytes(reader: ByteReader): string | Uint8Array {
  const bytes = reader.varint()
  const start = reader.take(bytes)
  return textOrBytes(reader.buffer, start, start + bytes)
}

/** `FixedString`: text without the zero bytes that fill it up; all its bytes where they are no UTF-8. */
export function fixedStringDecoder(length: number): CellDecoder {
  return (reader) => {
    const start = reader.take(length)
    let end = start + length
    while (end > start && reader.buffer[end - 1] === 0) end--
    const text = textOrBytes(reader.buffer, start, end)
    return typeof text === 'string' ? text : Uint8Array.from(reader.buffer.subarray(start, start + length))
  }
}

/** `UUID`: two 64-bit halves, each with its little end first. */
export function uuid(reader: ByteReader): string {
  const start = reader.take(16)
  const high = Buffer.from(reader.buffer.subarray(start, start + 8)).reverse().toString('hex')
  const low = Buffer.from(reader.buffer.subarray(start + 8, start + 16)).reverse().toString('hex')
  return `${high.slice(0, 8)}-${high.slice(8, 12)}-${high.slice(12)}-${low.slice(0, 4)}-${low.slice(4)}`
}

/** `IPv4`: 32 bits, little end first. */
export function ipv4(reader: ByteReader): string {
  const start = reader.take(4)
  return [...reader.buffer.subarray(start, start + 4)].reverse().join('.')
}

/** `IPv6`: 16 bytes in network order, in the one canonical form (RFC 5952). */
export function ipv6(reader: ByteReader): string {
  const start = reader.take(16)
  const groups = Array.from({ length: 8 }, (_, index) => reader.buffer.readUInt16BE(start + 2 * index).toString(16))
  // The URL parser writes that form.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** `Enum8`, `Enum16`: the value's name; its number where it has none. */
export function enumDecoder(type: ColumnType): CellDecoder {
  const names = enumEntries(type)
  const wide = type.name === 'Enum16'
  return (reader) => {
    const value = wide ? reader.buffer.readInt16LE(reader.take(2)) : reader.buffer.readInt8(reader.take(1))
    return names.get(value) ?? value
  }
}
