import { createL1Cache } from '@smart-whale/core-cache'
import { InfrastructureError } from '@smart-whale/interfaces'
import fc from 'fast-check'
import Fastify, { type FastifyInstance } from 'fastify'
import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { analyticsRoutes, type AnalyticsRoutesOptions } from '../../src/fastify/index.ts'
import { type AnalyticsServiceOptions, createAdapter, createAnalyticsService } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  database = await ownDatabase()
  await database.owner.execute('CREATE TABLE flights (id UInt64, origin String, price Decimal(18, 2)) ENGINE = MergeTree ORDER BY id')
  await database.owner.execute('CREATE TABLE IF NOT EXISTS default.secret_of_somebody (x UInt8) ENGINE = Memory')
  await database.owner.insert('flights', [
    { id: 9007199254740993n, origin: 'ABQ', price: '12.30' },
    { id: 2n, origin: 'SFO', price: '0.01' },
  ])
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})
afterAll(async () => {
  await database.owner.execute('DROP TABLE IF EXISTS default.secret_of_somebody')
  await database.drop()
})

async function serve(
  options: Partial<AnalyticsRoutesOptions> = {},
  serviceOptions: AnalyticsServiceOptions = {},
): Promise<FastifyInstance> {
  const app = Fastify()
  const analyticsService = createAnalyticsService(database.reader, { cache: createL1Cache(), ...serviceOptions })
  await app.register(analyticsRoutes, { analyticsService, ...options })
  closing.push(
    () => app.close(),
    () => analyticsService.close(),
  )
  return app
}

const ask = (app: FastifyInstance, payload: unknown) => app.inject({ method: 'POST', url: '/analytics', payload: payload as object })

