import { randomUUID } from 'node:crypto'
import { type CallOptions, type RefusalSearchOptions, type RefusedRow, type RowRange, ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteTableName, splitTableName } from '../adapter/table-columns.ts'
import type { Candidates } from './candidates.ts'
import type { KnownConstraints } from './known-constraints.ts'
import { tableLacks } from './table-lacks.ts'

/** Where the rows are to go, and how far one looks. */
export interface RefusalSearch extends CallOptions, Pick<RefusalSearchOptions, 'atMost' | 'likely'> {
  readonly adapter: ClickHouseAdapter
  readonly table: string
  /** Of the table; learns from what is found. */
  readonly known: KnownConstraints
}

/**
 * Which rows a table refuses for their data, without storing any: the rows go into a copy of the table whose engine is `Null`. Such a copy
 * has the columns and constraints of the original, and none of its views. To make and remove it takes the server more than to take thousands of
 * rows: a likely refusal for a constraint that has proven itself, of a table that is defined as it was then, is told without.
 */
export async function findRefusedRows(candidates: Candidates, { adapter, table, known, atMost = Infinity, likely = false, ...call }: RefusalSearch): Promise<readonly RefusedRow[]> {
  const suspects = likely ? await known.suspectsAmong(candidates, { adapter, table, atMost, call }) : null
  const proven = suspects === null ? null : known.refusalsOf(suspects)
  if (suspects?.rows.length === 0 || proven !== null) return proven ?? []
  const parts = suspects === null ? [{ from: 0, to: candidates.count }] : suspects.rows.map(({ index }) => ({ from: index, to: index + 1 }))
  const refused = await withProbe(adapter, table, call, (probe) => search(parts, atMost, (part) => refusalOf(probe, part, () => candidates.insertInto(probe, part, call))))
  const wasRight = suspects !== null && refused.length === suspects.rows.length
  if (suspects !== null && !wasRight) known.forget()
  known.learn(refused, suspects !== null)
  if (wasRight) known.prove(suspects)
  return refused
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
 * @param first the parts to begin with, in order
 */
async function search(first: readonly RowRange[], atMost: number, refusalOfPart: (part: RowRange) => Promise<Refusal | null>): Promise<readonly RefusedRow[]> {
  const refused: RefusedRow[] = []
  // Parts that are still to be tried, the next one last.
  const parts = first.toReversed()
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

async function refusalOf(probe: string, { from, to }: RowRange, insert: () => Promise<unknown>): Promise<Refusal | null> {
  try {
    await insert()
    return null
  } catch (error) {
    const lacking = tableLacks(error)
    if (lacking !== null) throw lacking
    if (!ValidationError.isInstance(error)) throw error
    const [issue] = error.issues
    const row = issue?.path[0]
    const isNamed = typeof row === 'number' && row >= 0 && row < to - from
    return { suspect: isNamed ? row : null, reason: reasonIn(issue?.message ?? error.message, probe) }
  }
}

/** Names column and constraint, not the table that only stands in: its name means nothing to a reader. */
function reasonIn(message: string, probe: string): string {
  return message.replace(/ for table \S+ \([0-9a-f-]{36}\)/, '').replaceAll(probe, 'the table').replace(/ is violated at row \d+/, ' is violated')
}
