import { type CallOptions, type ColumnBatch, pickRows, type Row, type RowRange } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, ColumnDescription, ExternalTable } from '../adapter-options.ts'
import { encodeColumns, nativeColumns } from '../native/encode-columns.ts'
import { ByteWriter } from '../row-binary/byte-writer.ts'
import { compileRowEncoder } from '../row-binary/row-encoder.ts'

/** Some columns of rows, as they go along with a query. */
export type SentColumns = Pick<ExternalTable, 'columns' | 'format' | 'data'>

/** Rows among which some may be refused, however they lie in memory. */
export interface Candidates {
  readonly count: number
  insertInto(table: string, part: RowRange, call: CallOptions): Promise<unknown>
  /** These columns of all rows; null when their types are not those of the values. */
  encode(columns: readonly ColumnDescription[]): SentColumns | null
}

/** Rows that are objects. */
export function rowCandidates(adapter: ClickHouseAdapter, rows: readonly Row[]): Candidates {
  return {
    count: rows.length,
    insertInto: (table, { from, to }, call) => adapter.insert(table, rows.slice(from, to), call),
    encode: (columns) => {
      const data = compileRowEncoder('suspects', columns.map((column) => ({ ...column, hasDefault: false })))?.encode(rows, new ByteWriter())
      return data === undefined ? null : { columns, format: 'RowBinaryWithNamesAndTypes', data }
    },
  }
}

/** Rows that lie in columns. `isTaken` becomes false once the table has other types for them. */
export function columnCandidates(adapter: ClickHouseAdapter, batch: ColumnBatch): Candidates & { readonly isTaken: boolean } {
  let isTaken = true
  return {
    get isTaken() {
      return isTaken
    },
    count: batch.rows,
    insertInto: async (table, { from, to }, call) => {
      const isWhole = to - from === batch.rows
      isTaken = (await adapter.insertColumns(table, isWhole ? batch : pickRows(batch, [{ from, to }]), call)) !== null && isTaken
    },
    encode: (columns) => {
      const names = new Set(columns.map(({ name }) => name))
      const asked = nativeColumns({ rows: batch.rows, columns: batch.columns.filter(({ name }) => names.has(name)) }, columns)
      if (asked === null) return null
      const named = asked.map(({ values: { name }, type }) => ({ name, type }))
      return { columns: named, format: 'Native', data: encodeColumns(batch.rows, asked, new ByteWriter()) }
    },
  }
}
