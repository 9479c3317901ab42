import type { ColumnBatch, ColumnLayout, ColumnValues } from './column-batch.ts'

/** Rows of a batch from one on, up to another one that isn't among them. */
export interface RowRange {
  readonly from: number
  readonly to: number
}

/** Bytes of a value; a text has its own length. */
const WIDTHS: Readonly<Record<ColumnLayout, number | null>> = { text: null, int32: 4, int64: 8, float64: 8, boolean: 1, milliseconds: 8, days: 4, uuid: 16, decimal32: 4, decimal64: 8 }

/** Gives so many bytes of memory, whatever is in them. */
type Allocate = (bytes: number) => Uint8Array

/**
 * Some rows of a batch, as a batch of their own that lies elsewhere in memory.
 * @param ranges ascending, without overlap, within the batch
 * @param allocate where the picked values lie, for who frees that by hand. @default memory of the collector's
 */
export function pickRows({ columns }: ColumnBatch, ranges: readonly RowRange[], allocate: Allocate = (bytes) => Buffer.allocUnsafe(bytes)): ColumnBatch {
  const rows = ranges.reduce((sum, { from, to }) => sum + to - from, 0)
  return { rows, columns: columns.map((column) => (column.isConstant ? column : pickValues(column, ranges, allocate))) }
}

function pickValues(column: ColumnValues, ranges: readonly RowRange[], allocate: Allocate): ColumnValues {
  const width = WIDTHS[column.layout]
  const bytes = width === null ? textsOf(column.bytes, ranges) : valuesOf(column.bytes, width, ranges)
  return { ...column, bytes: joined(bytes, allocate), nulls: column.nulls === null ? null : joined(valuesOf(column.nulls, 1, ranges), allocate) }
}

function joined(parts: readonly Uint8Array[], allocate: Allocate): Uint8Array {
  const whole = allocate(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const valuesOf = (bytes: Uint8Array, width: number, ranges: readonly RowRange[]): Uint8Array[] => ranges.map(({ from, to }) => bytes.subarray(from * width, to * width))

function textsOf(bytes: Uint8Array, ranges: readonly RowRange[]): Uint8Array[] {
  let row = 0
  let at = 0
  return ranges.map(({ from, to }) => {
    const start = behindTexts(bytes, at, from - row)
    at = behindTexts(bytes, start, to - from)
    row = to
    return bytes.subarray(start, at)
  })
}

/** Where so many texts end that begin here, each behind its length as LEB128. */
function behindTexts(bytes: Uint8Array, start: number, count: number): number {
  let at = start
  for (let left = count; left > 0; left--) {
    let length = 0
    let factor = 1
    let byte = bytes[at++] as number
    for (; byte >= 0x80; byte = bytes[at++] as number) {
      length += (byte & 0x7f) * factor
      factor *= 0x80
    }
    at += length + byte * factor
  }
  return at
}
