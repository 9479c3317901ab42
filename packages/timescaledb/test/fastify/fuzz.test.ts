import { randomBytes } from 'node:crypto'
import { createMigrationManager, type TimescaleStorage } from '@smart-whale/timescaledb'
import { timeSeriesRoutes } from '@smart-whale/timescaledb/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

const COLUMNS = ['at', 'id', 'small', 'big', 'fare', 'ratio', 'real', 'seen', 'flag', 'code', 'tags', 'raw', 'mood', 'span', 'list', 'odd name']

/** Too long for an index, and not to be compressed. */
const LONG = randomBytes(8_000).toString('base64')

describeEngines((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage
  let app: FastifyInstance
  const failures: unknown[] = []

  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
    await createMigrationManager(storage).up()
    await storage.execute(`create type mood as enum ('glad', 'sad')`)
    await storage.execute(
      `create table things (at timestamptz not null, id text not null, small smallint, big bigint, fare numeric(8, 2), ratio float8, real real, seen date, flag boolean,
         code uuid, tags jsonb, raw bytea, mood mood, span interval, list int[], "odd name" text check (length("odd name") < 50), unique (id, at))`,
    )
    await storage.execute(`insert into things (at, id, small) select '2001-01-01'::timestamptz + i * interval '1 hour', 'i' || i, i from generate_series(1, 50) i`)
    app = Fastify()
    app.addHook('onError', async (_request, _reply, error) => void failures.push(error))
    await app.register(timeSeriesRoutes, { storage, limits: { maxRows: 500 } })
  })
  afterAll(async () => {
    await app.close()
    await database.close()
  })

  const odd = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('', ' ', '\0', '\ud800', "'", '"', '--', '$1', '%', '[]', 'null', 'NaN', 'Infinity', '-0', '1e400', '1e-400', '9'.repeat(400), '0x10', '2001-01-01', '-1d', 'now', '-9999999999 years', '294276-01-01', '0001-01-01', '9999-12-31T23:59:59.999Z', 'epoch', '2001-01-01T00:00:00.1234567Z', '1 day', '1 month', '99999999999 days', 'count', 'avg:small', 'p99:ratio', 'percentile:small:NaN', 'first:tags', 'max:list', 'UTC', 'Europe/Berlin', 'posixrules', 'glad', '{1,2}'),
    fc.integer().map(String),
    fc.double().map(String),
  )
  const columns = fc.constantFrom(...COLUMNS)
  const names = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('start', 'end', 'range', 'limit', 'cursor', 'order', 'interval', 'metrics', 'groupBy', 'fill', 'timeZone', 'perSeries') },
    { weight: 3, arbitrary: columns },
    { weight: 3, arbitrary: fc.tuple(columns, fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'null')).map(([column, operator]) => `${column}[${operator}]`) },
    { weight: 1, arbitrary: odd },
  )
  const query = fc.array(fc.tuple(names, fc.oneof(odd, columns, columns.map((column) => `sum:${column},min:${column},last:${column}`))), { maxLength: 6 })
  const path = fc.oneof({ weight: 8, arbitrary: fc.constantFrom('things', 'things/aggregate', 'things/latest', 'time_series_data') }, { weight: 1, arbitrary: odd.map((text) => encodeURIComponent(text.toWellFormed())) })

  const encode = (pairs: readonly (readonly [string, string])[]): string => pairs.map(([name, value]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`).join('&')

  /** The whole of what a caller may get for nonsense: an answer, or a refusal that says why. */
  async function expectSound(request: { method: 'GET' | 'POST'; url: string; payload?: string; headers?: Record<string, string> }): Promise<void> {
    failures.length = 0
    const response = await app.inject(request)
    const reason = failures.map((error) => (error instanceof Error ? `${error.message} ${String(error.cause)}` : String(error))).join()
    expect(response.statusCode, `${request.url} ${request.payload ?? ''} → ${response.body} ${reason}`).toBeLessThan(500)
    if (response.statusCode >= 400 && response.headers['content-type']?.startsWith('application/problem+json')) {
      expect(response.json<{ detail: string }>().detail.length).toBeGreaterThan(0)
    }
  }

  it('answers or refuses every query, and never fails', async () => {
    await fc.assert(
      fc.asyncProperty(path, query, (table, pairs) => expectSound({ method: 'GET', url: `/timeseries/${table}?${encode(pairs)}` })),
      { numRuns: 1500 },
    )
  })

  it('answers or refuses every aggregation over every column', async () => {
    const functions = fc.constantFrom('avg', 'min', 'max', 'sum', 'count', 'first', 'last', 'stddev', 'p50')
    const metrics = fc.array(fc.tuple(functions, columns).map(([name, column]) => `${name}:${column}`), { minLength: 1, maxLength: 2 })
    const fill = fc.constantFrom('none', 'null', 'locf', 'linear')
    await fc.assert(
      fc.asyncProperty(metrics, fc.array(columns, { maxLength: 2 }), fill, (list, groupBy, fillWith) =>
        expectSound({ method: 'GET', url: `/timeseries/things/aggregate?${encode([['interval', '6h'], ['metrics', list.join(',')], ['fill', fillWith], ...groupBy.map((column) => ['groupBy', column] as const)])}` }),
      ),
      { numRuns: 500 },
    )
  })

  it('stores or refuses every body, and never fails', async () => {
    const value = fc.oneof(odd, fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.jsonValue({ maxDepth: 3 }), fc.constantFrom('x'.repeat(10_000), LONG, '\u0000'))
    const point = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.dictionary(columns, value, { maxKeys: 4 }), fc.constantFrom('2001-01-01', '1800-01-01T00:00:00Z', '9999-12-31', 'x')).map(([given, at]) => ({ at, id: 'fuzz', ...given })) },
      { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<object> },
    )
    const body = fc.oneof({ weight: 8, arbitrary: fc.record({ points: fc.array(point, { maxLength: 4 }) }) }, { weight: 1, arbitrary: fc.jsonValue() as fc.Arbitrary<object> }).map((given) => JSON.stringify(given))
    const payload = fc.oneof({ weight: 9, arbitrary: body }, { weight: 1, arbitrary: fc.string() })
    const key = fc.option(fc.constantFrom('a', 'b', 'c', ' ', 'x'.repeat(300)), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(payload, key, fc.constantFrom('application/json', 'application/json', 'application/json', 'text/plain'), (text, idempotencyKey, type) =>
        expectSound({ method: 'POST', url: '/timeseries/things', payload: text, headers: { 'content-type': type, ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }) } }),
      ),
      { numRuns: 800 },
    )
  })
})
