import { createAdapter } from '@smart-whale/clickhouse'
import { HOSTILE_TEXTS, hostileText, type InjectionOutcome, probeNames, probeTableName, probeValues } from '@smart-whale/clickhouse/testing'
import { startManagedClickHouse } from '../../../services/src/index.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'

const FULL = { values: 50_000, names: 100_000, tables: 100_000 }
const SHORT = { values: 3_000, names: 2_000, tables: 500 }
const VALUES_AT_ONCE = 100
const NAMES_AT_ONCE = 40
const TABLES_AT_ONCE = 8

/** Texts that end literals, begin comments, look like parameters: as values and as names, in every slot that either can have. */
export async function injection(run: FaultRun): Promise<readonly Finding[]> {
  const length = run.isShort ? SHORT : FULL
  const server = await startManagedClickHouse()
  run.atEnd(() => server.stop())
  const adapter = createAdapter({ url: server.url, database: 'default', user: server.reader.username, password: server.reader.password, maxConnections: 4 })
  run.atEnd(() => adapter.close())
  const random = new SeededChoices(run.seed)
  const below = (limit: number): number => random.below(limit)
  const totals = { values: 0, valuesSame: 0, valuesRefused: 0, names: 0, namesSame: 0, namesRefused: 0, holes: [] as InjectionOutcome['holes'][number][] }

  const texts = (count: number): string[] => Array.from({ length: count }, () => (random.below(10) === 0 ? random.pick(HOSTILE_TEXTS) : hostileText(below)))
  for (let sent = 0; sent < length.values; sent += VALUES_AT_ONCE) {
    const outcome = await probeValues(adapter, texts(VALUES_AT_ONCE))
    totals.values += VALUES_AT_ONCE
    totals.valuesSame += outcome.same
    totals.valuesRefused += outcome.refused
    totals.holes.push(...outcome.holes)
    if (sent % 10_000 === 0) run.tell(`${totals.values} values, ${totals.holes.length} holes`)
  }
  for (let sent = 0; sent < length.names; sent += NAMES_AT_ONCE) {
    const outcome = await probeNames(adapter, texts(NAMES_AT_ONCE))
    totals.names += NAMES_AT_ONCE
    totals.namesSame += outcome.same
    totals.namesRefused += outcome.refused
    totals.holes.push(...outcome.holes)
    if (sent % 10_000 === 0) run.tell(`${totals.names} names, ${totals.holes.length} holes`)
  }
  let tables = 0
  for (let sent = 0; sent < length.tables; sent += TABLES_AT_ONCE) {
    for (const outcome of await Promise.all(texts(TABLES_AT_ONCE).map((text) => probeTableName(adapter, text)))) {
      tables += outcome.refused
      totals.holes.push(...outcome.holes)
    }
    if (sent % 10_000 === 0) run.tell(`${sent} names of tables, ${totals.holes.length} holes`)
  }
  for (const { slot, text, what } of totals.holes.slice(0, 20)) run.tell(`${slot}: ${JSON.stringify(text)} ${what}`)
  return [
    mustBe(`values that came back otherwise than they were sent, or were syntax, of ${totals.values} in 11 slots each (${totals.valuesSame} the same, ${totals.valuesRefused} refused by type)`, totals.holes.filter(({ slot }) => !NAME_SLOT.has(slot)).length, 0),
    mustBe(`names that were syntax, or found another column, of ${totals.names} in 4 slots each (${totals.namesSame} found, ${totals.namesRefused} refused by type)`, totals.holes.filter(({ slot }) => NAME_SLOT.has(slot) && slot !== 'table' && slot !== 'database').length, 0),
    mustBe(`names of tables and databases that were anything but unknown, of ${length.tables} each`, length.tables * 2 - tables, 0),
  ]
}

const NAME_SLOT: ReadonlySet<string> = new Set(['column', 'condition', 'order', 'argument of a function', 'table', 'database'])
