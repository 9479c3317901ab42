import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMetricsLayer, defineMetrics } from '../../src/index.ts'
import { openShop } from './shop.ts'

let opened: Awaited<ReturnType<typeof openShop>>

beforeAll(async () => {
  opened = await openShop()
  const rows = [
    // Berlin's and Oslo's clocks jump on 29 March 2026.
    ['2026-03-28 22:30:00', 'a', 'NO', 'web', 1, 1, '10'],
    ['2026-03-28 23:30:00', 'a', 'NO', 'app', 1, 2, '20'],
    ['2026-03-29 21:59:59.999', 'a', 'NO', 'shop', 2, 3, '30'],
    ['2026-03-29 22:00:00', 'a', 'SE', 'web', 3, 4, '40'],
    ['2026-03-31 12:00:00', 'b', null, 'web', 4, 5, '150'],
    ['2026-02-10 12:00:00', 'a', 'NO', 'web', 5, 6, '60'],
    ['2026-02-11 12:00:00', 'a', 'DK', 'shop', 6, 7, '70'],
    ['2025-03-29 12:00:00', 'a', 'NO', 'web', 7, 8, '80'],
  ].map(([at, tenant_id, country, channel, customer, items, amount]) => ({ at: `${String(at).replace(' ', 'T')}Z`, tenant_id, country, channel, customer, items, amount }))
  await opened.database.owner.insert('orders', rows.map((row) => ({ ...row, at: new Date(row.at) })))
})
afterAll(() => opened.close())

