import fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { metricRoutes } from '../../src/fastify/index.ts'
import { createGraphqlLayer, type GraphQLLayer, metricFields, registerGraphql } from '../../src/graphql/index.ts'
import { openShop } from './shop.ts'

let opened: Awaited<ReturnType<typeof openShop>>
let app: FastifyInstance
let graphql: GraphQLLayer
const asked: string[] = []

beforeAll(async () => {
  opened = await openShop()
  await opened.database.owner.execute(
    "INSERT INTO orders SELECT toDateTime64('2026-03-01 12:00:00', 3, 'UTC') + number * 43200, 'a', ['NO', 'SE'][1 + number % 2], 'web', number, 2, 10 FROM numbers(40)",
  )
  app = fastify()
  const guard = (permission: string) => async (request: { headers: Record<string, unknown> }) => {
    asked.push(permission)
    if (request.headers['x-refused'] !== undefined) throw Object.assign(new RangeError('no'), { statusCode: 403 })
  }
  await app.register(metricRoutes, {
    layer: opened.layer,
    guard,
    readerOf: (request) => (request.headers['x-tenant'] === undefined ? {} : { rowFilter: () => [{ column: 'tenant_id', is: String(request.headers['x-tenant']) }] }),
  })
  graphql = createGraphqlLayer({ analyticsService: opened.analyticsService, extend: metricFields(opened.layer) })
  await registerGraphql(app, { layer: graphql })
})
afterAll(async () => {
  await app.close()
  await opened.close()
})

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ method: 'GET', url, headers })

describe('metrics over REST', () => {
  it('are listed without the SQL behind them', async () => {
    const { statusCode, body } = await get('/analytics/metrics')
    const told = JSON.parse(body) as { metrics: { name: string }[]; rollups: { name: string }[] }

    expect(statusCode).toBe(200)
    expect(told.metrics.map(({ name }) => name)).toContain('web_share')
    expect(told.rollups.map(({ name }) => name)).toEqual(['hourly', 'quarter_hourly', 'daily_in_oslo'])
    expect(body).not.toMatch(/tenant_id|>=/)
  })

  it('are asked for by name, with 64-bit integers and decimals as text', async () => {
    const reply = await get('/analytics/metrics/orders,revenue?period=last_month&by=country&top=1&other=true&totals=true&where={"channel":"web"}')

    expect(reply.json()).toMatchObject({
      rows: [{ country: expect.any(String) as string, orders: '20', revenue: '200.00' }, { country: null, other: true, orders: '20', revenue: '200.00' }],
      totals: { orders: '40', revenue: '400.00' },
      truncated: false,
      period: { from: '2026-03-01T00:00:00+00:00', to: '2026-04-01T00:00:00+00:00', timeZone: 'UTC' },
      route: { source: 'raw', name: 'orders', refused: expect.any(Array) as unknown[], rowsRead: expect.any(Number) as number },
    })
    expect(asked).toContain('analytics:query')
  })

  it('are asked for by a question', async () => {
    const payload = { metrics: ['orders'], from: '2026-03-01', to: '2026-03-04', grain: 'day', timeZone: 'Europe/Oslo' }
    const reply = await app.inject({ method: 'POST', url: '/analytics/metrics', payload })
    const foreign = await app.inject({ method: 'POST', url: '/analytics/metrics', payload, headers: { 'x-tenant': 'b' } })

    expect(reply.json()).toMatchObject({ rows: [{ time: '2026-03-01', orders: '1' }, { time: '2026-03-02', orders: '2' }, { time: '2026-03-03', orders: '2' }] })
    expect(foreign.json()).toMatchObject({ rows: [] })
  })

  it.each([
    ['/analytics/metrics/sales?period=today', ['querystring', 'metrics', 0]],
    ['/analytics/metrics/orders?period=someday', ['querystring', 'period']],
    ['/analytics/metrics/orders?period=today&top=many', ['querystring', 'top']],
    ['/analytics/metrics/orders?period=today&where=country', ['querystring', 'where']],
    ['/analytics/metrics/orders?period=today&having=1', ['querystring', 'having']],
  ])('%s is a problem that names the field', async (url, path) => {
    const reply = await get(url)

    expect(reply.statusCode).toBe(400)
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(reply.json()).toMatchObject({ code: 'ERR_CLICKHOUSE_METRIC_QUESTION', issues: [{ path }] })
  })

  it('are for those alone whom the guard lets through', async () => {
    expect((await get('/analytics/metrics/orders?period=today', { 'x-refused': 'yes' })).statusCode).toBe(403)
  })
})

describe('metrics over GraphQL', () => {
  it('are fields of their own, by day', async () => {
    const query = '{ analytics { orders(from: "2026-03-01", to: "2026-03-03") { date count } web_share(period: "last_month", grain: all) { value formula } } }'
    const direct = await graphql.resolveQuery(query)
    const served = []
    // A document that comes again is compiled.
    for (let time = 0; time < 3; time++) served.push((await app.inject({ method: 'POST', url: '/graphql', payload: { query } })).json())

    expect(direct).toEqual({
      data: {
        analytics: {
          orders: [
            { date: '2026-03-01', count: '1' },
            { date: '2026-03-02', count: '2' },
          ],
          web_share: [{ value: 100, formula: 100 }],
        },
      },
    })
    for (const answer of served) expect(answer).toEqual(direct)
  })

  it('have dimensions, top lists, comparisons and a question over several', async () => {
    const { data, errors } = await graphql.resolveQuery(
      `query ($where: JSON) { analytics {
        revenue(period: "last_month", grain: all, by: [country], top: { n: 1, other: true }, compare: previous_period, where: $where) { country other value previous }
        metrics(metrics: ["orders", "basket"], period: "last_month", grain: month, totals: true)
      } }`,
      { where: { channel: ['web'] } },
    )

    expect(errors).toBeUndefined()
    expect(data).toMatchObject({
      analytics: {
        revenue: [{ other: false, value: '200.00', previous: 0 }, { country: null, other: true, value: '200.00', previous: 0 }],
        metrics: { rows: [{ time: '2026-03-01', orders: '40', basket: 10 }], totals: { orders: '40' }, route: { source: 'raw' } },
      },
    })
  })

  it('that are asked wrongly say what is wrong', async () => {
    const { errors } = await graphql.resolveQuery('{ analytics { orders(period: "someday") { date } } }')
    const withoutQuery = await graphql.resolveQuery('{ analytics { data } }')

    expect(errors).toMatchObject([{ extensions: { code: 'ERR_CLICKHOUSE_METRIC_QUESTION', status: 400 } }])
    expect(withoutQuery.errors?.[0]?.extensions.code).toBe('ERR_CLICKHOUSE_ANALYTICS_QUERY')
  })
})
