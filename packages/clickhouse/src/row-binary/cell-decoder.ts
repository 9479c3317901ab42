import type { ByteReader } from './byte-reader.ts'
import type { ColumnType } from './column-type.ts'

/** Reads one value. */
export type CellDecoder = (reader: ByteReader) => unknown
type DecoderOf = (type: ColumnType) => CellDecoder | null

const number = (type: ColumnType, index: number): number => Number(type.args[index])

const DECODERS: Readonly<Record<string, DecoderOf>> = {
  Int8: () => (reader) => reader.buffer.readInt8(reader.take(1)),
  Int16: () => (reader) => reader.buffer.readInt16LE(reader.take(2)),
  Int32: () => (reader) => reader.buffer.readInt32LE(reader.take(4)),
  UInt8: () => (reader) => reader.byte(),
  UInt16: () => (reader) => reader.buffer.readUInt16LE(reader.take(2)),
  UInt32: () => (reader) => reader.buffer.readUInt32LE(reader.take(4)),
  Int64: () => (reader) => reader.buffer.readBigInt64LE(reader.take(8)),
  UInt64: () => (reader) => reader.buffer.readBigUInt64LE(reader.take(8)),
  Int128: () => (reader) => largeInteger(reader, 16, true),
  Int256: () => (reader) => largeInteger(reader, 32, true),
  UInt128: () => (reader) => largeInteger(reader, 16, false),
  UInt256: () => (reader) => largeInteger(reader, 32, false),
  Float32: () => (reader) => reader.buffer.readFloatLE(reader.take(4)),
  Float64: () => (reader) => reader.buffer.readDoubleLE(reader.take(8)),
  Decimal: (type) => decimalDecoder(number(type, 0), number(type, 1)),
  String: () => (reader) => reader.string(),
  FixedString: (type) => fixedStringDecoder(number(type, 0)),
  Bool: () => (reader) => reader.byte() !== 0,
  UUID: () => uuid,
  IPv4: () => ipv4,
  IPv6: () => ipv6,
  Enum8: (type) => enumDecoder(type, (reader) => reader.buffer.readInt8(reader.take(1))),
  Enum16: (type) => enumDecoder(type, (reader) => reader.buffer.readInt16LE(reader.take(2))),
  Date: () => (reader) => isoDay(reader.buffer.readUInt16LE(reader.take(2))),
  Date32: () => (reader) => isoDay(reader.buffer.readInt32LE(reader.take(4))),
  DateTime: () => (reader) => new Date(reader.buffer.readUInt32LE(reader.take(4)) * 1000),
  DateTime64: (type) => ticksDecoder(number(type, 0)),
  Nothing: () => () => null,
  Nullable: ({ inner: [inner] }) => nullableDecoder(inner),
  // On the wire these two are their inner type.
  LowCardinality: ({ inner: [inner] }) => (inner === undefined ? null : cellDecoder(inner)),
  SimpleAggregateFunction: ({ inner: [inner] }) => (inner === undefined ? null : cellDecoder(inner)),
  Array: ({ inner: [inner] }) => arrayDecoder(inner),
  Map: ({ inner: [key, value] }) => mapDecoder(key, value),
  Tuple: tupleDecoder,
}

/**
 * The decoder of a type; null for a type that has none here (JSON, Variant, Dynamic, AggregateFunction, …).
 * Integers of 64 bits and more are `bigint`, decimals strings, `DateTime` and `DateTime64` up to milliseconds a `Date`, a finer `DateTime64` ISO text, `Date` an ISO day,
 * a named tuple an object, any other tuple an array, a map with text keys an object, any other map a `Map`.
 */
export function cellDecoder(type: ColumnType): CellDecoder | null {
  return Object.hasOwn(DECODERS, type.name) ? (DECODERS[type.name] as DecoderOf)(type) : null
}

function largeInteger(reader: ByteReader, bytes: 8 | 16 | 32, signed: boolean): bigint {
  const start = reader.take(bytes)
  let value = 0n
  for (let offset = bytes - 8; offset >= 0; offset -= 8) value = (value << 64n) | reader.buffer.readBigUInt64LE(start + offset)
  return signed ? BigInt.asIntN(bytes * 8, value) : value
}

function decimalDecoder(precision: number, scale: number): CellDecoder {
  return (reader) => {
    const unscaled =
      precision <= 9 ? BigInt(reader.buffer.readInt32LE(reader.take(4))) : precision <= 18 ? reader.buffer.readBigInt64LE(reader.take(8)) : largeInteger(reader, precision <= 38 ? 16 : 32, true)
    if (scale === 0) return String(unscaled)
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
    return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  }
}

