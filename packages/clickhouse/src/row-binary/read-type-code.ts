import type { ByteReader } from './byte-reader.ts'
import type { ColumnType } from './column-type.ts'
import { CODE, INTERVALS, PLAIN_CODES } from './type-codes.ts'

const PLAIN_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(PLAIN_CODES).map(([name, code]) => [code, name]))

const plain = (name: string, args: readonly string[] = [], inner: readonly ColumnType[] = [], names: readonly string[] = []): ColumnType => ({ name, args, inner, names })

/** Reads a type; null for one that is not known here, behind which nothing can be read. @throws UNDERFLOW */
export function readTypeCode(reader: ByteReader): ColumnType | null {
  const code = reader.byte()
  const name = PLAIN_NAMES.get(code)
  return name === undefined ? readComposed(code, reader) : plain(name)
}

function readComposed(code: number, reader: ByteReader): ColumnType | null {
  switch (code) {
    case CODE.dateTime:
      return plain('DateTime')
    case CODE.dateTimeWithZone:
      return plain('DateTime', [reader.string()])
    case CODE.dateTime64:
      return plain('DateTime64', [String(reader.byte())])
    case CODE.dateTime64WithZone:
      return plain('DateTime64', [String(reader.byte()), reader.string()])
    case CODE.time64:
      return plain('Time64', [String(reader.byte())])
    case CODE.fixedString:
      return plain('FixedString', [String(reader.varint())])
    case CODE.enum8:
    case CODE.enum16:
      return readEnum(code === CODE.enum16, reader)
    case CODE.decimal32:
    case CODE.decimal64:
    case CODE.decimal128:
    case CODE.decimal256:
      return plain('Decimal', [String(reader.byte()), String(reader.byte())])
    case CODE.interval:
      return plain(`Interval${INTERVALS[reader.byte()] ?? ''}`)
    case CODE.custom:
      return plain(reader.string())
    default:
      return readContainer(code, reader)
  }
}

function readContainer(code: number, reader: ByteReader): ColumnType | null {
  switch (code) {
    case CODE.array:
      return withInner('Array', readMany(1, reader))
    case CODE.nullable:
      return withInner('Nullable', readMany(1, reader))
    case CODE.lowCardinality:
      return withInner('LowCardinality', readMany(1, reader))
    case CODE.map:
      return withInner('Map', readMany(2, reader))
    case CODE.tuple:
      return withInner('Tuple', readMany(reader.varint(), reader))
    case CODE.variant:
      return withInner('Variant', readMany(reader.varint(), reader))
    case CODE.namedTuple:
      return readNamed('Tuple', reader)
    case CODE.nested:
      return readNamed('Nested', reader)
    case CODE.json:
      return readJson(reader)
    case CODE.dynamic:
      return plain('Dynamic', [`max_types=${reader.byte()}`])
    case CODE.qbit:
      return readQbit(reader)
    case CODE.simpleAggregate:
      return readSimpleAggregate(reader)
    default:
      return null
  }
}

function withInner(name: string, inner: readonly ColumnType[] | null, names: readonly string[] = []): ColumnType | null {
  return inner === null ? null : plain(name, [], inner, names)
}

function readMany(count: number, reader: ByteReader): readonly ColumnType[] | null {
  const types: ColumnType[] = []
  for (let index = 0; index < count; index++) {
    const type = readTypeCode(reader)
    if (type === null) return null
    types.push(type)
  }
  return types
}

function readNamed(name: string, reader: ByteReader, count = reader.varint()): ColumnType | null {
  const names: string[] = []
  const inner: ColumnType[] = []
  for (let index = 0; index < count; index++) {
    names.push(reader.string())
    const type = readTypeCode(reader)
    if (type === null) return null
    inner.push(type)
  }
  return plain(name, [], inner, names)
}

function readEnum(wide: boolean, reader: ByteReader): ColumnType {
  const args: string[] = []
  for (let left = reader.varint(); left > 0; left--) {
    const name = reader.string().replace(/[\\']/g, '\\$&')
    const value = wide ? reader.buffer.readInt16LE(reader.take(2)) : reader.buffer.readInt8(reader.take(1))
    args.push(`'${name}' = ${value}`)
  }
  return plain(wide ? 'Enum16' : 'Enum8', args)
}

function readJson(reader: ByteReader): ColumnType | null {
  reader.take(1)
  reader.varint()
  reader.take(1)
  const type = readNamed('JSON', reader)
  if (type === null) return null
  // Paths and patterns to skip say nothing of what is there.
  for (const _list of ['paths', 'patterns']) for (let left = reader.varint(); left > 0; left--) reader.string()
  return type
}

function readQbit(reader: ByteReader): ColumnType | null {
  const element = readTypeCode(reader)
  return element === null ? null : plain('QBit', [element.name, String(reader.varint())])
}

function readSimpleAggregate(reader: ByteReader): ColumnType | null {
  reader.string()
  // Parameters are values of any kind; no such function that is in use has any.
  if (reader.varint() > 0) return null
  return withInner('SimpleAggregateFunction', readMany(reader.varint(), reader))
}
