import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createL1Cache } from '@smart-whale/core-cache'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ABUSE_CASES, checkIsolation, runAbuseSuite } from '../../src/access/testing.ts'
import { type EmbeddedClickHouse, startClickHouse } from '../../src/embedded/index.ts'
import { analyticsRoutes, metricLiveRoutes, metricRoutes } from '../../src/fastify/index.ts'
import { createGraphqlLayer, liveMetricFields, metricFields, registerGraphql } from '../../src/graphql/index.ts'
import { type ClickHouseAdapter, createAccessControl, createAdapter, createLiveMetrics, createMetricsLayer, createRollupManager, type LiveMetrics, type MetricsLayer, type TrustedAnalytics } from '../../src/index.ts'
import { connectEvents } from '../metrics/event-client.ts'
import { createOrders, shop } from '../metrics/shop.ts'
import { as, askGraphql, askRest } from './tenant-world.ts'

const access = createAccessControl({
  database: 'app',
  levels: {
    tenants: { user: 'tenant_reader', password: 'only-for-tests', roles: ['analyst'], tables: { orders: { tenantColumn: 'tenant_id' } }, limits: { maxExecutionSeconds: 10, maxRowsToRead: 2_000_000, maxResultRows: 10_000, maxMemoryBytes: 200_000_000 } },
    frugal: { user: 'frugal_reader', password: 'only-for-tests-too', roles: ['frugal'], tables: { orders: { tenantColumn: 'tenant_id' } }, quota: { maxQueries: 2, windowSeconds: 3600 } },
    staff: { user: 'staff_reader', password: 'only-for-staff', roles: ['staff'], tables: { orders: { shared: true } } },
  },
  metrics: [shop],
})
const hourly = access.embeddedUsers()[0]?.tables?.find(({ table }) => table.startsWith('sw_rollup_hourly_'))?.table as string

/** Rows of each tenant: numbers that occur nowhere else. */
const ROWS = { acme: 7, beta: 4231 }
const CANARY = 'land-of-beta'

