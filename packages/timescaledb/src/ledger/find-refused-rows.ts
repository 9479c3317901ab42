import { type CallOptions, InfrastructureError, type RefusedRow, type Row } from '@smart-whale/interfaces'
import type { TimescaleTransaction } from '../timescale-storage.ts'

/** How rows are tried. */
export interface RefusalSearch {
  /** Stores some rows in the transaction. */
  store(rows: readonly Row[]): Promise<void>
  /** Rows that are known to be refused; they are not tried. */
  readonly known: readonly RefusedRow[]
  /** Whether a failure speaks of the rows' data; any other one ends the search. */
  isRefusal(error: unknown): boolean
  readonly call: CallOptions
  /** Ends the search once so many were found. */
  readonly atMost: number
}

interface Candidate {
  readonly index: number
  readonly row: Row
}

/**
 * Every row that the store refuses, by halving: a part that is stored as a whole has no bad row, a part that isn't is tried in halves.
 * Parts are tried in order and what is stored stays, so that of two rows with the same unique key the later one is refused, also when
 * they were far apart. The caller rolls the transaction back.
 */
export async function findRefusedRows(transaction: TimescaleTransaction, rows: readonly Row[], search: RefusalSearch): Promise<RefusedRow[]> {
  const refused = [...search.known]
  const skipped = new Set(refused.map(({ index }) => index))
  const candidates = rows.map((row, index) => ({ index, row })).filter(({ index }) => !skipped.has(index))
  // Parts that are still to be tried, the next one last.
  const parts: Candidate[][] = candidates.length > 0 ? [candidates] : []
  for (let part = parts.pop(); part && refused.length < search.atMost; part = parts.pop()) {
    const failure = await tryPart(transaction, part, search)
    if (failure === undefined) continue
    const middle = Math.ceil(part.length / 2)
    if (part.length === 1) refused.push({ index: (part[0] as Candidate).index, reason: reasonOf(failure) })
    else parts.push(part.slice(middle), part.slice(0, middle))
  }
  return refused.sort((a, b) => a.index - b.index)
}

/** The refusal of a part; `undefined` when it is stored. */
async function tryPart(transaction: TimescaleTransaction, part: readonly Candidate[], search: RefusalSearch): Promise<unknown> {
  await transaction.execute('savepoint part', [], search.call)
  try {
    await search.store(part.map(({ row }) => row))
    await transaction.execute('release savepoint part', [], search.call)
    return undefined
  } catch (error) {
    if (!search.isRefusal(error)) throw error
    await transaction.execute('rollback to savepoint part', [], search.call)
    await transaction.execute('release savepoint part', [], search.call)
    return error
  }
}

/** Names column and constraint and never the value: it ends up in logs and dead letters. */
function reasonOf(failure: unknown): string {
  return InfrastructureError.isInstance(failure) ? failure.message : 'the store refuses the row for its data'
}
