import { isIPv4, isIPv6 } from 'node:net'
import type { ByteWriter } from './byte-writer.ts'
import { CellRefusal, kindOf } from './cell-refusal.ts'
import { type ColumnType, enumEntries } from './column-type.ts'
import type { CellEncoder } from './encode-number.ts'

/** `String`: text as UTF-8, or bytes as they are. */
export const stringEncoder: CellEncoder = (writer, value) => {
  if (typeof value === 'string') return writer.string(value) ? undefined : new CellRefusal('contains half of a surrogate pair')
  if (!(value instanceof Uint8Array)) return new CellRefusal(`must be a string or bytes, is a ${kindOf(value)}`)
  writer.varint(value.length)
  writer.bytes(value)
  return undefined
}

/** `FixedString(length)`: shorter values are filled with zero bytes, as ClickHouse does. */
export function fixedStringEncoder(length: number): CellEncoder {
  return (writer, value) => {
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) return new CellRefusal(`must be a string or bytes, is a ${kindOf(value)}`)
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    if (bytes.length > length) return new CellRefusal(`has more than ${length} bytes`)
    writer.bytes(bytes)
    writer.bytes(new Uint8Array(length - bytes.length))
    return undefined
  }
}

/** `Bool`. */
export const booleanEncoder: CellEncoder = (writer, value) => {
  if (typeof value !== 'boolean') return new CellRefusal(`must be true or false, is a ${kindOf(value)}`)
  writer.byte(value ? 1 : 0)
  return undefined
}

/** `UUID`: two 64-bit halves, each with its little end first. */
export const uuidEncoder: CellEncoder = (writer, value) => {
  if (typeof value !== 'string' || !writeUuid(writer, value)) return new CellRefusal(`must be a UUID, is a ${kindOf(value)}`)
  return undefined
}

/** Where each byte's two digits stand in the text, in the order in which the bytes are written. */
const UUID_DIGITS = Uint8Array.of(16, 14, 11, 9, 6, 4, 2, 0, 34, 32, 30, 28, 26, 24, 21, 19)
const UUID_CHARACTERS = 36
const UUID_BYTES = 16
const DASH = 0x2d
/** The value of a hexadecimal digit by its character code; 255 for any other byte. */
const HEX_VALUES = Uint8Array.from({ length: 256 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16)
  return Number.isNaN(value) ? 255 : value
})

/**
 * Without a regular expression: several times faster, and events have several of them. The text lies for a moment behind where its bytes
 * go, because to read a byte is cheaper than to read a character.
 */
function writeUuid(writer: ByteWriter, text: string): boolean {
  if (text.length !== UUID_CHARACTERS) return false
  writer.reserve(UUID_BYTES + UUID_CHARACTERS)
  const { buffer, at } = writer
  const start = at + UUID_BYTES
  // Fewer bytes: a character that is none of these would not fit whole, and what stood there before is no part of the text.
  if (buffer.utf8Write(text, start, UUID_CHARACTERS) !== UUID_CHARACTERS) return false
  if (buffer[start + 8] !== DASH || buffer[start + 13] !== DASH || buffer[start + 18] !== DASH || buffer[start + 23] !== DASH) return false
  let wrong = 0
  for (let index = 0; index < UUID_BYTES; index++) {
    const place = start + (UUID_DIGITS[index] as number)
    const high = HEX_VALUES[buffer[place] as number] as number
    const low = HEX_VALUES[buffer[place + 1] as number] as number
    wrong |= (high | low) >> 4
    buffer[at + index] = (high << 4) | low
  }
  if (wrong !== 0) return false
  writer.at = at + UUID_BYTES
  return true
}

/** `IPv4`: 32 bits, little end first. */
export const ipv4Encoder: CellEncoder = (writer, value) => {
  if (typeof value !== 'string' || !isIPv4(value)) return new CellRefusal(`must be an IPv4 address, is a ${kindOf(value)}`)
  writer.bytes(Uint8Array.from(value.split('.').map(Number).reverse()))
  return undefined
}

/** `IPv6`: 16 bytes in network order. An IPv4 address is mapped into it. */
export const ipv6Encoder: CellEncoder = (writer, value) => {
  if (typeof value !== 'string' || !(isIPv6(value) || isIPv4(value)) || value.includes('%')) return new CellRefusal(`must be an IPv6 address, is a ${kindOf(value)}`)
  writer.bytes(ipv6Bytes(isIPv4(value) ? `::ffff:${value}` : value))
  return undefined
}

function ipv6Bytes(address: string): Uint8Array {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const hex = (high: string | undefined, low: string | undefined): string => ((Number(high) << 8) | Number(low)).toString(16)
  const text = dotted === null ? address : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`
  const [head = '', tail] = text.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Uint8Array.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]))
}

/** `Enum8`, `Enum16`: by name or by number; both must be declared. */
export function enumEncoder(type: ColumnType): CellEncoder {
  const names = enumEntries(type)
  const numbers = new Map<unknown, number>([...names].map(([number, name]) => [name, number]))
  const wide = type.name === 'Enum16'
  return (writer, value) => {
    const number = numbers.get(value) ?? (names.has(value as number) ? (value as number) : undefined)
    if (number === undefined) return new CellRefusal(`is not among the values of the enum; give one of ${fewNames(names)}`)
    writer.byte(number & 0xff)
    if (wide) writer.byte((number >> 8) & 0xff)
    return undefined
  }
}

const NAMES_SHOWN = 5

function fewNames(names: ReadonlyMap<number, string>): string {
  const few = [...names.values()].slice(0, NAMES_SHOWN).map((name) => JSON.stringify(name))
  return few.join(', ') + (names.size > NAMES_SHOWN ? ` or one of ${names.size - NAMES_SHOWN} more` : '')
}