describe('a question', () => {
  it('is answered by days of the time zone asked for', async () => {
    const { rows, period } = await opened.layer.ask({ metrics: ['orders', 'revenue'], from: '2026-03-28', to: '2026-04-01', grain: 'day', timeZone: 'Europe/Oslo' })

    expect(rows).toEqual([
      { time: '2026-03-28', orders: 1n, revenue: '10.00' },
      { time: '2026-03-29', orders: 2n, revenue: '50.00' },
      { time: '2026-03-30', orders: 1n, revenue: '40.00' },
      { time: '2026-03-31', orders: 1n, revenue: '150.00' },
    ])
    expect(period).toEqual({ from: '2026-03-28T00:00:00+01:00', to: '2026-04-01T00:00:00+02:00', timeZone: 'Europe/Oslo' })
  })

  it.each(["DateTime64(3, 'UTC')", "DateTime64(9, 'UTC')", "DateTime('UTC')"])('has the last moment of its period in it, and the first one of the next not: %s', async (type) => {
    const { database, analyticsService } = opened
    const table = `moments_${type.replace(/\W/g, '')}`
    await database.owner.execute(`CREATE TABLE ${table} (at ${type}) ENGINE = MergeTree ORDER BY at`)
    for (const at of ['2026-03-19 23:59:59.999', '2026-03-20 00:00:00.000', '2026-03-20 23:59:59.999', '2026-03-21 00:00:00.000'])
      await database.owner.execute(`INSERT INTO ${table} SELECT toDateTime64('${at}', 3, 'UTC')`)
    const metrics = defineMetrics({ sources: { moments: { table, time: 'at' } }, dimensions: {}, metrics: { moments: { source: 'moments', measure: 'count' } } })
    const layer = createMetricsLayer(metrics, { analyticsService, adapter: database.reader })

    expect((await layer.ask({ metrics: ['moments'], from: '2026-03-20', to: '2026-03-21' })).rows).toEqual([{ moments: 2n }])
  })

  it('is answered with gaps filled, hours of a day that has 23 of them too', async () => {
    const { rows } = await opened.layer.ask({ metrics: ['orders', 'mean'], from: '2026-03-29', to: '2026-03-30', grain: 'hour', timeZone: 'Europe/Oslo', fillGaps: true })

    expect(rows).toHaveLength(23)
    expect(rows.filter(({ orders }) => orders !== 0n)).toEqual([
      { time: '2026-03-29T00:00:00+01:00', orders: 1n, mean: 2 },
      { time: '2026-03-29T23:00:00+02:00', orders: 1n, mean: 3 },
    ])
    expect(rows[2]).toEqual({ time: '2026-03-29T03:00:00+02:00', orders: 0n, mean: null })
  })

  it('is answered with the largest groups, the others as one, and totals that agree', async () => {
    const { rows, totals } = await opened.layer.ask({
      metrics: ['revenue', 'exact_customers', 'basket', 'web_share'],
      period: 'last_3_months',
      by: ['country'],
      top: { n: 2, by: 'revenue', other: true },
      totals: true,
    })

    expect(rows).toEqual([
      { country: null, revenue: '150.00', exact_customers: 1n, basket: 150, web_share: 100 },
      { country: 'NO', revenue: '120.00', exact_customers: 3n, basket: 30, web_share: 50 },
      { country: null, other: true, revenue: '110.00', exact_customers: 2n, basket: 55, web_share: 50 },
    ])
    expect(totals).toMatchObject({ revenue: '380.00', exact_customers: 6n })
  })

  it('has totals over everything, also where only the largest groups are listed', async () => {
    const { rows, totals } = await opened.layer.ask({ metrics: ['revenue'], period: 'last_3_months', by: ['country'], top: { n: 1 }, totals: true })

    expect(rows).toEqual([{ country: null, revenue: '150.00' }])
    expect(totals).toEqual({ revenue: '380.00' })
  })

  it('is compared with the period before, and with the same one a year before', async () => {
    const month = await opened.layer.ask({ metrics: ['orders'], period: 'last_month', by: ['country'], compare: 'previous_period', totals: true })
    const year = await opened.layer.ask({ metrics: ['orders'], from: '2026-03-29', to: '2026-03-30', grain: 'day', compare: 'previous_year' })

    expect(month.rows).toEqual([
      { country: 'NO', orders: 3n, previous: { orders: 1n } },
      { country: 'SE', orders: 1n, previous: { orders: 0n } },
      { country: null, orders: 1n, previous: { orders: 0n } },
      { country: 'DK', orders: 0n, previous: { orders: 1n } },
    ])
    expect(month.totals).toEqual({ orders: 5n, previous: { orders: 2n } })
    expect(month.comparedWith).toMatchObject({ from: '2026-02-01T00:00:00+00:00', to: '2026-03-01T00:00:00+00:00' })
    expect(year.rows).toEqual([{ time: '2026-03-29', orders: 2n, previous: { orders: 1n } }])
  })

  it('counts only what a metric counts at all, and knows nothing of nothing', async () => {
    const { rows } = await opened.layer.ask({ metrics: ['web_orders'], period: 'last_3_months', by: ['channel'] })
    const nothing = await opened.layer.ask({ metrics: ['orders', 'revenue', 'largest', 'largest_web', 'median_items', 'p90_items', 'basket'], from: '2020-01-01', to: '2020-02-01', totals: true })

    expect(rows).toEqual([{ channel: 'web', web_orders: 4n }])
    expect(nothing.rows).toEqual([{ orders: 0n, revenue: expect.anything() as unknown, largest: null, largest_web: null, median_items: null, p90_items: null, basket: null }])
    expect(Number(nothing.rows[0]?.revenue)).toBe(0)
  })

  it('asks for rows by every kind of condition', async () => {
    const count = async (where: Parameters<typeof opened.layer.ask>[0]['where']): Promise<number> =>
      Number((await opened.layer.ask({ metrics: ['orders'], from: '2020-01-01', to: '2027-01-01', where })).rows[0]?.orders)

    expect(
      await Promise.all([
        count({ country: 'NO' }),
        count({ country: ['NO', 'DK'] }),
        count({ country: null }),
        count({ country: { not: null } }),
        count({ country: { not: 'NO' } }),
        count({ channel: { startsWith: 'w', contains: 'eb' } }),
        count({ is_large: true }),
        count({ country: "NO'; DROP TABLE orders --" }),
        count({ channel: { gte: 'b', lt: 'web' } }),
      ]),
    ).toEqual([5, 6, 1, 7, 3, 5, 1, 0, 2])
  })

  it('shows a caller only the rows that are his', async () => {
    const rowFilter = () => [{ column: 'tenant_id', is: 'b' }]
    const { rows } = await opened.layer.ask({ metrics: ['revenue'], period: 'last_3_months', by: ['country'], top: { n: 1, other: true } }, { rowFilter })
    const none = await opened.layer.ask({ metrics: ['orders'], period: 'last_3_months' }, { rowFilter: () => [{ column: 'tenant_id', is: [] }] })

    expect(rows).toEqual([{ country: null, revenue: '150.00' }])
    expect(none.rows).toEqual([{ orders: 0n }])
  })

  it.each([
    [{ metrics: ['sales'], period: 'today' }, ['metrics', 0]],
    [{ metrics: [], period: 'today' }, ['metrics']],
    [{ metrics: ['orders'] }, ['period']],
    [{ metrics: ['orders'], period: 'someday' }, ['period']],
    [{ metrics: ['orders'], period: 'today', by: ['city'] }, ['by', 0]],
    [{ metrics: ['orders'], period: 'today', where: { city: 'Oslo' } }, ['where', 'city']],
    [{ metrics: ['orders'], period: 'today', where: { country: { like: 'N%' } } }, ['where', 'country', 'like']],
    [{ metrics: ['orders'], period: 'today', timeZone: 'Oslo' }, ['timeZone']],
    [{ metrics: ['orders'], from: '2026-02-30' }, ['from']],
    [{ metrics: ['orders'], from: '2026-02-01', to: '2026-01-01' }, ['to']],
    [{ metrics: ['orders'], from: '2000-01-01', to: '2026-01-01', grain: 'minute' }, ['grain']],
    [{ metrics: ['orders'], period: 'today', top: { n: 3 } }, ['top']],
    [{ metrics: ['orders'], period: 'today', having: 3 }, ['having']],
  ])('%j is refused where it is wrong', async (question, path) => {
    await expect(opened.layer.ask(question as never)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_METRIC_QUESTION', status: 400, issues: [{ path }] })
  })
})