describe('POST /analytics', () => {
  it('answers with exact values, their types, what it cost and where it came from', async () => {
    const app = await serve()
    const question = {
      query: 'SELECT id, origin, price, sum(price) OVER () AS total FROM flights WHERE origin = :origin',
      params: { origin: 'ABQ' },
    }

    const first = await ask(app, question)
    const second = await ask(app, question)

    expect(first.statusCode).toBe(200)
    expect(first.json()).toEqual({
      data: [{ id: '9007199254740993', origin: 'ABQ', price: '12.3', total: '12.3' }].map((row) => ({
        ...row,
        price: expect.stringMatching(/^12\.30?$/) as string,
        total: expect.stringMatching(/^12\.30?$/) as string,
      })),
      columns: [
        { name: 'id', type: 'UInt64' },
        { name: 'origin', type: 'String' },
        { name: 'price', type: 'Decimal(18, 2)' },
        { name: 'total', type: 'Decimal(38, 2)' },
      ],
      statistics: { rowsRead: 2, bytesRead: expect.any(Number) as number, elapsedMs: expect.any(Number) as number },
      cache: { status: 'miss', ageMs: expect.any(Number) as number, ttlSeconds: 30 },
      queryId: expect.any(String) as string,
    })
    expect(second.json()).toMatchObject({ data: first.json<{ data: unknown }>().data, cache: { status: 'hit' } })
    expect(first.headers['cache-control']).toBe('no-store')
  })

  it.each<[string, unknown, number, string, (string | number)[]]>([
    ['no body', undefined, 400, 'ERR_CLICKHOUSE_ANALYTICS_QUERY', ['body']],
    ['no query', {}, 400, 'ERR_CLICKHOUSE_ANALYTICS_QUERY', ['body', 'query']],
    ['an empty query', { query: ' ' }, 400, 'ERR_CLICKHOUSE_ANALYTICS_QUERY', ['body', 'query']],
    ['a query that is no text', { query: 5 }, 400, 'ERR_CLICKHOUSE_ANALYTICS_QUERY', ['body', 'query']],
    ['a query that is too long', { query: `SELECT '${'x'.repeat(70_000)}'` }, 400, 'ERR_CLICKHOUSE_ANALYTICS_QUERY', ['body', 'query']],
    [
      'too many parameters',
      { query: 'SELECT 1', params: Object.fromEntries(Array.from({ length: 101 }, (_value, index) => [`p${index}`, 1])) },
      400,
      'ERR_CLICKHOUSE_ANALYTICS_QUERY',
      ['body', 'params'],
    ],
    ['parameters that are a list', { query: 'SELECT 1', params: [1] }, 400, 'ERR_CLICKHOUSE_ANALYTICS_QUERY', ['body', 'params']],
    [
      'a number that JSON could not hold',
      { query: 'SELECT :n', params: { n: 2 ** 60 } },
      400,
      'ERR_CLICKHOUSE_ANALYTICS_QUERY',
      ['body', 'params', 'n'],
    ],
    ['an unknown field', { query: 'SELECT 1', role: 'admin' }, 400, 'ERR_CLICKHOUSE_ANALYTICS_QUERY', ['body', 'role']],
    [
      'an unknown option',
      { query: 'SELECT 1', options: { settings: {} } },
      400,
      'ERR_CLICKHOUSE_ANALYTICS_QUERY',
      ['body', 'options', 'settings'],
    ],
    [
      'an option that is too large',
      { query: 'SELECT 1', options: { timeoutMs: 1e9 } },
      400,
      'ERR_CLICKHOUSE_ANALYTICS_QUERY',
      ['body', 'options', 'timeoutMs'],
    ],
    [
      'an option of the wrong kind',
      { query: 'SELECT 1', options: { cache: 'yes' } },
      400,
      'ERR_CLICKHOUSE_ANALYTICS_QUERY',
      ['body', 'options', 'cache'],
    ],
    ['a parameter that is missing', { query: 'SELECT :n' }, 400, 'ERR_CLICKHOUSE_PARAMETER', ['body', 'params', 'n']],
    [
      'a parameter that does not fit',
      { query: 'SELECT {n:UInt8}', params: { n: 300 } },
      400,
      'ERR_CLICKHOUSE_PARAMETER',
      ['body', 'params', 'n'],
    ],
    ['broken SQL', { query: 'SELECT FROM WHERE' }, 400, 'ERR_CLICKHOUSE_QUERY_SYNTAX', ['body', 'query']],
    ['two statements', { query: 'SELECT 1; SELECT 2' }, 400, 'ERR_CLICKHOUSE_QUERY_SYNTAX', ['body', 'query']],
    ['a format of its own', { query: 'SELECT 1 FORMAT CSV' }, 400, 'ERR_CLICKHOUSE_QUERY', ['body', 'query']],
    ['a table that is not there', { query: 'SELECT * FROM nowhere' }, 400, 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', ['body', 'query']],
    ['a value that can not be read', { query: "SELECT toUInt8('x')" }, 400, 'ERR_CLICKHOUSE_DATA_TYPE', ['body', 'query']],
    ['an insert', { query: 'INSERT INTO flights VALUES (1)' }, 403, 'ERR_CLICKHOUSE_PERMISSION_DENIED', ['body', 'query']],
    ['a setting', { query: 'SELECT 1 SETTINGS max_execution_time = 0' }, 403, 'ERR_CLICKHOUSE_PERMISSION_DENIED', ['body', 'query']],
    [
      "somebody else's table",
      { query: 'SELECT * FROM default.secret_of_somebody' },
      403,
      'ERR_CLICKHOUSE_PERMISSION_DENIED',
      ['body', 'query'],
    ],
    [
      "the server's disk",
      { query: "SELECT * FROM file('/etc/passwd', 'LineAsString')" },
      403,
      'ERR_CLICKHOUSE_PERMISSION_DENIED',
      ['body', 'query'],
    ],
    [
      "the server's disk by another way",
      { query: "SELECT file('/etc/passwd')" },
      403,
      'ERR_CLICKHOUSE_PERMISSION_DENIED',
      ['body', 'query'],
    ],
    [
      'another address',
      { query: "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')" },
      403,
      'ERR_CLICKHOUSE_PERMISSION_DENIED',
      ['body', 'query'],
    ],
    ['what others ask', { query: 'SELECT query FROM system.query_log' }, 403, 'ERR_CLICKHOUSE_PERMISSION_DENIED', ['body', 'query']],
    ['too many rows', { query: 'SELECT number FROM numbers(3000000)' }, 422, 'ERR_CLICKHOUSE_LIMIT_EXCEEDED', ['body', 'query']],
    [
      'too much memory',
      { query: 'SELECT length(groupArray(toString(number))) FROM numbers(100000000)' },
      422,
      'ERR_CLICKHOUSE_MEMORY_LIMIT',
      ['body', 'query'],
    ],
    [
      'too much time',
      { query: 'SELECT max(sipHash64(toString(number))) FROM numbers(900000000)', options: { timeoutMs: 200 } },
      408,
      'ERR_CLICKHOUSE_QUERY_TIMEOUT',
      ['body', 'query'],
    ],
  ])('refuses %s and names the field', async (_what, payload, status, code, path) => {
    const app = await serve()
    const { reader, owner, url } = inject('clickhouse')

    const answer = await ask(app, payload)

    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toMatchObject({ status, code, issues: expect.arrayContaining([expect.objectContaining({ path })]) as unknown[] })
    expect(answer.statusCode).toBe(status)
    for (const secret of [
      reader.username,
      reader.password,
      owner.username,
      new URL(url).host,
      'node_modules',
      'version 2',
      'DB::Exception',
      'Stack trace',
    ])
      expect(answer.body).not.toContain(secret)
  })

  it('does not name tables that the reader may not see, however close a guess comes', async () => {
    const app = await serve()

    for (const query of [
      'SELECT * FROM default.secret_of_somebodi',
      'SELECT * FROM secret_of_somebody',
      'SELECT * FROM defaul.secret_of_somebody',
      "SELECT dictGet('secret_of_somebodi', 'x', 1)",
    ]) {
      const { body, statusCode } = await ask(app, { query })
      expect(statusCode).toBeLessThan(500)
      expect(body.replaceAll(query, '')).not.toMatch(/you meant|secret_of_somebody\b(?!')/)
    }
  })

  it('refuses a body that is too large, of another type, or broken', async () => {
    const app = await serve({ limits: { maxBodyBytes: 1000 } })
    const post = (payload: string, type: string) =>
      app.inject({ method: 'POST', url: '/analytics', payload, headers: { 'content-type': type } })

    const answers = [
      await post(JSON.stringify({ query: 'x'.repeat(2000) }), 'application/json'),
      await post('SELECT 1', 'application/sql'),
      await post('{', 'application/json'),
    ]

    expect(answers.map(({ statusCode }) => statusCode)).toEqual([413, 415, 400])
    for (const answer of answers) expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  })

  it('runs under the reader that the application names, and keeps answers apart by it', async () => {
    const app = await serve({ readerOf: (request) => ({ scope: String(request.headers['x-tenant']) }) })
    const askAs = async (tenant: string) => {
      const answer = await app.inject({
        method: 'POST',
        url: '/analytics',
        payload: { query: 'SELECT 1' },
        headers: { 'x-tenant': tenant },
      })
      return answer.json<{ cache: { status: string } }>().cache.status
    }

    expect([await askAs('a'), await askAs('b'), await askAs('a')]).toEqual(['miss', 'miss', 'hit'])
  })

  it('ends the query on the server when the caller hangs up', async () => {
    const app = await serve()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const mark = `mark_${crypto.randomUUID()}`
    const running = async () => {
      const { rows } = await database.owner.execute<{ n: bigint }>(
        "SELECT count() AS n FROM system.processes WHERE query LIKE {pattern:String} AND query NOT LIKE '%system.processes%'",
        { pattern: `%${mark}%` },
      )
      return Number(rows[0]?.n)
    }
    const call = httpRequest({
      host: '127.0.0.1',
      port: (app.server.address() as AddressInfo).port,
      path: '/analytics',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    })
    call.on('error', () => {})
    call.end(JSON.stringify({ query: `SELECT max(SHA256(toString(number))), '${mark}' FROM numbers(900000000)` }))
    await expect.poll(running).toBe(1)

    call.destroy()

    await expect.poll(running).toBe(0)
  })

  it('says that ClickHouse is away, and nothing of where it should be', async () => {
    const away = createAdapter({ url: 'http://127.0.0.1:1', user: 'u', password: 'p', retry: { maxAttempts: 1 } })
    closing.push(() => away.close())
    const app = Fastify()
    const analyticsService = createAnalyticsService(away, { cache: false })
    await app.register(analyticsRoutes, { analyticsService })
    closing.push(() => app.close())

    const answer = await ask(app, { query: 'SELECT 1' })

    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('1')
    expect(answer.json()).toMatchObject({ status: 503, code: expect.stringMatching(/^ERR_CLICKHOUSE/) as string })
    expect(answer.body).not.toContain('127.0.0.1')
  })
})

describe('the cache routes', () => {
  it('count and forget', async () => {
    const app = await serve()
    for (const query of ['SELECT count() FROM flights', 'SELECT 2', 'SELECT 2']) await ask(app, { query })
    const invalidate = async (payload?: object) =>
      (
        await app.inject({ method: 'POST', url: '/analytics/cache/invalidate', ...(payload === undefined ? {} : { payload }) })
      ).json<unknown>()

    const stats = (await app.inject('/analytics/cache/stats')).json<unknown>()
    const byQuery = await invalidate({ query: 'SELECT  2' })
    const byTable = await invalidate({ tables: ['flights'] })
    const statuses = [(await ask(app, { query: 'SELECT count() FROM flights' })).json<{ cache: { status: string } }>().cache.status]
    const everything = await invalidate()

    expect(stats).toMatchObject({ hits: 1, misses: 2, entries: 2 })
    expect([byQuery, byTable]).toEqual([{ removed: 1 }, { removed: null }])
    expect(statuses).toEqual(['miss'])
    expect(everything).toEqual({ removed: 1 })
  })

  it.each([
    [{ query: '' }, ['body', 'query']],
    [{ params: {} }, ['body', 'params']],
    [{ tables: [] }, ['body', 'tables']],
    [{ tables: 'flights' }, ['body', 'tables']],
    [{ everything: true }, ['body', 'everything']],
  ])('refuse %o', async (payload, path) => {
    const answer = await (await serve()).inject({ method: 'POST', url: '/analytics/cache/invalidate', payload })

    expect(answer.json()).toMatchObject({ status: 400, issues: [{ path }] })
  })
})

describe('every route', () => {
  it('is behind a guard of its own', async () => {
    const asked: string[] = []
    const app = await serve({
      guard: (permission) => {
        asked.push(permission)
        return async () => {
          throw new InfrastructureError('no', { status: 403, code: 'ERR_ACCESS_DENIED' })
        }
      },
    })

    const answers = [
      await ask(app, { query: 'SELECT 1' }),
      await app.inject('/analytics/cache/stats'),
      await app.inject({ method: 'POST', url: '/analytics/cache/invalidate' }),
    ]

    expect(asked).toEqual(['analytics:query', 'analytics:cache:read', 'analytics:cache:invalidate'])
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([403, 403, 403])
  })

  it('answers whatever is sent with something below 500', async () => {
    const app = await serve({}, { defaultTimeoutMs: 2000 })
    const pieces =
      'SELECT * FROM flights WHERE id , ( ) = 1 :x {y:UInt8} {z:Identifier} GROUP BY ORDER LIMIT UNION ALL WITH AS AND NOT IN \' " ` -- /* */ ; . [ ] -1e999 NULL toInt8 sum arrayJoin numbers(5) system.tables SETTINGS FORMAT JSON INTO OUTFILE \\ \u0000 é'.split(
        ' ',
      )
    const sql = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((words) => `SELECT ${words.join(' ')}`),
    )
    const value = fc.anything({ withNullPrototype: false, maxDepth: 2 })
    const body = fc.oneof(
      fc.record({ query: sql }),
      fc.record({
        query: fc.constantFrom('SELECT :x', 'SELECT {x:UInt8}', 'SELECT {x:Array(String)}', 'SELECT [:x, 1]'),
        params: fc.record({ x: value }),
      }),
      fc.record({ query: value, params: value, options: value, tables: value, tags: value }, { requiredKeys: [] }),
      value,
    )
    const route = fc.constantFrom(
      ['POST', '/analytics'],
      ['POST', '/analytics/cache/invalidate'],
      ['GET', '/analytics/cache/stats'],
      ['PUT', '/analytics'],
    ) as fc.Arbitrary<['POST', string]>
    await fc.assert(
      fc.asyncProperty(route, body, async ([method, url], content) => {
        const payload = JSON.stringify(content) as string | undefined
        const answer = await app.inject({
          method,
          url,
          ...(payload === undefined || (method as string) === 'GET' ? {} : { payload, headers: { 'content-type': 'application/json' } }),
        })
        expect(answer.statusCode, answer.body).toBeLessThan(500)
      }),
      { numRuns: 600 },
    )
    expect((await ask(app, { query: 'SELECT 1 AS one' })).json()).toMatchObject({ data: [{ one: 1 }] })
  })
})
