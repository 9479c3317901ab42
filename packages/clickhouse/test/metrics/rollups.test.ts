import { createL1Cache } from '@smart-whale/core-cache'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAnalyticsService, createMetricsLayer, createRollupManager, defineMetrics } from '../../src/index.ts'
import { openShop, shop } from './shop.ts'

let opened: Awaited<ReturnType<typeof openShop>>

beforeAll(async () => {
  opened = await openShop()
  await opened.database.owner.execute(
    `INSERT INTO orders SELECT toDateTime64('2026-03-01 00:00:00', 3, 'UTC') + number * 61, ['a', 'b'][1 + number % 2], [NULL, 'NO', 'SE', 'DK'][1 + number % 4],
      ['web', 'app', 'shop'][1 + number % 3], number % 50, number % 7, number % 97 FROM numbers(40000)`,
  )
})
afterAll(() => opened.close())

const EVERYTHING = { metrics: ['orders', 'revenue', 'smallest', 'largest', 'mean', 'customers', 'exact_customers', 'median_items', 'p90_items', 'web_share', 'web_revenue', 'largest_web', 'basket'] } as const

describe('rollups', () => {
  it('are made while inserts go on, and then stand for every row once', async () => {
    const { database, rollups, layer } = opened
    let stopped = false
    let inserted = 0
    const writer = async (name: number): Promise<void> => {
      const connection = database.connect()
      while (!stopped) {
        // A late row among them: rows belong where their time is, whenever they come.
        await connection.execute(
          `INSERT INTO orders SELECT toDateTime64('2026-03-02 00:00:00', 3, 'UTC') + rand(${name}) % 3000000, 'a', 'NO', 'web', number, 1, 5 FROM numbers(50) WHERE NOT ignore(sleepEachRow(0.0004))`,
        )
        inserted += 50
      }
    }
    const writers = [1, 2, 3].map(writer)
    const outcomes = await rollups.apply()
    stopped = true
    await Promise.all(writers)

    layer.refreshRollups()
    const question = { metrics: ['orders', 'revenue'], from: '2026-01-01', to: '2027-01-01', by: ['country'] } as const
    const [rolledUp, raw] = await Promise.all([layer.ask(question), layer.ask({ ...question, route: 'raw' })])

    expect(outcomes.map(({ rollup, outcome }) => `${rollup} ${outcome}`)).toEqual(['hourly made', 'quarter_hourly made', 'daily_in_oslo made'])
    expect(inserted).toBeGreaterThan(100)
    expect([rolledUp.route.source, raw.route.source]).toEqual(['rollup', 'raw'])
    expect(rolledUp.rows).toEqual(raw.rows)
    const { rows } = await database.owner.execute("SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'orders' AND name LIKE 'sw%'")
    expect(rows).toEqual([])
  })

  it('answer with every measure what the source answers', async () => {
    const questions = [
      { ...EVERYTHING, from: '2026-03-01', to: '2026-04-01', grain: 'day', by: ['country', 'channel'], totals: true },
      { ...EVERYTHING, from: '2026-03-02', to: '2026-03-09', grain: 'week', timeZone: 'Europe/Oslo', top: { n: 2, by: 'basket', other: true }, by: ['country'], totals: true },
      { ...EVERYTHING, period: 'last_month', where: { channel: { not: 'web' } }, compare: 'previous_period' },
    ] as const
    for (const question of questions) {
      const [rolledUp, raw] = await Promise.all([opened.layer.ask(question), opened.layer.ask({ ...question, route: 'raw' })])

      expect(rolledUp.route).toMatchObject({ source: 'rollup', name: 'hourly' })
      expect({ rows: rolledUp.rows, totals: rolledUp.totals }).toEqual({ rows: raw.rows, totals: raw.totals })
    }
  })

  it('are chosen by what they keep, and each refusal has its reason', async () => {
    const routeOf = async (question: Parameters<typeof opened.layer.explain>[0], options = {}) => (await opened.layer.explain(question, options)).route
    const india = await routeOf({ metrics: ['revenue'], from: '2026-03-02', to: '2026-03-09', grain: 'day', timeZone: 'Asia/Kolkata' })
    const oslo = await routeOf({ metrics: ['revenue'], from: '2026-03-02', to: '2026-03-09', grain: 'month', timeZone: 'Europe/Oslo' })
    const minutes = await routeOf({ metrics: ['revenue'], from: '2026-03-02', to: '2026-03-03', grain: 'minute' })
    const large = await routeOf({ metrics: ['revenue'], period: 'last_month', where: { is_large: true } })
    const tenant = await routeOf({ metrics: ['revenue'], period: 'last_month' }, { rowFilter: () => [{ column: 'tenant_id', is: 'a' }] })

    expect(india).toMatchObject({
      name: 'quarter_hourly',
      refused: [
        { name: 'hourly', reason: "its hours in UTC do not divide the question's time at 2026-03-02T00:00:00+05:30" },
        { name: 'daily_in_oslo', reason: "its days in Europe/Oslo do not divide the question's time at 2026-03-02T00:00:00+05:30" },
      ],
    })
    expect(oslo).toMatchObject({ source: 'rollup', name: 'daily_in_oslo' })
    expect(minutes).toMatchObject({ source: 'raw', name: 'orders', refused: [{ reason: expect.stringMatching(/do not divide/) as string }, {}, {}] })
    expect(large.refused[0]).toEqual({ name: 'hourly', reason: 'does not keep the dimension "is_large"' })
    expect(tenant).toMatchObject({ name: 'hourly', refused: [{ reason: 'does not keep the column "tenant_id", by which rows are kept from this caller' }, {}] })
  })

  it('answer a tenant with his rows alone', async () => {
    const rowFilter = () => [{ column: 'tenant_id', is: ['b'] }]
    const question = { metrics: ['orders', 'web_share'], period: 'last_month', by: ['country'], top: { n: 1, other: true }, totals: true } as const
    const [rolledUp, raw] = await Promise.all([opened.layer.ask(question, { rowFilter }), opened.layer.ask({ ...question, route: 'raw' }, { rowFilter })])

    expect(rolledUp.route.source).toBe('rollup')
    expect(rolledUp.rows).toEqual(raw.rows)
    expect(rolledUp.totals).toEqual(raw.totals)
  })

  it('that are there are left alone, and those whose definition changed are made anew', async () => {
    const { database, rollups } = opened
    const changed = defineMetrics({
      sources: { orders: { table: 'orders', time: 'at' } },
      dimensions: { country: { source: 'orders' } },
      metrics: { orders: { source: 'orders', measure: 'count' } },
      rollups: { daily_in_oslo: { source: 'orders', grain: 'day', timeZone: 'Europe/Oslo', metrics: ['orders'] } },
    })

    const again = await rollups.apply()
    const [before] = await rollups.status({ only: ['daily_in_oslo'] })
    const [made] = await createRollupManager(changed, { adapter: database.owner }).apply()
    const [after] = await rollups.status({ only: ['daily_in_oslo'] })

    expect(again.map(({ outcome }) => outcome)).toEqual(['there', 'there', 'there'])
    expect(before).toMatchObject({ state: 'ready', former: [] })
    expect(made).toMatchObject({ outcome: 'made', dropped: [before?.table] })
    expect(after).toMatchObject({ state: 'missing', former: [made?.table] })
  })

  it('of days that are in no time zone answer as their source does', async () => {
    const { database, analyticsService } = opened
    await database.owner.execute('CREATE TABLE sales (day Date, shop String, n UInt32) ENGINE = MergeTree ORDER BY day')
    await database.owner.execute("INSERT INTO sales SELECT toDate('2026-01-01') + number % 120, ['a', 'b'][1 + number % 2], number FROM numbers(500)")
    const metrics = defineMetrics({
      sources: { sales: { table: 'sales', time: 'day', timeType: 'date' } },
      dimensions: { shop: { source: 'sales' } },
      metrics: { sold: { source: 'sales', measure: 'sum', of: 'n' } },
      rollups: { monthly: { source: 'sales', grain: 'month', metrics: ['sold'] } },
    })
    await createRollupManager(metrics, { adapter: database.owner }).apply()
    const clock = new FakeClock({ startMs: Date.parse('2026-04-01T02:00:00Z') })
    const layer = createMetricsLayer(metrics, { analyticsService, adapter: database.reader, clock })

    // In New York it is still March.
    const question = { metrics: ['sold'], period: 'last_2_months', grain: 'month', timeZone: 'America/New_York', totals: true } as const
    const [rolledUp, raw] = await Promise.all([layer.ask(question), layer.ask({ ...question, route: 'raw' })])

    expect(rolledUp.route.name).toBe('monthly')
    expect(rolledUp.rows.map(({ time }) => time)).toEqual(['2026-01-01', '2026-02-01'])
    expect({ rows: rolledUp.rows, totals: rolledUp.totals }).toEqual({ rows: raw.rows, totals: raw.totals })
  })

  it('answer anew after an insert through the service, which voids what was kept of them', async () => {
    const { database } = opened
    const service = createAnalyticsService(database.reader, { writer: database.owner, cache: createL1Cache(), catalogueMaxAgeMs: 1 })
    const layer = createMetricsLayer(shop, { analyticsService: service, adapter: database.reader })
    const question = { metrics: ['orders'], from: '2026-03-01', to: '2026-04-01' } as const

    const [first, again] = [await layer.ask(question), await layer.ask(question)]
    await service.insert('orders', [{ at: new Date('2026-03-05T00:00:00Z'), tenant_id: 'a', country: 'NO', channel: 'web', customer: 1, items: 1, amount: '1' }])
    const after = await layer.ask(question)
    await service.close()

    expect([first.route.source, again.cache.status, after.cache.status]).toEqual(['rollup', 'hit', 'miss'])
    expect(after.rows[0]?.orders).toBe((first.rows[0]?.orders as bigint) + 1n)
  })

  it('of a table whose rows change by themselves are refused', async () => {
    const { database } = opened
    await database.owner.execute('CREATE TABLE latest (at DateTime, id UInt64) ENGINE = ReplacingMergeTree ORDER BY id')
    const metrics = defineMetrics({
      sources: { latest: { table: 'latest', time: 'at' } },
      dimensions: {},
      metrics: { rows: { source: 'latest', measure: 'count' } },
      rollups: { daily: { source: 'latest', grain: 'day', metrics: ['rows'] } },
    })

    await expect(createRollupManager(metrics, { adapter: database.owner }).apply()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_ROLLUP', message: expect.stringMatching(/ReplacingMergeTree/) as string })
  })
})
