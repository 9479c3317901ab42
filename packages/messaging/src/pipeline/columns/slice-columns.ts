import type { ColumnBatch, ColumnValues } from '@smart-whale/interfaces'
import type { IngestRow } from '../event-types.ts'
import type { SliceRecord } from '../slice-records.ts'

/** What a store is given of some records: their rows, and the same by column where they lie so. */
export interface RecordRows {
  /** Made when it is read: a store that takes the columns needs no row. */
  readonly rows: readonly IngestRow[]
  readonly columns: ColumnBatch | undefined
}

/** The rows of records that have one each. */
export function rowsOfRecords(records: readonly SliceRecord[]): RecordRows {
  return {
    get rows() {
      return records.map((record) => record.row as IngestRow)
    },
    columns: columnsOfRecords(records) ?? undefined,
  }
}

/** The columns of exactly these records; undefined when some record has none, or when the columns have rows of others too. */
function columnsOfRecords(records: readonly SliceRecord[]): ColumnBatch | null {
  const chunks: ColumnBatch[] = []
  let expected = 0
  for (const { columns } of records) {
    if (columns === undefined) return null
    if (columns === chunks.at(-1)) continue
    chunks.push(columns)
    expected += columns.rows
  }
  const [first] = chunks
  if (first === undefined || expected !== records.length) return null
  return chunks.length === 1 ? first : { rows: expected, columns: first.columns.map((column, index) => joined(column, chunks, index)) }
}

/** The batches of a slice are of one topic and partition, so that constants are the same in all of them. */
function joined(column: ColumnValues, chunks: readonly ColumnBatch[], index: number): ColumnValues {
  if (column.isConstant) return column
  const parts = chunks.map(({ columns }) => columns[index] as ColumnValues)
  return { ...column, bytes: Buffer.concat(parts.map(({ bytes }) => bytes)), nulls: column.nulls === null ? null : Buffer.concat(parts.map(({ nulls }) => nulls as Uint8Array)) }
}
