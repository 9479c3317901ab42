import { FakeClock } from '@smart-whale/interfaces/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAnalyticsService, createMetricsLayer, defineMetrics, type MetricsLayer } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

const site = defineMetrics({
  sources: { events: { table: 'events', time: 'at' } },
  dimensions: { user: { source: 'events' }, kind: { source: 'events' }, tenant: { source: 'events' } },
  metrics: { events: { source: 'events', measure: 'count' } },
})

let database: OwnDatabase
let layer: MetricsLayer<(typeof site)['definition']>

beforeAll(async () => {
  database = await ownDatabase()
  await database.owner.execute("CREATE TABLE events (at DateTime('UTC'), user Nullable(String), kind String, tenant String) ENGINE = MergeTree ORDER BY at")
  const rows = [
    // Ann goes all the way, Bob too late, Cid in the wrong order, Dag stops; nobody knows the last one.
    ['2026-01-05 10:00:00', 'ann', 'visit'],
    ['2026-01-05 10:10:00', 'ann', 'cart'],
    ['2026-01-05 10:20:00', 'ann', 'order'],
    ['2026-01-05 10:00:00', 'bob', 'visit'],
    ['2026-01-05 10:30:00', 'bob', 'cart'],
    ['2026-01-05 11:30:01', 'bob', 'order'],
    ['2026-01-06 10:00:00', 'cid', 'order'],
    ['2026-01-06 10:01:00', 'cid', 'visit'],
    ['2026-01-06 12:00:00', 'dag', 'visit'],
    ['2026-01-06 13:00:00', null, 'visit'],
    // Weeks later some of them come again; Eve came first long before.
    ['2026-01-13 10:00:00', 'ann', 'visit'],
    ['2026-01-14 10:00:00', 'bob', 'visit'],
    ['2026-01-14 11:00:00', 'fay', 'visit'],
    ['2026-01-20 10:00:00', 'ann', 'visit'],
    ['2025-06-01 10:00:00', 'eve', 'visit'],
    ['2026-01-07 10:00:00', 'eve', 'visit'],
  ].map(([at, user, kind]) => ({ at: new Date(`${String(at).replace(' ', 'T')}Z`), user, kind, tenant: user === 'dag' ? 'b' : 'a' }))
  await database.owner.insert('events', rows)
  layer = createMetricsLayer(site, {
    analyticsService: createAnalyticsService(database.reader, { cache: false }),
    adapter: database.reader,
    clock: new FakeClock({ startMs: Date.parse('2026-01-22T12:00:00Z') }),
  })
})
afterAll(() => database.drop())

it('a funnel counts who took the steps in order and in time', async () => {
  const funnel = {
    source: 'events',
    entity: 'user',
    steps: [
      { name: 'came', where: { kind: 'visit' } },
      { name: 'chose', where: { kind: 'cart' } },
      { name: 'bought', where: { kind: 'order' } },
    ],
    withinSeconds: 3600,
    from: '2026-01-05',
    to: '2026-01-07',
  } as const
  const { rows } = await layer.askFunnel(funnel)
  const ofTenant = await layer.askFunnel(funnel, { rowFilter: () => [{ column: 'tenant', is: 'a' }] })

  expect(rows).toEqual([
    { name: 'came', entities: 4, share: 1, shareOfPrevious: 1 },
    { name: 'chose', entities: 2, share: 0.5, shareOfPrevious: 0.5 },
    { name: 'bought', entities: 1, share: 0.25, shareOfPrevious: 0.5 },
  ])
  expect(ofTenant.rows[0]?.entities).toBe(3)
})

it('cohorts tell who came again, and of whom it is too early to say', async () => {
  const { rows } = await layer.askCohorts({ source: 'events', entity: 'user', grain: 'week', steps: 3, from: '2026-01-05', to: '2026-01-19' })
  const buyers = await layer.askCohorts({ source: 'events', entity: 'user', grain: 'month', steps: 1, from: '2026-01-01', to: '2026-02-01', start: { kind: 'order' }, activity: { kind: 'cart' } })

  expect(rows).toEqual([
    { cohort: '2026-01-05', size: 4, retained: [4, 2, 1, null] },
    { cohort: '2026-01-12', size: 1, retained: [1, 0, null, null] },
  ])
  expect(buyers.rows).toEqual([{ cohort: '2026-01-01', size: 3, retained: [2, null] }])
})

it('a path that names what the source does not have is refused', async () => {
  const steps = [{ name: 'a', where: { kind: 'visit' } }, { name: 'b', where: {} }]

  await expect(layer.askFunnel({ source: 'events', entity: 'session' as never, steps, withinSeconds: 60, period: 'today' })).rejects.toMatchObject({
    issues: [{ path: ['entity'] }, { path: ['steps', 1, 'where'] }],
  })
  await expect(layer.askCohorts({ source: 'events', entity: 'user', grain: 'hour' as never, steps: 3, period: 'today' })).rejects.toMatchObject({ issues: [{ path: ['grain'] }] })
})
