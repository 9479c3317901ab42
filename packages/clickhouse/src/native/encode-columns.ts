import type { ColumnBatch, ColumnLayout, ColumnValues } from '@smart-whale/interfaces'
import type { ColumnDescription } from '../adapter-options.ts'
import type { ByteWriter } from '../row-binary/byte-writer.ts'
import { type ColumnType, parseColumnType } from '../row-binary/column-type.ts'

/** The type that each layout is the memory of. */
const TYPES: Readonly<Record<ColumnLayout, string>> = {
  text: 'String',
  int32: 'Int32',
  int64: 'Int64',
  float64: 'Float64',
  boolean: 'Bool',
  milliseconds: 'DateTime64',
  days: 'Date32',
  uuid: 'UUID',
  decimal32: 'Decimal',
  decimal64: 'Decimal',
}

/** A column of a batch with the type that the table has for it. */
export interface NativeColumn {
  readonly values: ColumnValues
  readonly type: string
}

/** Pairs a batch's columns with the table's; null when one of them isn't there, or has a type whose memory is another. */
export function nativeColumns({ columns }: ColumnBatch, table: readonly ColumnDescription[]): readonly NativeColumn[] | null {
  const types = new Map(table.map(({ name, type }) => [name, type]))
  const paired: NativeColumn[] = []
  for (const values of columns) {
    const type = types.get(values.name)
    if (type === undefined || !isMemoryOf(values, parseColumnType(type))) return null
    paired.push({ values, type })
  }
  return paired
}

function isMemoryOf(values: ColumnValues, type: ColumnType): boolean {
  const [inner] = type.inner
  if (type.name === 'Nullable' && inner !== undefined) return isMemoryOf({ ...values, nulls: null }, inner)
  if (values.nulls !== null) return false
  if (type.name === 'LowCardinality') return values.isConstant && values.layout === 'text' && inner?.name === 'String'
  if (type.name !== TYPES[values.layout]) return false
  if (type.name === 'DateTime64') return type.args[0] === '3'
  return type.name !== 'Decimal' || (Number(type.args[0]) === values.precision && Number(type.args[1]) === values.scale)
}

/**
 * Writes columns as one block of ClickHouse's `Native` format: mostly copies of memory, on both sides of the line. Names and types are in it,
 * so that a table that has changed meanwhile refuses it, as long as the server is told to convert nothing.
 */
export function encodeColumns(rows: number, columns: readonly NativeColumn[], writer: ByteWriter): Uint8Array {
  // At once, and not by doubling: a slice has megabytes.
  writer.reserve(columns.reduce((sum, column) => sum + sizeBound(column, rows), 2 * MOST_VARINT_BYTES))
  writer.varint(columns.length)
  writer.varint(rows)
  for (const { values, type } of columns) {
    writer.string(values.name)
    writer.string(type)
    if (type.startsWith('LowCardinality')) writeDictionary(values.bytes, rows, writer)
    else writeColumn(values, type.startsWith('Nullable'), rows, writer)
  }
  return writer.written()
}

const MOST_VARINT_BYTES = 5
/** A dictionary's head, and the lengths of name and type. */
const MOST_HEAD_BYTES = 64

/** As many bytes as a column takes at most. */
function sizeBound({ values: { name, bytes, isConstant }, type }: NativeColumn, rows: number): number {
  const nulls = rows
  return MOST_HEAD_BYTES + 3 * (name.length + type.length) + nulls + (isConstant ? rows * bytes.length : bytes.length)
}

function writeColumn({ layout, bytes, isConstant, nulls }: ColumnValues, nullable: boolean, rows: number, writer: ByteWriter): void {
  if (nullable && nulls !== null) writer.bytes(nulls)
  else if (nullable) writer.zeros(rows)
  const repeats = isConstant ? rows : 1
  for (let repeat = 0; repeat < repeats; repeat++) {
    if (layout === 'uuid') writeUuids(bytes, writer)
    else writer.bytes(bytes)
  }
}

/** A UUID is two 64-bit numbers, each with its little end first. */
function writeUuids(bytes: Uint8Array, writer: ByteWriter): void {
  const begin = writer.at
  writer.bytes(bytes)
  writer.buffer.subarray(begin, writer.at).swap64()
}

/** Version of the dictionary's form; then: keys of this block alone, places of 8 bits. */
const DICTIONARY_VERSION = 1
const DICTIONARY_FLAGS = 0x600

/** A column of low cardinality in which every row has the one value: a dictionary of one, and its place, zero, for each row. */
function writeDictionary(value: Uint8Array, rows: number, writer: ByteWriter): void {
  writer.safeInt64(DICTIONARY_VERSION)
  writer.safeInt64(DICTIONARY_FLAGS)
  writer.safeInt64(1)
  writer.bytes(value)
  writer.safeInt64(rows)
  writer.zeros(rows)
}
