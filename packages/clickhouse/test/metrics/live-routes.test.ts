import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { metricLiveRoutes } from '../../src/fastify/index.ts'
import { createGraphqlLayer, liveMetricFields, metricFields, registerGraphql } from '../../src/graphql/index.ts'
import { createLiveMetrics, type LiveMetrics, PermissionDeniedError } from '../../src/index.ts'
import { connectEvents } from './event-client.ts'
import { openShop, type shop } from './shop.ts'

let opened: Awaited<ReturnType<typeof openShop>>
let app: FastifyInstance
let live: LiveMetrics<typeof shop.definition>
let base: string

beforeAll(async () => {
  opened = await openShop()
  await opened.database.owner.execute("INSERT INTO orders SELECT toDateTime64('2026-04-01 12:00:00', 3, 'UTC') + number * 43200, ['a', 'b'][1 + number % 2], 'NO', 'web', number, 2, 10 FROM numbers(4)")
  live = createLiveMetrics(opened.layer, { tables: opened.analyticsService, pollMs: 60_000, minIntervalMs: 10 })
  app = fastify()
  await app.register(metricLiveRoutes, {
    live,
    heartbeatMs: 50,
    guard: (permission) => async (request) => {
      if (request.headers['x-refused'] === permission) throw Object.assign(new RangeError('no'), { statusCode: 403 })
    },
    readerOf: (request) => (request.headers['x-tenant'] === undefined ? {} : { rowFilter: () => [{ column: 'tenant_id', is: String(request.headers['x-tenant']) }] }),
  })
  const refusing = ({ headers }: { headers: Readonly<Record<string, unknown>> }): void => {
    if (headers['x-unauthorized'] !== undefined) throw new PermissionDeniedError('no')
  }
  const graphql = createGraphqlLayer({
    analyticsService: opened.analyticsService,
    extend: liveMetricFields(live, metricFields(opened.layer), { rowFilterOf: ({ request }) => () => [{ column: 'tenant_id', is: String(request?.headers['x-tenant'] ?? 'a') }] }),
    authorize: (_permission, { request }) => refusing(request ?? { headers: {} }),
  })
  await registerGraphql(app, { layer: graphql })
  await app.listen({ host: '127.0.0.1', port: 0 })
  base = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
})
afterAll(async () => {
  await app.close()
  live.close()
  await opened.close()
})

const connect = (path: string, headers: Record<string, string> = {}, more: RequestInit = {}) => connectEvents(new URL(path, base), headers, more)

const day = { at: '2026-04-02T12:00:00Z', tenant_id: 'a', country: 'SE', channel: 'web', customer: 9, items: 1, amount: '5.00' }
const path = '/analytics/metrics/orders,revenue/live?from=2026-04-01&to=2026-04-05&by=country&totals=true'

