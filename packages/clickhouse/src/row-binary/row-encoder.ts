import type { Row } from '@smart-whale/interfaces'
import type { ColumnDescription } from '../adapter-options.ts'
import { DataTypeError } from '../errors.ts'
import { ByteWriter } from './byte-writer.ts'
import { cellEncoder } from './cell-encoder.ts'
import { parseColumnType } from './column-type.ts'
import { stateEncoder } from './encode-document.ts'
import { type RefusedCell, type RowWriter, rowWriter, type WrittenColumn } from './row-writer.ts'

/**
 * Turns rows into `RowBinaryWithNamesAndTypes`, which carries the columns' names and types: a table that has changed
 * meanwhile refuses the batch instead of taking the bytes for something else.
 */
export interface RowEncoder {
  /** The columns as they are sent: the table's, but for those that the server has to convert. */
  readonly sent: readonly ColumnDescription[]
  /** Settings without which the server would take the bytes for something else. */
  readonly settings: Readonly<Record<string, string>>
  /** Encodes a whole batch, into memory of the writer's. @throws DataTypeError naming row and column of the first value that doesn't fit; nothing is sent then */
  encode(rows: readonly Row[], writer?: ByteWriter): Uint8Array
}

/** Compiles the encoder of these columns; null when one of them has a type that needs another format. */
export function compileRowEncoder(table: string, columns: readonly ColumnDescription[]): RowEncoder | null {
  const written: WrittenColumn[] = []
  const sent: ColumnDescription[] = []
  for (const { name, type } of columns) {
    const parsed = parseColumnType(type)
    const isState = parsed.name === 'AggregateFunction'
    const encode = isState ? stateEncoder : cellEncoder(parsed)
    if (encode === null) return null
    written.push({ name, type, encode })
    sent.push({ name, type: isState ? 'String' : type })
  }
  const header = headerOf(sent)
  const writeRow = rowWriter(written)
  return {
    sent,
    settings: sent.some(({ type }) => /JSON|Dynamic/.test(type)) ? DOCUMENT_SETTINGS : {},
    encode: (rows, writer = new ByteWriter()) => {
      writer.bytes(header)
      encodeRows(table, rows, writeRow, writer)
      return writer.written()
    },
  }
}

/** A document is sent as text, in which text stays text: what looks like a day is none, unless its path is typed so. */
const DOCUMENT_SETTINGS = {
  input_format_binary_read_json_as_string: '1',
  input_format_try_infer_dates: '0',
  input_format_try_infer_datetimes: '0',
  date_time_input_format: 'best_effort',
} as const

/** As far ahead as memory takes to answer; what was fetched much earlier is pushed out again. */
const ROWS_AHEAD = 2

function encodeRows(table: string, rows: readonly Row[], writeRow: RowWriter, writer: ByteWriter): void {
  for (let index = 0; index < rows.length; index++) {
    const refused = writeRow(writer, rows[index] as Row, rows[Math.min(index + ROWS_AHEAD, rows.length - 1)] as Row)
    if (refused !== undefined) throw cellError(table, index, refused)
  }
}

function headerOf(columns: readonly ColumnDescription[]): Uint8Array {
  const writer = new ByteWriter(1024)
  writer.varint(columns.length)
  for (const { name } of columns) writer.string(name)
  for (const { type } of columns) writer.string(type)
  return Uint8Array.from(writer.written())
}

function cellError(table: string, row: number, { column: { name, type }, refusal }: RefusedCell): DataTypeError {
  const reason = `column "${name}" of type ${type} ${refusal.reason}`
  return new DataTypeError(`row ${row} does not fit table "${table}": ${reason}; nothing was sent`, { issues: [{ path: [row, name], message: reason }] })
}
