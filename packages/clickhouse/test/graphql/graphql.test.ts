import { createL1Cache } from '@smart-whale/core-cache'
import fc from 'fast-check'
import Fastify, { type FastifyInstance } from 'fastify'
import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createGraphqlLayer, registerGraphql } from '../../src/graphql/index.ts'
import { type AnalyticsService, createAnalyticsService } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let app: FastifyInstance
let analyticsService: AnalyticsService

beforeAll(async () => {
  database = await ownDatabase()
  await database.owner.execute('CREATE TABLE flights (id UInt64, price Decimal(18, 2)) ENGINE = MergeTree ORDER BY id')
  await database.owner.insert('flights', [{ id: 9007199254740993n, price: '12.34' }])
  analyticsService = createAnalyticsService(database.reader, { cache: createL1Cache(), defaultTimeoutMs: 5000 })
  app = Fastify()
  await registerGraphql(app, { layer: createGraphqlLayer({ analyticsService }) })
})
afterAll(async () => {
  await app.close()
  await analyticsService.close()
  await database.drop()
})

const ask = async (query: string, variables: object = {}) => app.inject({ method: 'POST', url: '/graphql', payload: { query, variables } })
const ANALYTICS =
  'query ($sql: String!, $params: JSON, $options: AnalyticsOptions) { analytics(query: $sql, params: $params, options: $options) { data columns { name type } statistics { rowsRead } cache { status ttlSeconds } } }'

describe('GraphQL over a real server', () => {
  it('answers with exact values and their types, from the cache the second time, compiled or not', async () => {
    const question = { sql: 'SELECT id, price FROM flights WHERE id = {id:UInt64}', params: { id: '9007199254740993' } }
    const answers = []
    for (let time = 0; time < 4; time++)
      answers.push((await ask(ANALYTICS, question)).json<{ data: { analytics: { cache: { status: string } } } }>())

    expect(answers[0]).toEqual({
      data: {
        analytics: {
          data: [{ id: '9007199254740993', price: '12.34' }],
          columns: [
            { name: 'id', type: 'UInt64' },
            { name: 'price', type: 'Decimal(18, 2)' },
          ],
          statistics: { rowsRead: 1 },
          cache: { status: 'miss', ttlSeconds: 30 },
        },
      },
    })
    expect(answers.map(({ data }) => data.analytics.cache.status)).toEqual(['miss', 'hit', 'hit', 'hit'])
  })

  it.each([
    ['SELECT FROM WHERE', {}, 'ERR_CLICKHOUSE_QUERY_SYNTAX', 400, ['analytics', 'query']],
    ['DROP TABLE flights', {}, 'ERR_CLICKHOUSE_PERMISSION_DENIED', 403, ['analytics', 'query']],
    ['SELECT :n', {}, 'ERR_CLICKHOUSE_PARAMETER', 400, ['analytics', 'params', 'n']],
    ['SELECT 1', { ttlSeconds: -1 }, 'ERR_CLICKHOUSE_ANALYTICS_QUERY', 400, ['analytics', 'options', 'ttlSeconds']],
    ['SELECT number FROM numbers(3000000)', {}, 'ERR_CLICKHOUSE_LIMIT_EXCEEDED', 422, ['analytics', 'query']],
  ])('says by a code what is wrong with %s', async (sql, options, code, status, path) => {
    const { url, reader } = inject('clickhouse')

    const answer = await ask(ANALYTICS, { sql, options })

    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({ data: null, errors: [{ path: ['analytics'], extensions: { code, status, issues: [{ path }] } }] })
    for (const secret of [new URL(url).host, reader.username, 'version 2', 'DB::']) expect(answer.body).not.toContain(secret)
  })

  it('runs equal fields of a request once', async () => {
    const before = await analyticsService.getCacheStats()
    const answer = await ask(
      '{ a: analytics(query: "SELECT sleep(0.2), 77") { cache { status } } b: analytics(query: "SELECT sleep(0.2), 77") { cache { status } } }',
    )
    const after = await analyticsService.getCacheStats()

    expect(answer.json()).toMatchObject({ data: { a: { cache: { status: 'miss' } }, b: { cache: { status: 'shared' } } } })
    expect(after.misses - before.misses).toBe(1)
  })

  it('ends the query on the server when the caller hangs up', async () => {
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
      path: '/graphql',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    })
    call.on('error', () => {})
    call.end(
      JSON.stringify({ query: ANALYTICS, variables: { sql: `SELECT max(SHA256(toString(number))), '${mark}' FROM numbers(900000000)` } }),
    )
    await expect.poll(running).toBe(1)

    call.destroy()

    await expect.poll(running).toBe(0)
  })

  it('answers whatever is asked with something below 500, in every error too', async () => {
    const value = fc.jsonValue({ maxDepth: 2 })
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          sql: fc.oneof(fc.string(), fc.constantFrom('SELECT :x', 'SELECT {x:UInt8}', 'SELECT [:x]')),
          params: fc.oneof(value, fc.record({ x: value })),
          options: value,
        }),
        async (variables) => {
          const answer = await ask(ANALYTICS, variables)
          expect(answer.statusCode).toBeLessThan(500)
          for (const { extensions } of answer.json<{ errors?: { extensions: { status: number } }[] }>().errors ?? [])
            expect(extensions.status, answer.body).toBeLessThan(500)
        },
      ),
      { numRuns: 300 },
    )
  })
})