/** Text without the zero bytes that fill it up. */
function fixedStringDecoder(length: number): CellDecoder {
  return (reader) => {
    const start = reader.take(length)
    let end = start + length
    while (end > start && reader.buffer[end - 1] === 0) end--
    return reader.buffer.utf8Slice(start, end)
  }
}

function uuid(reader: ByteReader): string {
  const start = reader.take(16)
  const high = Buffer.from(reader.buffer.subarray(start, start + 8)).reverse().toString('hex')
  const low = Buffer.from(reader.buffer.subarray(start + 8, start + 16)).reverse().toString('hex')
  return `${high.slice(0, 8)}-${high.slice(8, 12)}-${high.slice(12)}-${low.slice(0, 4)}-${low.slice(4)}`
}

function ipv4(reader: ByteReader): string {
  const start = reader.take(4)
  return [...reader.buffer.subarray(start, start + 4)].reverse().join('.')
}

function ipv6(reader: ByteReader): string {
  const start = reader.take(16)
  const groups = Array.from({ length: 8 }, (_, index) => reader.buffer.readUInt16BE(start + 2 * index).toString(16))
  // The URL parser writes the one canonical form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

function enumDecoder(type: ColumnType, read: (reader: ByteReader) => number): CellDecoder {
  const names = new Map<number, string>()
  for (const entry of type.args) {
    const parts = /^'((?:[^'\\]|\\.)*)'\s*=\s*(-?\d+)$/.exec(entry)
    if (parts !== null) names.set(Number(parts[2]), (parts[1] ?? '').replace(/\\(.)/g, '$1'))
  }
  return (reader) => {
    const value = read(reader)
    return names.get(value) ?? value
  }
}

function isoDay(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10)
}

/** Up to milliseconds a `Date`; a finer column is ISO text with all its digits, since a `Date` would lose some. */
function ticksDecoder(precision: number): CellDecoder {
  if (precision > 3) return (reader) => isoTime(reader.buffer.readBigInt64LE(reader.take(8)), precision)
  const perTick = 10 ** (3 - precision)
  return (reader) => new Date(Number(reader.buffer.readBigInt64LE(reader.take(8))) * perTick)
}

function isoTime(ticks: bigint, precision: number): string {
  const perSecond = 10n ** BigInt(precision)
  const fraction = BigInt.asUintN(64, ((ticks % perSecond) + perSecond) % perSecond)
  const seconds = new Date(Number((ticks - fraction) / perSecond) * 1000).toISOString().slice(0, 19)
  return `${seconds}.${String(fraction).padStart(precision, '0')}Z`
}

function nullableDecoder(inner: ColumnType | undefined): CellDecoder | null {
  const decode = inner === undefined ? null : cellDecoder(inner)
  return decode === null ? null : (reader) => (reader.byte() === 0 ? decode(reader) : null)
}

function arrayDecoder(inner: ColumnType | undefined): CellDecoder | null {
  const decode = inner === undefined ? null : cellDecoder(inner)
  if (decode === null) return null
  return (reader) => {
    const length = reader.varint()
    const elements: unknown[] = []
    for (let index = 0; index < length; index++) elements.push(decode(reader))
    return elements
  }
}

function mapDecoder(key: ColumnType | undefined, value: ColumnType | undefined): CellDecoder | null {
  const decodeKey = key === undefined ? null : cellDecoder(key)
  const decodeValue = value === undefined ? null : cellDecoder(value)
  if (decodeKey === null || decodeValue === null) return null
  const textKeys = /^(LowCardinality|String|FixedString|Enum)/.test(key?.name ?? '')
  return (reader) => {
    const length = reader.varint()
    const entries: [unknown, unknown][] = []
    for (let index = 0; index < length; index++) entries.push([decodeKey(reader), decodeValue(reader)])
    return textKeys ? Object.fromEntries(entries) : new Map(entries)
  }
}

function tupleDecoder(type: ColumnType): CellDecoder | null {
  const decoders = type.inner.map(cellDecoder)
  if (decoders.includes(null)) return null
  const known = decoders as CellDecoder[]
  if (type.names.length === 0) return (reader) => known.map((decode) => decode(reader))
  return (reader) => Object.fromEntries(known.map((decode, index) => [type.names[index], decode(reader)]))
}
