import { randomUUID } from 'node:crypto'
import { type CallOptions, type ColumnBatch, pickRows, type RefusedRow, type Row, type RowRange, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName, splitTableName } from '../adapter/table-columns.ts'

/**
 * Which rows a table refuses for their data, without storing any: the rows go into a copy of the table whose engine is `Null`. Such a copy
 * has the columns and constraints of the original, and none of its views.
 */
export function findRefusedRows(adapter: ClickHouseAdapter, table: string, rows: readonly Row[], call: CallOptions, atMost = Infinity): Promise<readonly RefusedRow[]> {
  return withProbe(adapter, table, call, (probe) => search(rows.length, atMost, ({ from, to }) => refusalOf(probe, to - from, () => adapter.insert(probe, rows.slice(from, to), call))))
}

/** The same for rows that lie in columns; null when the table has other types for them, so that they have to be encoded as rows. */
export async function findRefusedColumns(adapter: ClickHouseAdapter, table: string, batch: ColumnBatch, call: CallOptions, atMost = Infinity): Promise<readonly RefusedRow[] | null> {
  let isTaken = true
  const refused = await withProbe(adapter, table, call, (probe) =>
    search(batch.rows, atMost, (part) =>
      refusalOf(probe, part.to - part.from, async () => {
        const isWhole = part.to - part.from === batch.rows
        isTaken = (await adapter.insertColumns(probe, isWhole ? batch : pickRows(batch, [part]), call)) !== null && isTaken
      }),
    ),
  )
  return isTaken ? refused : null
}

async function withProbe<T>(adapter: ClickHouseAdapter, table: string, call: CallOptions, work: (probe: string) => Promise<T>): Promise<T> {
  const [database, name] = splitTableName(table, adapter.database)
  const probe = `${database}.smart_whale_probe_${randomUUID().replaceAll('-', '')}`
  await adapter.execute(`CREATE TABLE ${quoteTableName(probe)} AS ${quoteTableName(`${database}.${name}`)} ENGINE = Null`, {}, call)
  try {
    return await work(probe)
  } finally {
    await adapter.execute(`DROP TABLE IF EXISTS ${quoteTableName(probe)} SYNC`, {}, { timeoutMs: 10_000 })
  }
}

/** Why rows are refused together. */
interface Refusal {
  readonly reason: string
  /** The row that is complained of, where one is named; there may be others before it. */
  readonly suspect: number | null
}

/**
 * A part that is taken as a whole has no bad row. One that isn't is cut around the row that the refusal names, and in halves where it names
 * none: a row counts as refused only when it was tried alone.
 */
async function search(rows: number, atMost: number, refusalOfPart: (part: RowRange) => Promise<Refusal | null>): Promise<readonly RefusedRow[]> {
  const refused: RefusedRow[] = []
  // Parts that are still to be tried, the next one last.
  const parts: RowRange[] = [{ from: 0, to: rows }]
  for (let part = parts.pop(); part && refused.length < atMost; part = parts.pop()) {
    const { from, to } = part
    const refusal = from === to ? null : await refusalOfPart(part)
    if (refusal === null) continue
    if (to - from === 1) {
      refused.push({ index: from, reason: refusal.reason })
      continue
    }
    const suspect = from + (refusal.suspect ?? ((to - from) >> 1))
    parts.push({ from: suspect + 1, to }, { from, to: suspect }, { from: suspect, to: suspect + 1 })
  }
  return refused.toSorted((a, b) => a.index - b.index)
}

async function refusalOf(probe: string, rows: number, insert: () => Promise<unknown>): Promise<Refusal | null> {
  try {
    await insert()
    return null
  } catch (error) {
    if (!ValidationError.isInstance(error)) throw error
    const [issue] = error.issues
    const row = issue?.path[0]
    const isNamed = typeof row === 'number' && row >= 0 && row < rows
    return { suspect: isNamed ? row : null, reason: reasonIn(issue?.message ?? error.message, probe) }
  }
}

/** Names column and constraint, not the table that only stands in: its name means nothing to a reader. */
function reasonIn(message: string, probe: string): string {
  return message.replace(/ for table \S+ \([0-9a-f-]{36}\)/, '').replaceAll(probe, 'the table').replace(/ is violated at row \d+/, ' is violated')
}