describe('live metrics over REST', () => {
  it('come as server-sent events, and go on where the caller was', async () => {
    const first = await connect(path, { 'x-tenant': 'a' })
    const snapshot = await first.next()
    await opened.analyticsService.insert('orders', [day, { ...day, tenant_id: 'b' }])
    const change = await first.next()
    first.leave()
    await opened.analyticsService.insert('orders', [day])
    const second = await connect(path, { 'x-tenant': 'a', 'last-event-id': String(change?.id) })
    const resumed = await second.next()
    second.leave()

    expect(first.reply.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(first.reply.headers.get('cache-control')).toBe('no-store, no-transform')
    expect(first.comments[0]).toBe('retry: 2000')
    expect(snapshot).toMatchObject({ event: 'snapshot', id: snapshot?.data['version'], data: { key: ['country'], rows: [{ country: 'NO', orders: '2', revenue: '20.00' }], totals: { orders: '2' } } })
    expect(change).toMatchObject({ event: 'change', data: { upserts: [{ country: 'SE', orders: '1', revenue: '5.00' }], removals: [], totals: { orders: '3' } } })
    expect(resumed).toMatchObject({ event: 'change', data: { upserts: [{ country: 'SE', orders: '2', revenue: '10.00' }], totals: { orders: '4' } } })
  })

  it('keep the connection with comments, and end when the server closes it', async () => {
    const ending = fastify()
    await ending.register(metricLiveRoutes, { live, heartbeatMs: 20, maxStreamMs: 500 })
    const { body, statusCode } = await ending.inject({ method: 'GET', url: path })
    await ending.close()
    const own = fastify()
    await own.register(metricLiveRoutes, { live })
    await own.listen({ host: '127.0.0.1', port: 0 })
    const reply = await connectEvents(new URL('/analytics/metrics/orders/live?period=today', `http://127.0.0.1:${(own.server.address() as AddressInfo).port}`))
    const snapshot = await reply.next()
    const [end] = await Promise.all([reply.next(), own.close()])

    expect(statusCode).toBe(200)
    expect(body).toContain(': still here\n\n')
    expect([snapshot?.event, end]).toEqual(['snapshot', undefined])
    await expect.poll(() => live.load.subscribers).toBe(0)
  })

  it.each([
    ['/sales/live?period=today', 400, 'ERR_CLICKHOUSE_METRIC_QUESTION'],
    ['/orders/live?period=today&cache=true', 400, 'ERR_CLICKHOUSE_METRIC_QUESTION'],
    ['/orders/live?period=today&limit=5001', 400, 'ERR_CLICKHOUSE_METRIC_QUESTION'],
  ])('%s is a problem, not a stream', async (url, status, code) => {
    const reply = await app.inject({ method: 'GET', url: `/analytics/metrics${url}` })

    expect([reply.statusCode, reply.headers['content-type'], (reply.json() as { code: string }).code]).toEqual([status, 'application/problem+json; charset=utf-8', code])
  })

  it('are for those alone whom the guard lets through', async () => {
    expect((await app.inject({ method: 'GET', url: path, headers: { 'x-refused': 'analytics:query' } })).statusCode).toBe(403)
    expect(live.load.subscribers).toBe(0)
  })
})

describe('live metrics over GraphQL', () => {
  const subscription = `subscription ($last: String) {
    metrics(metrics: ["orders"], from: "2026-05-01", to: "2026-05-03", by: [country], totals: true, lastVersion: $last) { type version key rows upserts removals totals failure }
  }`
  const follow = (query: string, headers: Record<string, string> = {}, variables = {}) =>
    connect('/graphql/stream', { 'content-type': 'application/json', ...headers }, { method: 'POST', body: JSON.stringify({ query, variables }) })

  it('are a subscription, as server-sent events that go on where the caller was', async () => {
    const first = await follow(subscription)
    const snapshot = await first.next()
    await opened.analyticsService.insert('orders', [{ ...day, at: '2026-05-02T12:00:00Z' }])
    const change = await first.next()
    first.leave()
    const { version } = (change?.data as { data: { metrics: { version: string } } }).data.metrics
    const second = await follow(subscription, {}, { last: version })
    const resumed = await second.next()
    second.leave()

    expect(snapshot).toMatchObject({ event: 'next', data: { data: { metrics: { type: 'snapshot', key: ['time', 'country'], rows: [], totals: { orders: '0' } } } } })
    expect(change).toMatchObject({ data: { data: { metrics: { type: 'change', upserts: [{ time: '2026-05-02', country: 'SE', orders: '1' }], removals: [], totals: { orders: '1' } } } } })
    expect(resumed).toMatchObject({ data: { data: { metrics: { type: 'change', version, upserts: [], removals: [] } } } })
    await expect.poll(() => live.load.subscribers).toBe(0)
  })

  it.each([
    ['subscription { metrics(metrics: ["sales"], period: "today") { version } }', {}, 400, 'ERR_CLICKHOUSE_METRIC_QUESTION'],
    ['subscription { metrics(metrics: ["orders"], period: "today") { nothing } }', {}, 400, 'ERR_CLICKHOUSE_GRAPHQL_INVALID'],
    [`subscription { metrics(metrics: ["orders"], period: "today") { ${Array.from({ length: 20 }, (_, index) => `a${index}: version`).join(' ')} } }`, {}, 400, 'ERR_CLICKHOUSE_GRAPHQL_LIMIT'],
    ['{ cacheStats { hits } }', {}, 400, 'ERR_CLICKHOUSE_GRAPHQL_INVALID'],
    ['subscription { metrics(metrics: ["orders"], period: "today") { version } }', { 'x-unauthorized': 'yes' }, 403, 'ERR_CLICKHOUSE_PERMISSION_DENIED'],
  ])('%s %j is refused with %d %s', async (query, headers, status, code) => {
    const reply = await app.inject({ method: 'POST', url: '/graphql/stream', payload: { query }, headers })

    expect([reply.statusCode, (reply.json() as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code]).toEqual([status, code])
    expect(live.load.subscribers).toBe(0)
  })

  it('are not to be had as a query', async () => {
    const query = 'subscription { metrics(metrics: ["orders"], period: "today") { version } }'
    for (let time = 0; time < 3; time += 1) {
      const { body } = await app.inject({ method: 'POST', url: '/graphql', payload: { query } })
      expect(JSON.parse(body)).toMatchObject({ errors: [{}] })
    }
    expect(live.load.questions).toBe(0)
  })
})
