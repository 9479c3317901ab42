import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { createRestApi, type RestAPI, type RestApiOptions } from '../../src/fastify/index.ts'
import { createAdapter, DashboardService } from '../../src/index.ts'
import { openShop } from '../metrics/shop.ts'

let shop: Awaited<ReturnType<typeof openShop>>
beforeAll(async () => {
  shop = await openShop()
  await shop.database.owner.execute("INSERT INTO orders SELECT toDateTime64('2026-03-01 12:00:00', 3, 'UTC') + number * 43200, 'a', 'NO', 'web', number, 2, 10 FROM numbers(40)")
})
afterAll(() => shop.close())

const opened: RestAPI[] = []
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const api of opened.splice(0)) await api.close()
})

function connection() {
  const { url, reader } = inject('clickhouse')
  return { url, user: reader.username, password: reader.password, database: shop.database.name }
}

function open(options: RestApiOptions = {}): ReturnType<RestAPI['getApp']> {
  const api = createRestApi({ connection: connection(), ...options })
  opened.push(api)
  return api.getApp()
}

describe('a ready REST app', () => {
  it('answers queries, what the cache does, health and a summary', async () => {
    const app = open()
    const payload = { query: 'SELECT count() AS orders FROM orders' }

    const asked = [await app.inject({ method: 'POST', url: '/analytics', payload }), await app.inject({ method: 'POST', url: '/analytics', payload })]
    const csv = await app.inject({ method: 'POST', url: '/analytics', payload, headers: { accept: 'text/csv' } })
    const [stats, health, summary] = await Promise.all(['/analytics/cache/stats', '/health', '/dashboard/summary'].map((url) => app.inject(url)))
    const emptied = await app.inject({ method: 'POST', url: '/analytics/cache/invalidate', payload: {} })

    expect(asked.map((reply) => reply.json() as unknown)).toEqual([expect.objectContaining({ data: [{ orders: '40' }] }), expect.objectContaining({ cache: expect.objectContaining({ status: 'hit' }) as unknown })])
    expect(csv.body).toBe('"orders"\n40\n')
    expect(stats?.json()).toMatchObject({ hits: 1, misses: 1 })
    expect([health?.statusCode, health?.json()]).toEqual([200, { status: 'up', checks: [{ name: 'clickhouse', status: 'up' }, { name: 'clickhouse-system', status: 'up' }] }])
    expect(summary?.json()).toMatchObject({ status: 'success', data: { health: { status: 'up' }, cache: { hits: 1 } } })
    expect(emptied.json()).toEqual({ removed: 1 })
  })

  it('serves metrics, also live, and ends the streams when it is closed', async () => {
    const api = createRestApi({ analyticsService: shop.analyticsService, metricsLayer: shop.layer })
    const app = api.getApp()
    const address = await app.listen({ port: 0, host: '127.0.0.1' })

    const answer = await (await fetch(`${address}/analytics/metrics/orders?from=2026-03-01&to=2026-04-01`)).json()
    const stream = await fetch(`${address}/analytics/metrics/orders/live?from=2026-03-01&to=2026-04-01`)
    const reader = stream.body?.getReader()
    const first = Buffer.from((await reader?.read())?.value ?? []).toString()
    await api.close()

    expect(answer).toMatchObject({ rows: [{ orders: '40' }] })
    expect(first).toContain('retry: 2000')
    while ((await reader?.read())?.done === false);
    // What was handed in stays open.
    expect((await shop.analyticsService.executeAnalyticsQuery({ query: 'SELECT 1 AS one' })).data).toEqual([{ one: 1 }])
  })

  it('writes down what there is from the routes’ own schemas', async () => {
    const app = open({ metricsLayer: shop.layer, title: 'Shop' })

    const document = (await app.inject('/openapi.json')).json() as { openapi: string; info: object; paths: Record<string, Record<string, { parameters?: { name: string; in: string; required: boolean }[]; requestBody?: object; responses: Record<string, { content: Record<string, object> }> }>> }

    expect([document.openapi, document.info]).toEqual(['3.1.0', { title: 'Shop', version: '1' }])
    expect(Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`)).sort()).toEqual([
      'get /analytics/cache/stats', 'get /analytics/metrics', 'get /analytics/metrics/{name}', 'get /analytics/metrics/{name}/live', 'get /dashboard/summary', 'get /health', 'get /openapi.json',
      'post /analytics', 'post /analytics/cache/invalidate', 'post /analytics/metrics',
    ])
    expect(document.paths['/analytics']?.post).toMatchObject({ requestBody: { content: { 'application/json': { schema: { required: ['query'] } } } }, responses: { 400: { content: { 'application/problem+json': {} } } } })
    expect(document.paths['/analytics/metrics/{name}']?.get?.parameters).toContainEqual(expect.objectContaining({ name: 'name', in: 'path', required: true }))
    expect(document.paths['/analytics/metrics/{name}']?.get?.parameters).toContainEqual(expect.objectContaining({ name: 'period', in: 'query', required: false }))
  })

  it('answers what goes wrong as problems, and lets through whom the guard lets through', async () => {
    const guard = (permission: string) => async (request: { headers: Record<string, unknown> }) => {
      if (request.headers['x-may'] !== permission) throw Object.assign(new RangeError('no'), { statusCode: 403 })
    }
    const app = open({ guard, readerOf: (request) => (request.headers['x-tenant'] === undefined ? {} : { tenant: String(request.headers['x-tenant']) }) })

    const refused = await app.inject('/dashboard/summary')
    const shown = await app.inject({ url: '/dashboard/summary', headers: { 'x-may': 'health:read' } })
    const tenant = await app.inject({ url: '/dashboard/summary', headers: { 'x-may': 'health:read', 'x-tenant': 'a' } })
    const wrong = await app.inject({ method: 'POST', url: '/analytics', payload: { query: 'SELECT 1 +' }, headers: { 'x-may': 'analytics:query' } })
    const nothing = await app.inject('/nothing?secret=1')

    expect([refused.statusCode, shown.statusCode, tenant.statusCode, wrong.statusCode, nothing.statusCode]).toEqual([403, 200, 403, 400, 404])
    for (const reply of [refused, tenant, wrong, nothing]) expect(reply.headers['content-type']).toContain('application/problem+json')
    expect(tenant.json()).toMatchObject({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' })
    expect(nothing.json()).toEqual({ type: 'about:blank', title: 'Not found', status: 404, detail: 'there is no GET /nothing; /openapi.json lists what there is', code: 'ERR_NOT_FOUND' })
  })

  it('takes the server from the environment, and a dashboard of one’s own', async () => {
    const { url, user, password, database } = connection()
    for (const [name, value] of Object.entries({ URL: url, USER: user, PASSWORD: password, DATABASE: database })) vi.stubEnv(`CLICKHOUSE_${name}`, value)
    const api = createRestApi({ dashboard: new DashboardService({ orders: async () => 40n }) })
    opened.push(api)

    expect((await api.getApp().inject('/dashboard/summary')).json()).toEqual({ status: 'success', data: { orders: '40' } })
    expect((await api.getApp().inject({ method: 'POST', url: '/analytics', payload: { query: 'SELECT 5 AS five' } })).json()).toMatchObject({ data: [{ five: 5 }] })
  })

  it('says that the server is away, and nothing of where it is', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address() as AddressInfo
    gone.close()
    const adapter = createAdapter({ url: `http://127.0.0.1:${port}`, retry: { maxAttempts: 1 } })
    const app = open({ adapter })

    const health = await app.inject('/health')

    expect([health.statusCode, health.json()]).toEqual([503, { status: 'down', checks: [{ name: 'clickhouse', status: 'down' }, { name: 'clickhouse-system', status: 'down' }] }])
    expect(health.body).not.toContain(String(port))
    await adapter.close()
  })
})
