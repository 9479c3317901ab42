import { type ColumnBatch, pickRows, type RefusalSearchOptions, type RefusedRow, type Row, type RowRange, type TransactionalBatchWriter, ValidationError } from '@smart-whale/interfaces'
import { isPartitionMissing } from '../partitions/partition-missing.ts'
import { isAltered } from '../storage/table-descriptions.ts'
import type { TimescaleTransaction } from '../timescale-storage.ts'
import { beginWriting, columnsOf, type WriterParts } from './begin-writing.ts'
import { findRefusedRows, type RefusalSearch } from './find-refused-rows.ts'
import { tableLacks } from './table-lacks.ts'

/** Which rows the table refuses, of rows or of columns; see {@link findRefusedRows}. Nothing stays. */
export function refusalFinder<R extends object>(parts: WriterParts): Required<Pick<TransactionalBatchWriter<R>, 'findRefused' | 'findRefusedColumns'>> {
  return {
    findRefused: (rows, options = {}) => searchAnew(parts, () => findRefused(parts, rows as readonly Row[], options)),
    findRefusedColumns: (columns, options = {}) => searchAnew(parts, () => findRefusedColumns(parts, columns, options)),
  }
}

/** A table that was made again may lack partitions and have columns of other types: each of the two is found out by an attempt. */
const MOST_ATTEMPTS = 3

/** Searches anew when a partition was dropped, or a column got another type, after it was last seen. */
async function searchAnew<T>({ partitions, table }: WriterParts, search: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await search()
    } catch (error) {
      const isMissing = isPartitionMissing(error)
      if (isMissing) partitions.forget(table)
      if (attempt === MOST_ATTEMPTS || !(isMissing || isAltered(error))) throw error
    }
  }
}

async function findRefused(parts: WriterParts, rows: readonly Row[], { signal, atMost = Infinity }: RefusalSearchOptions): Promise<readonly RefusedRow[]> {
  if (rows.length === 0) return []
  const { partitions, table } = parts
  const call = { signal, timeoutMs: parts.timeoutMs }
  const columns = parts.columns ?? columnsOf(rows)
  const known = await partitions.makeRoomFor(table, rows, call)
  // Where each of the rows stands that are left to be tried.
  const skipped = new Set(known.map(({ index }) => index))
  const places = [...rows.keys()].filter((place) => !skipped.has(place))
  const found = await searchRefused(parts, places.length, { call, atMost: atMost - known.length }, (transaction, { from, to }) =>
    transaction.bulkInsert(table, places.slice(from, to).map((place) => rows[place] as Row), { columns, ...call }),
  )
  return [...known, ...found.map(({ index, reason }) => ({ index: places[index] as number, reason }))].sort((a, b) => a.index - b.index)
}

async function findRefusedColumns(parts: WriterParts, batch: ColumnBatch, { signal, atMost = Infinity }: RefusalSearchOptions): Promise<readonly RefusedRow[] | null> {
  if (batch.rows === 0) return []
  const { partitions, table, columns } = parts
  const call = { signal, timeoutMs: parts.timeoutMs }
  if ((await partitions.ensureForColumns?.(table, batch, call)) !== true) return null
  let isTaken = true
  const found = await searchRefused(parts, batch.rows, { call, atMost }, async (transaction, part) => {
    const rows = part.to - part.from === batch.rows ? batch : pickRows(batch, [part])
    isTaken &&= (await transaction.insertColumns(table, rows, { columns, ...call })) !== null
  })
  return isTaken ? found : null
}

async function searchRefused(
  parts: WriterParts,
  rows: number,
  search: Pick<RefusalSearch, 'call' | 'atMost'>,
  store: (transaction: TimescaleTransaction, part: RowRange) => Promise<unknown>,
): Promise<RefusedRow[]> {
  const transaction = await beginWriting(parts, search.call)
  try {
    return await findRefusedRows(transaction, rows, { ...search, isRefusal, store: (part) => store(transaction, part) })
  } catch (error) {
    throw tableLacks(error) ?? error
  } finally {
    await transaction.rollback().catch(() => {})
  }
}

/** A partition or a column that is missing looks like a refused row, but says nothing about the row. */
function isRefusal(error: unknown): boolean {
  return ValidationError.isInstance(error) && !isPartitionMissing(error) && tableLacks(error) === null
}