let folder: string
let server: EmbeddedClickHouse
let owner: ClickHouseAdapter
let service: TrustedAnalytics
let layer: MetricsLayer<typeof shop.definition>
let live: LiveMetrics<typeof shop.definition>
let app: FastifyInstance

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tenant-rollups-'))
  server = await startClickHouse({ dataDir: join(folder, 'clickhouse'), database: 'app', users: access.embeddedUsers() })
  owner = createAdapter({ url: server.url, database: 'app', user: server.owner.username, password: server.owner.password })
  await owner.execute('CREATE DATABASE elsewhere')
  await owner.execute('CREATE TABLE elsewhere.secrets (canary String) ENGINE = MergeTree ORDER BY canary')
  await owner.execute(createOrders('orders'))
  for (const [tenant, rows] of Object.entries(ROWS)) {
    // Hours of their own, so that no two rows of a rollup become one: as many rows as there are orders.
    await owner.execute(`INSERT INTO orders SELECT toDateTime64('2026-03-01 12:30:00', 3, 'UTC') + number * 3600, '${tenant}', '${tenant === 'beta' ? CANARY : 'NO'}', '${tenant === 'beta' ? CANARY : 'web'}', number, 2, 10 FROM numbers(${rows})`)
  }
  await createRollupManager(shop, { adapter: owner }).apply()
  service = await access.openAnalytics({ connection: { url: server.url, database: 'app' }, cache: false, analytics: { catalogue: owner, writer: owner } })
  layer = createMetricsLayer(shop, { analyticsService: service, adapter: owner, mayReadRollups: access.mayReadRollups })
  live = createLiveMetrics(layer, { tables: service, pollMs: 60_000, minIntervalMs: 10 })
  app = await serve()
})
afterAll(async () => {
  live?.close()
  await app?.close()
  await service?.close()
  await owner?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function serve(): Promise<FastifyInstance> {
  const made = Fastify()
  const readerOf = ({ headers }: FastifyRequest) => {
    const { 'x-role': role, 'x-tenant': tenant } = headers
    return access.readerOf({ roles: [String(role)], ...(typeof tenant === 'string' ? { tenant } : {}) })
  }
  await made.register(analyticsRoutes, { analyticsService: service, readerOf })
  await made.register(metricRoutes, { layer, readerOf })
  await made.register(metricLiveRoutes, { live, readerOf })
  await registerGraphql(made, { layer: createGraphqlLayer({ analyticsService: service, extend: liveMetricFields(live, metricFields(layer)) }), readerOf })
  await made.listen({ host: '127.0.0.1', port: 0 })
  return made
}

const question = { metrics: ['orders', 'revenue'], from: '2026-03-01', to: '2027-03-01', by: ['country'], totals: true } as const
/** What only the rollup without tenants could answer. */
const quarters = { metrics: ['orders'], from: '2026-03-01', to: '2026-03-02', by: ['country'], grain: 'fifteen_minutes' } as const
const ACME = as('analyst', 'acme')
const acme = { level: 'tenants', tenant: 'acme' }

describe("a tenant's question", () => {
  it('is answered by a rollup that keeps the tenant, with its own rows, as by the source', async () => {
    const [byRollup, bySource, others] = await Promise.all([layer.ask(question, acme), layer.ask({ ...question, route: 'raw' }, acme), layer.ask(question, { level: 'tenants', tenant: 'beta' })])

    expect(byRollup.route).toMatchObject({ source: 'rollup', name: 'hourly', table: `app.${hourly}`, rowsRead: null, bytesRead: null })
    expect(byRollup.rows).toEqual([{ country: 'NO', orders: 7n, revenue: '70.00' }])
    expect([byRollup.rows, byRollup.totals]).toEqual([bySource.rows, bySource.totals])
    expect([others.route.name, others.rows]).toEqual(['hourly', [{ country: CANARY, orders: 4231n, revenue: '42310.00' }]])
  })

  it('is not answered by a rollup in which the tenants are added up, and is told nothing of how much there is', async () => {
    const { route } = await layer.explain(quarters, acme)
    const { body } = await app.inject({ method: 'POST', url: '/analytics/metrics', headers: ACME, payload: question })

    expect(route).toMatchObject({ source: 'raw', refused: expect.arrayContaining([{ name: 'quarter_hourly', reason: 'the user that the question runs as may not read it (mayReadRollups)' }]) as unknown })
    expect(JSON.parse(body)).toMatchObject({ rows: [{ country: 'NO', orders: '7' }], route: { source: 'rollup', name: 'hourly', rowsRead: null } })
    expect(body).not.toMatch(/4231|4238|land-of/)
  })

  it('goes to the source when the server refuses the rollup, whatever the layer was told of rights', async () => {
    const trusting = createMetricsLayer(shop, { analyticsService: service, adapter: owner, mayReadRollups: () => true })
    const tried = await trusting.explain(quarters, acme)
    const answers = [await trusting.ask(quarters, acme), await trusting.ask(quarters, { ...acme, tenant: 'beta' })]
    const before = await trusting.explain(quarters, { level: 'staff' })

    expect([tried.route.name, before.route.name]).toEqual(['quarter_hourly', 'quarter_hourly'])
    expect(answers.map(({ route, rows }) => [route.source, rows.reduce((sum, row) => sum + Number(row.orders), 0)])).toEqual([['raw', 7], ['raw', 12]])
  })

  it('of staff may go to any rollup', async () => {
    const answer = await layer.ask(question, { level: 'staff' })

    expect(answer.route).toMatchObject({ source: 'rollup', rowsRead: expect.any(Number) as number })
    expect(answer.totals).toMatchObject({ orders: 4238n })
    expect((await layer.explain(quarters, { level: 'staff' })).route.name).toBe('quarter_hourly')
  })
})

describe('the table of a rollup', () => {
  it.each([
    ['REST', askRest],
    ['GraphQL', askGraphql],
  ])('holds against the abuse suite over %s', async (_name, ask) => {
    const findings = await runAbuseSuite({
      ask: (query, params) => ask(app, ACME, query, params),
      cases: ABUSE_CASES.filter(({ category }) => ['foreign rows', 'counts', 'table functions', 'system tables', 'error texts', 'settings'].includes(category)),
      places: { table: hourly, other: 'elsewhere.secrets', foreign: 'beta', file: '/nowhere', port: '9', user: 'tenant_reader' },
      columns: { tenant: 'd_tenant', id: 'sw_start', secret: 'd_channel' },
      canaries: [CANARY],
      foreignValues: ['beta', ...[ROWS.beta, ROWS.beta + ROWS.acme].map(String)],
    })

    expect(findings).toEqual([])
  })

  it('keeps tenants apart by the leak test, and the ones without a tenant are out of reach', async () => {
    const report = await checkIsolation({
      owner,
      tables: [{ table: 'orders', tenantColumn: 'tenant_id' }, { table: hourly, tenantColumn: 'd_tenant' }],
      adapterFor: (tenant) => async (query, params) => (await service.executeAnalyticsQuery({ query, ...(params === undefined ? {} : { params }), options: { level: 'tenants', tenant, cache: false } })).data,
    })

    expect(report.findings).toEqual([])
    expect(report.probes).toBeGreaterThan(70)
  })
})

describe('an answer for which the quota is spent', () => {
  it('is the one from before, and says so, over REST, GraphQL and live', async () => {
    const own = await access.openAnalytics({ connection: { url: server.url, database: 'app' }, cache: createL1Cache() })
    const asked = createMetricsLayer(shop, { analyticsService: own, adapter: owner, mayReadRollups: access.mayReadRollups })
    const followed = createLiveMetrics(asked, { tables: own, pollMs: 60_000, minIntervalMs: 0, maxRows: 10_000 })
    const reader = { level: 'frugal', tenant: 'acme' }
    const routes = Fastify()
    await routes.register(metricRoutes, { layer: asked, readerOf: () => reader })
    const graphql = createGraphqlLayer({ analyticsService: own, extend: metricFields(asked) })
    const first = await asked.ask(question, { ...reader, cache: false })
    const daily = `orders(from: "2026-03-01", to: "2027-03-01", by: [country], grain: all)`
    await graphql.resolveQuery(`{ analytics { ${daily} { value } } }`, {}, reader)

    const rest = await routes.inject({ method: 'POST', url: '/analytics/metrics', payload: { ...question, options: { cache: false } } })
    await own.invalidateTables(['orders'])
    const { data } = await graphql.resolveQuery(`{ analytics { ${daily} { value degraded { quota retryAfterMs ageMs } } metrics(metrics: ["orders"], from: "2026-03-01", to: "2027-03-01", by: [country], grain: all) } }`, {}, reader)
    const events = followed.follow(question, reader)
    const snapshot = await events.next()
    await own.invalidateTables(['orders'])
    const failure = await events.next()
    await events.return?.()

    const degraded = { quota: 'queries', retryAfterMs: expect.any(Number) as number, ageMs: expect.any(Number) as number }
    expect(first.degraded).toBeUndefined()
    expect(rest.json()).toMatchObject({ rows: [{ country: 'NO' }], degraded, cache: { status: 'stale' } })
    expect(data).toMatchObject({ analytics: { orders: [{ degraded }], metrics: { degraded } } })
    expect(snapshot.value).toMatchObject({ type: 'snapshot', rows: [{ country: 'NO' }], degraded })
    expect(failure.value).toMatchObject({ type: 'failure', error: { code: 'ERR_CLICKHOUSE_QUOTA' }, retryInMs: expect.toSatisfy((ms: number) => ms > 100_000) as number })
    followed.close()
    await routes.close()
    await own.close()
  })
})

describe('live metrics at a level', () => {
  const order = { at: '2026-03-02T12:10:00Z', tenant_id: 'acme', country: 'SE', channel: 'web', customer: 9, items: 1, amount: '5.00' }
  const base = (): string => `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`

  it('come as server-sent events from the rollup, of the own tenant alone', async () => {
    const stream = await connectEvents(new URL('/analytics/metrics/orders/live?from=2026-03-01&to=2027-03-01&by=country', base()), ACME)
    const snapshot = await stream.next()
    await service.insert('orders', [{ ...order, tenant_id: 'beta', country: CANARY }, order])
    const change = await stream.next()
    stream.leave()
    const refused = await app.inject({ url: '/analytics/metrics/orders/live?period=today', headers: as('analyst') })

    expect(snapshot?.data).toMatchObject({ rows: [{ country: 'NO', orders: '7' }], route: { source: 'rollup', name: 'hourly' } })
    expect(change?.data).toMatchObject({ upserts: [{ country: 'SE', orders: '1' }], removals: [] })
    expect(JSON.stringify([snapshot, change])).not.toContain(CANARY)
    expect(refused.statusCode).toBe(403)
  })

  it('are a subscription, of the own tenant alone', async () => {
    const query = 'subscription { metrics(metrics: ["orders"], from: "2026-03-01", to: "2027-03-01", grain: all, by: [country]) { type rows upserts route } }'
    const headers = { ...as('analyst', 'beta'), 'content-type': 'application/json' }
    const stream = await connectEvents(new URL('/graphql/stream', base()), headers, { method: 'POST', body: JSON.stringify({ query }) })
    const snapshot = await stream.next()
    await service.insert('orders', [{ ...order, customer: 10 }, { ...order, customer: 11, tenant_id: 'beta' }])
    const change = await stream.next()
    stream.leave()

    expect(snapshot?.data).toMatchObject({ data: { metrics: { type: 'snapshot', rows: [{ country: CANARY, orders: '4232' }], route: { source: 'rollup', name: 'hourly' } } } })
    expect(change?.data).toMatchObject({ data: { metrics: { type: 'change', upserts: [{ country: 'SE', orders: '1' }] } } })
  })
})
