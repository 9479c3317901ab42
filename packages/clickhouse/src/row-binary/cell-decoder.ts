import type { ByteReader } from './byte-reader.ts'
import type { CellDecoder } from './cell-decoder-port.ts'
import type { ColumnType } from './column-type.ts'
import { documentDecoder, dynamicDecoder, variantDecoder, vectorDecoder } from './decode-document.ts'
import { bfloat16, decimalDecoder, largeIntegerDecoder } from './decode-number.ts'
import { enumDecoder, fixedStringDecoder, ipv4, ipv6, stringOrBytes, uuid } from './decode-text.ts'
import { fineTimeOfDay, isoDay, ticksDecoder, timeOfDay } from './decode-time.ts'
import { compositionOf } from './geo-types.ts'

type DecoderMaker = (type: ColumnType) => CellDecoder | null

const number = (type: ColumnType, index: number): number => Number(type.args[index] ?? 0)

const DECODERS: Readonly<Record<string, DecoderMaker>> = {
  Int8: () => (reader) => reader.buffer.readInt8(reader.take(1)),
  Int16: () => (reader) => reader.buffer.readInt16LE(reader.take(2)),
  Int32: () => (reader) => reader.buffer.readInt32LE(reader.take(4)),
  UInt8: () => (reader) => reader.byte(),
  UInt16: () => (reader) => reader.buffer.readUInt16LE(reader.take(2)),
  UInt32: () => (reader) => reader.buffer.readUInt32LE(reader.take(4)),
  Int64: () => int64,
  UInt64: () => (reader) => reader.buffer.readBigUInt64LE(reader.take(8)),
  Int128: () => largeIntegerDecoder(16, true),
  Int256: () => largeIntegerDecoder(32, true),
  UInt128: () => largeIntegerDecoder(16, false),
  UInt256: () => largeIntegerDecoder(32, false),
  Float32: () => (reader) => reader.buffer.readFloatLE(reader.take(4)),
  Float64: () => (reader) => reader.buffer.readDoubleLE(reader.take(8)),
  BFloat16: () => bfloat16,
  Decimal: (type) => decimalDecoder(number(type, 0), number(type, 1)),
  String: () => stringOrBytes,
  FixedString: (type) => fixedStringDecoder(number(type, 0)),
  Bool: () => (reader) => reader.byte() !== 0,
  UUID: () => uuid,
  IPv4: () => ipv4,
  IPv6: () => ipv6,
  Enum8: enumDecoder,
  Enum16: enumDecoder,
  Date: () => (reader) => isoDay(reader.buffer.readUInt16LE(reader.take(2))),
  Date32: () => (reader) => isoDay(reader.buffer.readInt32LE(reader.take(4))),
  DateTime: () => (reader) => new Date(reader.buffer.readUInt32LE(reader.take(4)) * 1000),
  DateTime64: (type) => ticksDecoder(number(type, 0)),
  Time: () => timeOfDay,
  Time64: (type) => fineTimeOfDay(number(type, 0)),
  Nothing: () => () => null,
  Nullable: ({ inner: [inner] }) => nullableDecoder(inner),
  // On the wire these two are their inner type.
  LowCardinality: ({ inner: [inner] }) => (inner === undefined ? null : cellDecoder(inner)),
  SimpleAggregateFunction: ({ inner: [inner] }) => (inner === undefined ? null : cellDecoder(inner)),
  Array: ({ inner: [inner] }) => arrayDecoder(inner),
  Map: ({ inner: [key, value] }) => mapDecoder(key, value),
  Tuple: tupleDecoder,
  Variant: (type) => variantDecoder(type, cellDecoder),
  Dynamic: () => dynamicDecoder(cellDecoder),
  JSON: (type) => documentDecoder(type, cellDecoder),
  QBit: (type) => vectorDecoder(type, cellDecoder),
}

/**
 * The decoder of a type; null for a type that has none: the states of aggregate functions, whose bytes only the server can tell apart.
 * Integers of 64 bits and more, and intervals, are `bigint`, decimals strings, `DateTime` and `DateTime64` up to milliseconds a `Date`, a finer `DateTime64` ISO text,
 * `Date` an ISO day, `Time` text like `12:34:56`, text that is no UTF-8 its bytes, a named tuple an object, any other tuple an array, a map with text keys an object,
 * any other map a `Map`, a JSON document a nested object.
 */
export function cellDecoder(type: ColumnType): CellDecoder | null {
  if (Object.hasOwn(DECODERS, type.name)) return (DECODERS[type.name] as DecoderMaker)(type)
  if (type.name.startsWith('Interval')) return int64
  const composition = compositionOf(type)
  return composition === null ? null : cellDecoder(composition)
}

function int64(reader: ByteReader): bigint {
  return reader.buffer.readBigInt64LE(reader.take(8))
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
    return textKeys && entries.every(([name]) => typeof name === 'string') ? Object.fromEntries(entries) : new Map(entries)
  }
}

function tupleDecoder(type: ColumnType): CellDecoder | null {
  const decoders = type.inner.map(cellDecoder)
  if (decoders.includes(null)) return null
  const known = decoders as CellDecoder[]
  if (type.names.length === 0) return (reader) => known.map((decode) => decode(reader))
  return (reader) => Object.fromEntries(known.map((decode, index) => [type.names[index], decode(reader)]))
}
