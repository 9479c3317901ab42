import { CellRefusal, kindOf } from './cell-refusal.ts'
import type { ColumnType } from './column-type.ts'
import { documentEncoder, dynamicEncoder, type EncoderOf, variantEncoder, vectorEncoder } from './encode-document.ts'
import { type CellEncoder, decimalEncoder, floatEncoder, intervalEncoder, largeIntegerEncoder, smallIntegerEncoder } from './encode-number.ts'
import { booleanEncoder, enumEncoder, fixedStringEncoder, ipv4Encoder, ipv6Encoder, stringEncoder, uuidEncoder } from './encode-text.ts'
import { clockEncoder, dayEncoder, fineClockEncoder, secondsEncoder, ticksEncoder } from './encode-time.ts'
import { compositionOf } from './geo-types.ts'

const number = (type: ColumnType, index: number): number => Number(type.args[index] ?? 0)

const ENCODERS: Readonly<Record<string, EncoderOf>> = {
  Int8: () => smallIntegerEncoder(8, true),
  Int16: () => smallIntegerEncoder(16, true),
  Int32: () => smallIntegerEncoder(32, true),
  UInt8: () => smallIntegerEncoder(8, false),
  UInt16: () => smallIntegerEncoder(16, false),
  UInt32: () => smallIntegerEncoder(32, false),
  Int64: () => largeIntegerEncoder(64, true),
  Int128: () => largeIntegerEncoder(128, true),
  Int256: () => largeIntegerEncoder(256, true),
  UInt64: () => largeIntegerEncoder(64, false),
  UInt128: () => largeIntegerEncoder(128, false),
  UInt256: () => largeIntegerEncoder(256, false),
  BFloat16: () => floatEncoder(16),
  Float32: () => floatEncoder(32),
  Float64: () => floatEncoder(64),
  Decimal: (type) => decimalEncoder(number(type, 0), number(type, 1)),
  String: () => stringEncoder,
  FixedString: (type) => fixedStringEncoder(number(type, 0)),
  Bool: () => booleanEncoder,
  UUID: () => uuidEncoder,
  IPv4: () => ipv4Encoder,
  IPv6: () => ipv6Encoder,
  Enum8: enumEncoder,
  Enum16: enumEncoder,
  Date: () => dayEncoder(false),
  Date32: () => dayEncoder(true),
  DateTime: () => secondsEncoder(),
  DateTime64: (type) => ticksEncoder(number(type, 0)),
  Time: () => clockEncoder(),
  Time64: (type) => fineClockEncoder(number(type, 0)),
  Nullable: ({ inner: [inner] }) => nullableEncoder(inner),
  // On the wire these two are their inner type.
  LowCardinality: ({ inner: [inner] }) => (inner === undefined ? null : cellEncoder(inner)),
  SimpleAggregateFunction: ({ inner: [inner] }) => (inner === undefined ? null : cellEncoder(inner)),
  Array: ({ inner: [inner] }) => arrayEncoder(inner),
  Map: ({ inner: [key, value] }) => mapEncoder(key, value),
  Tuple: tupleEncoder,
  Variant: (type) => variantEncoder(type, cellEncoder),
  Dynamic: () => dynamicEncoder(cellEncoder),
  JSON: () => documentEncoder,
  QBit: (type) => vectorEncoder(type, cellEncoder),
}

/** The encoder of a type; null for a type that has none here: the states of aggregate functions, which a column of their own sends as text. */
export function cellEncoder(type: ColumnType): CellEncoder | null {
  if (Object.hasOwn(ENCODERS, type.name)) return (ENCODERS[type.name] as EncoderOf)(type)
  if (type.name.startsWith('Interval')) return intervalEncoder
  const composition = compositionOf(type)
  return composition === null ? null : cellEncoder(composition)
}

function nullableEncoder(inner: ColumnType | undefined): CellEncoder | null {
  const encode = inner === undefined ? null : cellEncoder(inner)
  if (encode === null) return null
  return (writer, value) => {
    const absent = value === null || value === undefined
    writer.byte(absent ? 1 : 0)
    return absent ? undefined : encode(writer, value)
  }
}

function arrayEncoder(inner: ColumnType | undefined): CellEncoder | null {
  const encode = inner === undefined ? null : cellEncoder(inner)
  if (encode === null) return null
  return (writer, value) => {
    if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && !(value instanceof DataView))) return new CellRefusal(`must be an array, is a ${kindOf(value)}`)
    const elements = value as ArrayLike<unknown>
    writer.varint(elements.length)
    for (let index = 0; index < elements.length; index++) {
      const refusal = encode(writer, elements[index])
      if (refusal !== undefined) return new CellRefusal(`element ${index} ${refusal.reason}`)
    }
    return undefined
  }
}

function mapEncoder(key: ColumnType | undefined, value: ColumnType | undefined): CellEncoder | null {
  const encodeKey = key === undefined ? null : cellEncoder(key)
  const encodeValue = value === undefined ? null : cellEncoder(value)
  if (encodeKey === null || encodeValue === null) return null
  return (writer, map) => {
    if (typeof map !== 'object' || map === null || Array.isArray(map)) return new CellRefusal(`must be a Map or an object, is a ${kindOf(map)}`)
    const entries = map instanceof Map ? [...(map as Map<unknown, unknown>)] : Object.entries(map)
    writer.varint(entries.length)
    for (const [entryKey, entryValue] of entries) {
      const refusal = encodeKey(writer, entryKey) ?? encodeValue(writer, entryValue)
      if (refusal !== undefined) return new CellRefusal(`an entry ${refusal.reason}`)
    }
    return undefined
  }
}

function tupleEncoder(type: ColumnType): CellEncoder | null {
  const encoders = type.inner.map(cellEncoder)
  if (encoders.includes(null)) return null
  const known = encoders as CellEncoder[]
  return (writer, value) => {
    const elements = Array.isArray(value) ? value : type.names.length > 0 && typeof value === 'object' && value !== null ? type.names.map((name) => (value as Record<string, unknown>)[name]) : null
    if (elements === null || elements.length !== known.length) return new CellRefusal(`must be an array of ${known.length}${type.names.length > 0 ? ' or an object with its names' : ''}, is a ${kindOf(value)}`)
    for (const [index, encode] of known.entries()) {
      const refusal = encode(writer, elements[index])
      if (refusal !== undefined) return new CellRefusal(`element ${type.names[index] ?? index} ${refusal.reason}`)
    }
    return undefined
  }
}
