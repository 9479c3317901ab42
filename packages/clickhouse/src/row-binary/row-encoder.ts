import type { Row } from '@smart-whale/interfaces'
import type { ColumnDescription } from '../adapter-options.ts'
import { DataTypeError } from '../errors.ts'
import { ByteWriter } from './byte-writer.ts'
import { cellEncoder } from './cell-encoder.ts'
import type { CellRefusal } from './cell-refusal.ts'
import { parseColumnType } from './column-type.ts'
import type { CellEncoder } from './encode-number.ts'

/**
 * Turns rows into `RowBinaryWithNamesAndTypes`, which carries the columns' names and types: a table that has changed
 * meanwhile refuses the batch instead of taking the bytes for something else.
 */
export interface RowEncoder {
  /** Encodes a whole batch, into memory of the writer's. @throws DataTypeError naming row and column of the first value that doesn't fit; nothing is sent then */
  encode(rows: readonly Row[], writer?: ByteWriter): Uint8Array
}

/** Compiles the encoder of these columns; null when one of them has a type that needs another format. */
export function compileRowEncoder(table: string, columns: readonly ColumnDescription[]): RowEncoder | null {
  const cells: { name: string; type: string; encode: CellEncoder }[] = []
  for (const { name, type } of columns) {
    const encode = cellEncoder(parseColumnType(type))
    if (encode === null) return null
    cells.push({ name, type, encode })
  }
  const header = headerOf(columns)
  return {
    encode: (rows, writer = new ByteWriter()) => {
      writer.bytes(header)
      for (let index = 0; index < rows.length; index++) {
        const row = rows[index] as Row
        for (const cell of cells) {
          const refusal = cell.encode(writer, row[cell.name])
          if (refusal !== undefined) throw cellError(table, index, cell, refusal)
        }
      }
      return writer.written()
    },
  }
}

function headerOf(columns: readonly ColumnDescription[]): Uint8Array {
  const writer = new ByteWriter(1024)
  writer.varint(columns.length)
  for (const { name } of columns) writer.string(name)
  for (const { type } of columns) writer.string(type)
  return Uint8Array.from(writer.written())
}

function cellError(table: string, row: number, { name, type }: { name: string; type: string }, refusal: CellRefusal): DataTypeError {
  const reason = `column "${name}" of type ${type} ${refusal.reason}`
  return new DataTypeError(`row ${row} does not fit table "${table}": ${reason}; nothing was sent`, { issues: [{ path: [row, name], message: reason }] })
}
