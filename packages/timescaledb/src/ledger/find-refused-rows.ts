import { type CallOptions, InfrastructureError, type RefusedRow, type RowRange, ValidationError } from '@smart-whale/interfaces'
import { refuseStaleRefusal } from '../storage/table-descriptions.ts'
import type { TimescaleTransaction } from '../timescale-storage.ts'

/** How rows are tried. */
export interface RefusalSearch {
  /** Stores the rows of a range in the transaction. */
  store(part: RowRange): Promise<unknown>
  /** Whether a failure speaks of the rows' data; any other one ends the search. */
  isRefusal(error: unknown): boolean
  readonly call: CallOptions
  /** Ends the search once so many were found. */
  readonly atMost: number
}

/** Behind a refused row there may be others: so many rows are tried next at least, and more with each part that has none. */
const FEWEST_NEXT = 64
const GROWTH = 4

/**
 * Every row that the store refuses. A part that is stored as a whole has no bad row; one that isn't is cut around the row that the refusal names,
 * and in halves where it names none. Parts are tried in order and what is stored stays, so that of two rows with the same unique key the later
 * one is refused, also when they were far apart; a row is refused only when it was tried alone. The caller rolls the transaction back.
 */
export async function findRefusedRows(transaction: TimescaleTransaction, rows: number, search: RefusalSearch): Promise<RefusedRow[]> {
  const refused: RefusedRow[] = []
  // Parts that are still to be tried, the next one last.
  const parts: RowRange[] = [{ from: 0, to: rows }]
  let most = rows
  for (let part = parts.pop(); part && refused.length < search.atMost; part = parts.pop()) {
    const { from } = part
    const to = Math.min(part.to, from + most)
    if (to < part.to) parts.push({ from: to, to: part.to })
    const failure = from === to ? undefined : await tryPart(transaction, { from, to }, search)
    if (failure === undefined) {
      if (to - from > 1) most *= GROWTH
      continue
    }
    if (to - from === 1) {
      refused.push({ index: from, reason: reasonOf(failure) })
      continue
    }
    const cut = from + (suspectIn(failure, to - from) ?? Math.ceil((to - from) / 2))
    most = Math.max(FEWEST_NEXT, 2 * (cut - from))
    parts.push({ from: cut + 1, to }, { from: cut, to: cut + 1 }, { from, to: cut })
  }
  return refused
}

/** The refusal of a part; `undefined` when it is stored. */
async function tryPart(transaction: TimescaleTransaction, part: RowRange, search: RefusalSearch): Promise<unknown> {
  await transaction.execute('savepoint part', [], search.call)
  try {
    await search.store(part)
    await transaction.execute('release savepoint part', [], search.call)
    return undefined
  } catch (error) {
    if (!search.isRefusal(error)) throw error
    await transaction.execute('rollback to savepoint part', [], search.call)
    await refuseStaleRefusal(error, transaction, search.call)
    await transaction.execute('release savepoint part', [], search.call)
    return error
  }
}

/** Which row of a part the refusal names, if it does. */
function suspectIn(failure: unknown, rows: number): number | undefined {
  const row = ValidationError.isInstance(failure) ? failure.issues[0]?.path[0] : undefined
  return typeof row === 'number' && row >= 0 && row < rows ? row : undefined
}

/** Names column and constraint and never the value: it ends up in logs and dead letters. */
function reasonOf(failure: unknown): string {
  return InfrastructureError.isInstance(failure) ? failure.message : 'the store refuses the row for its data'
}
