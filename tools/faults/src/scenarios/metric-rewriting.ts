import { createAdapter } from '@smart-whale/clickhouse'
import { checkRewriting } from '../../../../packages/clickhouse/test/metrics/check-rewriting.ts'
import { startManagedClickHouse } from '../../../services/src/index.ts'
import { flightFigures } from '../flight-metrics.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'

const SETS = 20
const SHORT_SETS = 1
const QUESTIONS_OF_A_SET = 500
const ROWS = 4000

/** Random questions about random rows: whichever rollup takes one answers what the source answers. */
export async function metricRewriting(run: FaultRun): Promise<readonly Finding[]> {
  const { url, owner, stop } = await startManagedClickHouse()
  run.atEnd(() => stop())
  const login = { url, user: owner.username, password: owner.password }
  const root = createAdapter({ ...login, database: 'default' })
  run.atEnd(() => root.close())
  await root.execute('CREATE DATABASE rewriting')
  const adapter = createAdapter({ ...login, database: 'rewriting' })
  run.atEnd(() => adapter.close())
  const sets = run.isShort ? SHORT_SETS : SETS
  const byRollup: Record<string, number> = {}
  const differences: string[] = []
  let rawOnly = 0
  for (let set = 0; set < sets; set++) {
    const found = await checkRewriting({ owner: adapter, sets: 1, questions: QUESTIONS_OF_A_SET, rows: ROWS, seed: run.seed * 1000 + set })
    rawOnly += found.rawOnly
    for (const [name, count] of Object.entries(found.byRollup)) byRollup[name] = (byRollup[name] ?? 0) + count
    for (const difference of found.differences) run.tell(difference)
    differences.push(...found.differences)
    run.tell(`${(set + 1) * QUESTIONS_OF_A_SET} questions; answers of rollups: ${JSON.stringify(byRollup)}; of the source alone: ${rawOnly}`)
  }
  const figures = await flightFigures(adapter, run.isShort ? 'default' : 'full', run.tell)
  for (const { question, rollup, raw, rolledUp } of figures) {
    run.tell(`${question}: ${raw.rows} rows and ${raw.bytes} bytes of the source, ${rolledUp.rows} rows and ${rolledUp.bytes} bytes of ${rollup}`)
  }
  const questions = sets * QUESTIONS_OF_A_SET
  const compared = Object.values(byRollup).reduce((sum, count) => sum + count, 0)
  return [
    mustBe(`answers of rollups that differ from the source's, of ${compared} to ${questions} questions`, differences.length, 0),
    mustBe('questions that a rollup answered, at least a third', questions - rawOnly >= questions / 3, true),
    mustBe('rollups that answered', Object.keys(byRollup).length, 5),
    mustBe(`questions about the sample's flights that a rollup answered as the source did, of ${figures.length}`, figures.filter(({ areEqual, rollup }) => areEqual && rollup !== 'flights').length, figures.length),
    ...figures.map(({ question, raw, rolledUp }) => atLeast(`${question}: times as much that the source has to read, in bytes`, raw.bytes / rolledUp.bytes, run.isShort ? 1 : 20)),
  ]
}

function atLeast(what: string, found: number, goal: number): Finding {
  return { what, found: `${Math.round(found)} ×`, goal: `≥ ${goal} ×`, isMet: found >= goal }
}
