import { createAdapter } from '@smart-whale/clickhouse'
import { wrongAnswers } from '../../../../packages/clickhouse/test/query-builder/check-plans.ts'
import { Choices } from '../../../../packages/clickhouse/test/query-builder/choices.ts'
import { tryHostileTexts } from '../../../../packages/clickhouse/test/query-builder/hostile-names.ts'
import { startManagedClickHouse } from '../../../services/src/index.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'

const FULL = { rounds: 20, texts: 100_000 }
const SHORT = { rounds: 1, texts: 2_000 }
const QUERIES = 500
const SHOWN = 3

/** Random queries over random rows against plain code; then texts that try to break out, as names and as values, through a read-only user. */
export async function queryBuilder(run: FaultRun): Promise<readonly Finding[]> {
  const { rounds, texts } = run.isShort ? SHORT : FULL
  const server = await startManagedClickHouse()
  run.atEnd(() => server.stop())
  const adapter = createAdapter({ url: server.url, user: server.owner.username, password: server.owner.password })
  run.atEnd(() => adapter.close())
  let wrong = 0
  for (let round = 0; round < rounds; round++) {
    const answers = await wrongAnswers(adapter, QUERIES, run.seed * rounds + round)
    for (const { query, found } of answers.slice(0, SHOWN)) run.tell(`${query}: ${typeof found === 'string' ? found : 'other rows'}`)
    wrong += answers.length
    run.tell(`${(round + 1) * QUERIES} queries`)
  }
  const hostile = await tryHostileTexts(adapter, texts, new Choices(run.seed))
  for (const what of hostile.wrong.slice(0, SHOWN)) run.tell(what)
  return [
    mustBe('built queries', rounds * QUERIES, rounds * QUERIES),
    mustBe('whose rows were not what plain code works out, or that the server refused', wrong, 0),
    mustBe('hostile texts that were neither refused, nor there again as name and value', hostile.wrong.length, 0),
    mustBe('hostile texts were refused, and kept', hostile.refused > texts && hostile.kept > texts / 4, true),
  ]
}
