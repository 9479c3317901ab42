import { createAdapter } from '@smart-whale/clickhouse'
import { checkRewrites } from '../../../../packages/clickhouse/test/optimizer/check-rewrites.ts'
import { startManagedClickHouse } from '../../../services/src/index.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'

const FULL = { rounds: 20 }
const SHORT = { rounds: 1 }
const QUERIES = 500
const RULES = 8
const SHOWN = 3

/** Random SQL over random rows: what the optimizer makes of it has to have the same rows, columns and types. */
export async function optimizer(run: FaultRun): Promise<readonly Finding[]> {
  const { rounds } = run.isShort ? SHORT : FULL
  const server = await startManagedClickHouse()
  run.atEnd(() => server.stop())
  const adapter = createAdapter({ url: server.url, user: server.owner.username, password: server.owner.password })
  run.atEnd(() => adapter.close())
  const made = new Map<string, number>()
  let wrong = 0
  let compared = 0
  for (let round = 0; round < rounds; round++) {
    const outcome = await checkRewrites(adapter, QUERIES, run.seed * rounds + round)
    for (const { query, rewritten } of outcome.wrong.slice(0, SHOWN)) run.tell(`${query} became ${rewritten}`)
    for (const [rule, count] of outcome.made) made.set(rule, (made.get(rule) ?? 0) + count)
    wrong += outcome.wrong.length
    compared += outcome.valid
    run.tell(`${(round + 1) * QUERIES} queries, ${compared} rewritten and compared`)
  }
  run.tell([...made].map(([rule, count]) => `${rule} × ${count}`).join(', '))
  return [
    mustBe('random queries', rounds * QUERIES, rounds * QUERIES),
    mustBe('half of them or more were rewritten, and taken by the server', compared >= (rounds * QUERIES) / 2, true),
    mustBe('rules that were used', made.size, RULES),
    mustBe('rewritten queries with other rows, columns or types, or that the server refused', wrong, 0),
  ]
}
