import { type ColumnBatch, pickRows, type RowRange } from '@smart-whale/interfaces'
import { giveBack, ownMemory } from '../../kafka/own-memory.ts'
import type { IngestRow } from '../event-types.ts'
import type { SliceRecord } from '../slice-records.ts'

/** What a store is given of some records: their rows, and the same by column where they lie so. */
export interface RecordRows {
  /** Made when it is read: a store that takes the columns needs no row. */
  readonly rows: readonly IngestRow[]
  readonly columns: ColumnBatch | undefined
}

/** Looked up for one store, and mostly wanted by the other one as well. */
const found = new WeakMap<readonly SliceRecord[], RecordRows>()

/** By slice: copies of its columns that lack some rows. As large as the slice, so that the collector would mark its heap for every few of them. */
const picked = new WeakMap<ColumnBatch, ColumnBatch[]>()

/** Frees what was picked from a slice's columns: nobody looks at its records any more. */
export function dropPicked(columns: ColumnBatch): void {
  for (const { columns: values } of picked.get(columns) ?? []) {
    for (const { bytes, nulls, isConstant } of values) {
      if (isConstant) continue
      giveBack(bytes)
      if (nulls !== null) giveBack(nulls)
    }
  }
  picked.delete(columns)
}

/** The rows of records that have one each. */
export function rowsOfRecords(records: readonly SliceRecord[]): RecordRows {
  const known = found.get(records)
  if (known !== undefined) return known
  const rows: RecordRows = {
    get rows() {
      return records.map((record) => record.row as IngestRow)
    },
    columns: columnsOfRecords(records) ?? undefined,
  }
  found.set(records, rows)
  return rows
}

/** The columns of exactly these records; null when some record has none. All records of a slice that have columns have the same. */
function columnsOfRecords(records: readonly SliceRecord[]): ColumnBatch | null {
  const columns = records[0]?.columns
  if (columns === undefined || !records.every((record) => record.columns === columns)) return null
  return columns.rows === records.length ? columns : pick(columns, rangesOf(records))
}

function pick(columns: ColumnBatch, ranges: readonly RowRange[]): ColumnBatch {
  const rest = pickRows(columns, ranges, ownMemory)
  picked.set(columns, [...(picked.get(columns) ?? []), rest])
  return rest
}

/** Where the rows of these records lie: mostly in few places, with one row or another left out between them. */
function rangesOf(records: readonly SliceRecord[]): RowRange[] {
  const ranges: { from: number; to: number }[] = []
  for (const { columnRow = 0 } of records) {
    const last = ranges.at(-1)
    if (last?.to === columnRow) last.to++
    else ranges.push({ from: columnRow, to: columnRow + 1 })
  }
  return ranges
}
