import type { ColumnBatch, ColumnValues } from '@smart-whale/interfaces'
import { SIGNATURE, TRAILER } from '../copy-format.ts'
import type { TargetColumn } from '../describe-table.ts'
import type { ColumnFields } from './column-fields.ts'
import { fieldsOf } from './fields-of.ts'
import { LENGTH_BYTES, RowBlock } from './row-block.ts'

/** Columns of a batch with those of the table that they fill. */
export interface ColumnPair {
  readonly values: ColumnValues
  readonly target: TargetColumn
}

/**
 * Columns as the data of a binary COPY, byte for byte what their rows would be; null when one of them, or one of its values, is to be decided
 * on by rows. Nothing is made for a row, and next to nothing for a value.
 */
export function encodeColumns({ rows }: Pick<ColumnBatch, 'rows'>, pairs: readonly ColumnPair[]): Uint8Array[] | null {
  const columns: ColumnFields[] = []
  for (const { values, target } of pairs) {
    const fields = fieldsOf(values, target)
    if (fields === null) return null
    columns.push(fields)
  }
  const block = new RowBlock(averageRowBytes(rows, pairs))
  const chunks: Uint8Array[] = [SIGNATURE]
  for (let first = 0; first < rows; first += block.mostRows) {
    block.begin(first, Math.min(block.mostRows, rows - first))
    if (!columns.every((column) => column.measure(block))) return null
    block.open(columns.length)
    if (!columns.every((column) => column.write(block))) return null
    chunks.push(block.written())
  }
  chunks.push(TRAILER)
  return chunks
}

/**
 * Frees what {@link encodeColumns} made: nobody may still read it. Megabytes for each batch, which lived long enough to be old when they were sent, would
 * stay until the collector went through all of the heap.
 */
export function freeChunks(chunks: readonly Uint8Array[]): void {
  for (const { buffer, byteLength } of chunks.slice(1, -1)) {
    // A small one is a part of memory that others have parts of.
    if (byteLength === buffer.byteLength) (buffer as ArrayBuffer).transfer(0)
  }
}

function averageRowBytes(rows: number, pairs: readonly ColumnPair[]): number {
  const bytes = pairs.reduce((sum, { values: { isConstant, bytes } }) => sum + LENGTH_BYTES + (isConstant ? bytes.length : bytes.length / rows), 0)
  return Math.max(1, bytes)
}
