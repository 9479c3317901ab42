import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ClickHouseAdapter, createAnalyticsService, createMetricsLayer, createRollupManager, defineMetrics, type RollupOutcome } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

const visits = defineMetrics({
  sources: { visits: { table: 'visits', time: 'at' } },
  dimensions: { country: { source: 'visits' } },
  metrics: { visits: { source: 'visits', measure: 'count' }, users: { source: 'visits', measure: 'uniqExact', of: 'user' } },
  rollups: { daily: { source: 'visits', grain: 'day', dimensions: ['country'], metrics: ['visits', 'users'] } },
})

let database: OwnDatabase

beforeAll(async () => {
  database = await ownDatabase()
  await database.owner.execute("CREATE TABLE visits (at DateTime('UTC'), country String, user UInt64) ENGINE = MergeTree ORDER BY at")
})
afterAll(() => database.drop())

class Crash extends RangeError {}

/** An adapter that does something before each statement of a rollup. */
function beforeEachStep(act: (statement: string) => Promise<void> | void): ClickHouseAdapter {
  const { owner } = database
  const execute: ClickHouseAdapter['execute'] = async (query, params, options) => {
    if (options?.queryId?.startsWith('sw-backfill-') === true) await act(query)
    return owner.execute(query, params, options)
  }
  return new Proxy(owner, { get: (target, name) => (name === 'execute' ? execute : (Reflect.get(target, name, target) as unknown)) })
}

/** An adapter whose process dies when so many statements of a rollup have been carried out. */
function dyingAfter(statements: number): ClickHouseAdapter {
  let left = statements
  return beforeEachStep(() => {
    if (left === 0) throw new Crash('killed')
    left -= 1
  })
}

it('a rollup whose making was broken off after any statement is finished by the next run, with every row once', async () => {
  const insert = async (rows: number): Promise<void> =>
    void (await database.owner.execute(`INSERT INTO visits SELECT toDateTime('2026-01-01 00:00:00', 'UTC') + rand() % 864000, ['NO', 'SE'][1 + rand() % 2], rand() % 1000 FROM numbers(${rows})`))
  await insert(1000)
  // After the seventh statement questions go to it, and what is left is to tidy up: those that come then count from there.
  const lives = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4]
  const ends: string[] = []
  for (const statements of lives) {
    const made = await createRollupManager(visits, { adapter: dyingAfter(statements) })
      .apply()
      .catch((error: unknown) => error)
    ends.push(made instanceof Crash ? 'died' : (made as RollupOutcome[])[0]?.outcome ?? 'nothing')
    await insert(100)
  }
  const analyticsService = createAnalyticsService(database.reader, { cache: false })
  const layer = createMetricsLayer(visits, { analyticsService, adapter: database.reader })
  const question = { metrics: ['visits', 'users'], from: '2026-01-01', to: '2026-02-01', grain: 'day', by: ['country'], totals: true } as const

  const [rolledUp, raw] = await Promise.all([layer.ask(question), layer.ask({ ...question, route: 'raw' })])
  const [status] = await createRollupManager(visits, { adapter: database.owner }).status()

  expect(ends).toEqual([...lives.slice(1).map(() => 'died'), 'finished'])
  expect(rolledUp.route).toMatchObject({ source: 'rollup', name: 'daily' })
  expect({ rows: rolledUp.rows, totals: rolledUp.totals }).toEqual({ rows: raw.rows, totals: raw.totals })
  expect(raw.totals?.visits).toBe(BigInt(1000 + 100 * lives.length))
  expect(status).toMatchObject({ state: 'ready', former: [] })
  await analyticsService.close()
})

it('an insert that runs while the mark goes leaves nothing behind that a later mutation would fail on', async () => {
  const { owner } = database
  await owner.execute("CREATE TABLE clicks (at DateTime('UTC'), user UInt64) ENGINE = MergeTree ORDER BY at")
  const clicks = defineMetrics({
    sources: { clicks: { table: 'clicks', time: 'at' } },
    dimensions: {},
    metrics: { clicks: { source: 'clicks', measure: 'count' } },
    rollups: { daily: { source: 'clicks', grain: 'day', metrics: ['clicks'] } },
  })
  const slow: Promise<unknown>[] = []
  // It knows the mark when it begins, and its rows come to light when the mark has gone.
  const insertAcross = async (statement: string): Promise<void> => {
    if (!statement.includes('DROP COLUMN') || slow.length > 0) return
    const queryId = `across-${database.name}`
    let hasEnded = false
    slow.push(owner.execute("INSERT INTO clicks SELECT toDateTime('2026-01-01 00:00:00', 'UTC'), number FROM numbers(20) WHERE NOT ignore(sleepEachRow(0.1))", {}, { queryId }).finally(() => (hasEnded = true)))
    await expect.poll(async () => hasEnded || (await owner.execute('SELECT 1 FROM system.processes WHERE query_id = {id:String} AND elapsed > 0.2', { id: queryId })).rows.length === 1).toBe(true)
  }

  await createRollupManager(clicks, { adapter: beforeEachStep(insertAcross) }).apply()
  await Promise.all(slow)
  await owner.execute('ALTER TABLE clicks DELETE WHERE user = 3 SETTINGS mutations_sync = 1')

  const { rows } = await owner.execute('SELECT count() AS rows FROM clicks')
  expect([slow.length, rows]).toEqual([1, [{ rows: 19n }]])
})
