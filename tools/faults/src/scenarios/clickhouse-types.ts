import { createAdapter } from '@smart-whale/clickhouse'
import { differencesOfDocuments, differencesOfDynamicValues } from '../../../../packages/clickhouse/test/row-binary/random-documents.ts'
import { type Difference, differencesOfPlainTypes, differencesOfRandomTypes } from '../../../../packages/clickhouse/test/row-binary/round-trip.ts'
import { startManagedClickHouse } from '../../../services/src/index.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'

const FULL = { rounds: 1000 }
const SHORT = { rounds: 20 }
const TYPES = 10
const ROWS = 12
const PLAIN_ROWS = 200
/** Plain types and documents come in one round of so many. */
const PLAIN_EVERY = 10
const TOLD_EVERY = 100
const SHOWN = 5

/** Random types with random values, through our encoder into a real server, and back through our decoder and in the server's own words. */
export async function clickhouseTypes(run: FaultRun): Promise<readonly Finding[]> {
  const { rounds } = run.isShort ? SHORT : FULL
  const server = await startManagedClickHouse()
  run.atEnd(() => server.stop())
  const adapter = createAdapter({ url: server.url, user: server.owner.username, password: server.owner.password })
  run.atEnd(() => adapter.close())
  const found = { types: 0, plain: 0, documents: 0, dynamic: 0 }
  let shown = 0
  const tell = (differences: readonly Difference[]): number => {
    for (const { type, value, found: was, wanted } of differences) if (shown++ < SHOWN) run.tell(`${type}: ${String(value)} became ${String(was)}, not ${String(wanted)}`)
    return differences.length
  }
  for (let round = 0; round < rounds; round++) {
    const seed = (run.seed * rounds + round) & 0x7fff_ffff
    found.types += tell(await differencesOfRandomTypes(adapter, { types: TYPES, rows: ROWS, seed }))
    found.dynamic += tell(await differencesOfDynamicValues(adapter, TYPES, seed))
    if (round % PLAIN_EVERY === 0) {
      found.plain += tell(await differencesOfPlainTypes(adapter, PLAIN_ROWS, seed))
      found.documents += tell(await differencesOfDocuments(adapter, PLAIN_ROWS, seed))
    }
    if ((round + 1) % TOLD_EVERY === 0) run.tell(`${(round + 1) * TYPES} types made of others`)
  }
  return [
    mustBe('types made of others', rounds * TYPES, rounds * TYPES),
    mustBe('values of them that came back as another, or that the server took for another', found.types, 0),
    mustBe('the same of types that are made of nothing else', found.plain, 0),
    mustBe('documents that changed', found.documents, 0),
    mustBe('values that changed in a column that takes all types', found.dynamic, 0),
  ]
}
