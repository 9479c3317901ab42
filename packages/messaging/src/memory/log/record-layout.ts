import { textBytes } from '../../short-text.ts'
import type { OutgoingRecord } from '../../transport.ts'

// One record: u32 length of what follows · f64 timestamp · i32 key length (-1: null) · i32 value length (-1: null) · key · value · headers.
// One header: u16 name length · u32 value length · name · value. Headers go on to the record's end.

const LENGTH_BYTES = 4
const FIXED_BYTES = 16
const HEADER_FIXED_BYTES = 6

/** What a record costs beside its key, value and headers. */
export const RECORD_OVERHEAD_BYTES = LENGTH_BYTES + FIXED_BYTES

const sizeOf = (part: Uint8Array | string | null | undefined): number =>
  part === null || part === undefined ? 0 : typeof part === 'string' ? textBytes(part) : part.length

/** Bytes of a record's key and value. */
export const contentBytes = (record: OutgoingRecord): number => sizeOf(record.key) + sizeOf(record.value)

/** Bytes of headers as they are stored. */
export function headerBytes(headers: OutgoingRecord['headers']): number {
  let bytes = 0
  for (const name in headers) bytes += HEADER_FIXED_BYTES + textBytes(name) + sizeOf(headers[name])
  return bytes
}

/** Bytes of a record as it is stored. */
export const recordBytes = (record: OutgoingRecord): number => RECORD_OVERHEAD_BYTES + contentBytes(record) + headerBytes(record.headers)

/** Writes one record and answers where the next one begins. The target must have {@link recordBytes} left. */
export function writeRecord(target: Buffer, at: number, record: OutgoingRecord, timestamp: number): number {
  const start = at + RECORD_OVERHEAD_BYTES
  const keyEnd = writePart(target, start, record.key)
  const valueEnd = writePart(target, keyEnd, record.value)
  const end = record.headers === undefined ? valueEnd : writeHeaders(target, valueEnd, record.headers)
  target.writeUInt32LE(end - at - LENGTH_BYTES, at)
  target.writeDoubleLE(timestamp, at + 4)
  target.writeInt32LE(record.key === null || record.key === undefined ? -1 : keyEnd - start, at + 12)
  target.writeInt32LE(record.value === null ? -1 : valueEnd - keyEnd, at + 16)
  return end
}

function writePart(target: Buffer, at: number, part: Uint8Array | string | null | undefined): number {
  if (part === null || part === undefined) return at
  if (typeof part === 'string') return at + target.write(part, at)
  target.set(part, at)
  return at + part.length
}

function writeHeaders(target: Buffer, at: number, headers: Readonly<Record<string, Uint8Array | string>>): number {
  let position = at
  for (const name in headers) {
    const nameEnd = writePart(target, position + HEADER_FIXED_BYTES, name)
    const valueEnd = writePart(target, nameEnd, headers[name])
    target.writeUInt16LE(nameEnd - position - HEADER_FIXED_BYTES, position)
    target.writeUInt32LE(valueEnd - nameEnd, position + 2)
    position = valueEnd
  }
  return position
}

/** Where the record after this one begins. */
export const recordEnd = (buffer: Buffer, start: number): number => start + LENGTH_BYTES + buffer.readUInt32LE(start)

/** Bytes of key, value and headers of a stored record. */
export const payloadBytesAt = (buffer: Buffer, start: number): number => buffer.readUInt32LE(start) - FIXED_BYTES

/** Milliseconds since the epoch. */
export const timestampAt = (buffer: Buffer, start: number): number => buffer.readDoubleLE(start + 4)

/** A view of the key. */
export function keyAt(buffer: Buffer, start: number): Buffer | null {
  const length = buffer.readInt32LE(start + 12)
  const from = start + RECORD_OVERHEAD_BYTES
  return length < 0 ? null : buffer.subarray(from, from + length)
}

/** A view of the value. */
export function valueAt(buffer: Buffer, start: number): Buffer | null {
  const length = buffer.readInt32LE(start + 16)
  const from = start + RECORD_OVERHEAD_BYTES + Math.max(0, buffer.readInt32LE(start + 12))
  return length < 0 ? null : buffer.subarray(from, from + length)
}

/** Views of the headers; a name that is there more than once has its last value. */
export function headersAt(buffer: Buffer, start: number): Record<string, Buffer> {
  const end = recordEnd(buffer, start)
  let at = start + RECORD_OVERHEAD_BYTES + Math.max(0, buffer.readInt32LE(start + 12)) + Math.max(0, buffer.readInt32LE(start + 16))
  const headers: Record<string, Buffer> = {}
  while (at < end) {
    const valueFrom = at + HEADER_FIXED_BYTES + buffer.readUInt16LE(at)
    const valueEnd = valueFrom + buffer.readUInt32LE(at + 2)
    const name = buffer.toString('utf8', at + HEADER_FIXED_BYTES, valueFrom)
    const value = buffer.subarray(valueFrom, valueEnd)
    // A plain assignment of `__proto__` would set the prototype instead.
    if (name === '__proto__') Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true })
    else headers[name] = value
    at = valueEnd
  }
  return headers
}
