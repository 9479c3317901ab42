import type { ByteWriter } from './byte-writer.ts'
import { type ColumnType, enumEntries } from './column-type.ts'
import { CODE, INTERVALS, PLAIN_CODES } from './type-codes.ts'

const CUSTOM_NAMES = new Set(['Point', 'Ring', 'LineString', 'Polygon', 'MultiLineString', 'MultiPolygon', 'Geometry'])
const ONE_INNER: ReadonlyMap<string, number> = new Map([
  ['Array', CODE.array],
  ['Nullable', CODE.nullable],
  ['LowCardinality', CODE.lowCardinality],
])

/** Writes a type; false, and nothing of use is written, for one that has no code here. */
export function writeTypeCode(writer: ByteWriter, type: ColumnType): boolean {
  const { name, args, inner, names } = type
  const code = PLAIN_CODES[name]
  if (code !== undefined) {
    writer.byte(code)
    return true
  }
  const one = ONE_INNER.get(name)
  if (one !== undefined) {
    writer.byte(one)
    return writeMany(writer, inner)
  }
  switch (name) {
    case 'Map':
      writer.byte(CODE.map)
      return writeMany(writer, inner)
    case 'Variant':
      writer.byte(CODE.variant)
      writer.varint(inner.length)
      return writeMany(writer, inner)
    case 'Tuple':
    case 'Nested':
      return writeNamed(writer, type)
    case 'JSON':
      return args.length === 0 && names.length === 0 && writeJson(writer)
    default:
      return writeWithArguments(writer, type)
  }
}

function writeMany(writer: ByteWriter, types: readonly ColumnType[]): boolean {
  return types.every((type) => writeTypeCode(writer, type))
}

function writeNamed(writer: ByteWriter, { name, inner, names }: ColumnType): boolean {
  const named = names.length > 0
  writer.byte(name === 'Nested' ? CODE.nested : named ? CODE.namedTuple : CODE.tuple)
  writer.varint(inner.length)
  return inner.every((type, index) => (!named || writer.string(names[index] as string)) && writeTypeCode(writer, type))
}

/** With the limits that `JSON` has when none are written. */
function writeJson(writer: ByteWriter): boolean {
  writer.byte(CODE.json)
  writer.byte(0)
  writer.varint(1024)
  writer.byte(32)
  for (let lists = 0; lists < 3; lists++) writer.varint(0)
  return true
}

const unquoted = (text = ''): string => text.replace(/^'|'$/g, '')

function writeWithArguments(writer: ByteWriter, type: ColumnType): boolean {
  const { name, args } = type
  switch (name) {
    case 'DateTime':
      writer.byte(args.length === 0 ? CODE.dateTime : CODE.dateTimeWithZone)
      return args.length === 0 || writer.string(unquoted(args[0]))
    case 'DateTime64':
      writer.byte(args.length < 2 ? CODE.dateTime64 : CODE.dateTime64WithZone)
      writer.byte(Number(args[0]))
      return args.length < 2 || writer.string(unquoted(args[1]))
    case 'Time64':
      writer.byte(CODE.time64)
      writer.byte(Number(args[0]))
      return true
    case 'FixedString':
      writer.byte(CODE.fixedString)
      writer.varint(Number(args[0]))
      return true
    case 'Enum8':
    case 'Enum16':
      return writeEnum(writer, type)
    case 'Decimal':
      return writeDecimal(writer, Number(args[0]), Number(args[1] ?? 0))
    case 'Dynamic':
      writer.byte(CODE.dynamic)
      writer.byte(Number(/\d+/.exec(args[0] ?? '')?.[0] ?? 32))
      return true
    case 'QBit':
      writer.byte(CODE.qbit)
      writer.byte(PLAIN_CODES[args[0] ?? ''] ?? 0)
      writer.varint(Number(args[1]))
      return true
    default:
      return writeNameOnly(writer, name)
  }
}

function writeNameOnly(writer: ByteWriter, name: string): boolean {
  const interval = name.startsWith('Interval') ? INTERVALS.indexOf(name.slice('Interval'.length)) : -1
  if (interval !== -1) {
    writer.byte(CODE.interval)
    writer.byte(interval)
    return true
  }
  if (!CUSTOM_NAMES.has(name)) return false
  writer.byte(CODE.custom)
  return writer.string(name)
}

function writeEnum(writer: ByteWriter, type: ColumnType): boolean {
  const wide = type.name === 'Enum16'
  const entries = enumEntries(type)
  writer.byte(wide ? CODE.enum16 : CODE.enum8)
  writer.varint(entries.size)
  for (const [value, name] of entries) {
    writer.string(name)
    if (wide) writer.int16(value)
    else writer.byte(value & 0xff)
  }
  return true
}

function writeDecimal(writer: ByteWriter, precision: number, scale: number): boolean {
  writer.byte(precision <= 9 ? CODE.decimal32 : precision <= 18 ? CODE.decimal64 : precision <= 38 ? CODE.decimal128 : CODE.decimal256)
  writer.byte(precision)
  writer.byte(scale)
  return true
}
