import { isDeepStrictEqual } from 'node:util'
import type { ClickHouseAdapter, ColumnDescription } from '../../src/index.ts'
import { createQueryOptimizer } from '../../src/index.ts'
import { Choices } from '../query-builder/choices.ts'
import { makeTables } from '../query-builder/query-data.ts'
import { RandomSql } from './random-sql.ts'

/** What became of random queries. */
export interface RewriteOutcome {
  /** Queries that the server takes. */
  valid: number
  /** Rewrites by rule. */
  readonly made: Map<string, number>
  /** Queries that give other rows once they are rewritten. */
  readonly wrong: { readonly query: string; readonly rewritten: string; readonly found: unknown; readonly wanted: unknown }[]
}

const AT_ONCE = 4

/** Runs random queries as they are and as the optimizer makes them, with and without naming columns: rows, names and types of columns must be the same. */
export async function checkRewrites(adapter: ClickHouseAdapter, queries: number, seed: number): Promise<RewriteOutcome> {
  const choices = new Choices(seed)
  await makeTables(adapter, choices)
  const random = new RandomSql(choices)
  const optimizer = createQueryOptimizer(adapter)
  const outcome: RewriteOutcome = { valid: 0, made: new Map(), wrong: [] }
  const texts = Array.from({ length: queries }, () => random.query())
  const checkNext = async (): Promise<void> => {
    for (let query = texts.pop(); query !== undefined; query = texts.pop()) {
      const { query: rewritten, rewrites } = await optimizer.optimizeQueryWithColumnExpansion(query)
      for (const { rule } of rewrites) outcome.made.set(rule, (outcome.made.get(rule) ?? 0) + 1)
      if (rewrites.length === 0) continue
      const [wanted, found] = [await answerOf(adapter, query), await answerOf(adapter, rewritten)]
      // What the server refuses has no rows that could be others.
      if (wanted.code !== undefined) continue
      outcome.valid++
      if (!isDeepStrictEqual(found, wanted)) outcome.wrong.push({ query, rewritten, found, wanted })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, checkNext))
  return outcome
}

interface Answer {
  readonly columns?: readonly ColumnDescription[]
  readonly rows?: readonly string[]
  readonly code?: string
}

/** Rows in an order of their own, unless the query gives them one. */
async function answerOf(adapter: ClickHouseAdapter, query: string): Promise<Answer> {
  try {
    const { rows, columns } = await adapter.execute(query)
    const words = rows.map((row) => JSON.stringify(Object.values(row).map((value) => (typeof value === 'bigint' ? `${value}n` : value))))
    return { columns, rows: /order by[^()]*$/i.test(query) ? words : words.sort() }
  } catch (error) {
    return { code: String((error as { serverCodeName?: string }).serverCodeName) }
  }
}
