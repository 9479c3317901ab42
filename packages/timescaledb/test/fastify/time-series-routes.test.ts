import { createMigrationManager, createPartitionManager, type TimescaleStorage } from '@smart-whale/timescaledb'
import { timeSeriesRoutes, type TimeSeriesRoutesOptions } from '@smart-whale/timescaledb/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeEngines } from '../each-engine.ts'
import { openTestDatabase, type TestDatabase } from '../time-series-database.ts'

describeEngines((engine) => {
  let database: TestDatabase
  let storage: TimescaleStorage
  let app: FastifyInstance

  const start = async (options: Partial<TimeSeriesRoutesOptions> = {}): Promise<FastifyInstance> => {
    const fastify = Fastify()
    await fastify.register(timeSeriesRoutes, { storage, ...options })
    return fastify
  }

  beforeAll(async () => {
    database = await openTestDatabase(engine)
    storage = database.storage
    await createMigrationManager(storage).up()
    await storage.execute('create table flights (date timestamptz not null, delay int, distance bigint, fare numeric(10, 2), origin text not null)')
    await createPartitionManager(storage).partitionByTime('flights', 'date')
    const rows = Array.from({ length: 300 }, (_, index) => ({
      date: new Date(Date.UTC(2001, 0, 1) + index * 1_020_000),
      delay: index % 50,
      distance: 9_007_199_254_740_993n + BigInt(index),
      fare: (index / 100).toFixed(2),
      origin: ['JFK', 'LAX', 'SFO'][index % 3],
    }))
    await createPartitionManager(storage).ensureForRows('flights', rows)
    await storage.bulkInsert('flights', rows)
    app = await start()
  })
  afterAll(async () => {
    await app.close()
    await database.close()
  })

  const get = async (url: string, from = app) => {
    const response = await from.inject(url)
    return { status: response.statusCode, type: response.headers['content-type'], body: response.json<Record<string, unknown>>() }
  }
  const rowsOf = (body: Record<string, unknown>) => body['data'] as Record<string, unknown>[]

  describe('GET /timeseries/{table}', () => {
    it('gives rows page by page, 64-bit integers and decimals as strings, with their types', async () => {
      const first = await get('/timeseries/flights?start=2001-01-01&end=2001-01-02&origin=LAX&limit=2')

      expect(first.status).toBe(200)
      expect(rowsOf(first.body)).toEqual([
        { date: '2001-01-01T00:17:00.000Z', delay: 1, distance: '9007199254740994', fare: '0.01', origin: 'LAX' },
        { date: '2001-01-01T01:08:00.000Z', delay: 4, distance: '9007199254740997', fare: '0.04', origin: 'LAX' },
      ])
      expect(first.body['columns']).toContainEqual({ name: 'distance', type: 'bigint' })
      let [count, cursor] = [2, first.body['nextCursor']]
      while (cursor !== null) {
        const { body } = await get(`/timeseries/flights?start=2001-01-01&end=2001-01-02&origin=LAX&limit=9&cursor=${String(cursor)}`)
        count += rowsOf(body).length
        cursor = body['nextCursor']
      }
      expect(count).toBe(28)
    })

    it('filters by columns', async () => {
      expect(rowsOf((await get('/timeseries/flights?delay[gte]=48&origin[in]=JFK,LAX&order=desc')).body).every(({ delay, origin }) => Number(delay) >= 48 && origin !== 'SFO')).toBe(true)
      expect(rowsOf((await get('/timeseries/flights?origin=JFK&origin=SFO')).body)).toHaveLength(200)
      expect(rowsOf((await get('/timeseries/flights?delay[null]=true')).body)).toHaveLength(0)
    })

    it.each([
      ['limit=x', 'limit'],
      ['limit=10001', 'limit'],
      ['order=up', 'order'],
      ['start=noon', 'start'],
      ['start=2001-02-01&end=2001-01-01', 'end'],
      ['cursor=x', 'cursor'],
      ['nope=1', 'nope'],
      ['delay=late', 'delay'],
      ['delay[gte]=late', 'delay'],
      ['interval=1%20day', 'interval'],
    ])('refuses ?%s and names %s', async (query, field) => {
      const { status, type, body } = await get(`/timeseries/flights?${query}`)

      expect([status, type]).toEqual([400, 'application/problem+json; charset=utf-8'])
      expect((body['issues'] as { path: string[] }[])[0]?.path.slice(0, 2)).toEqual(['querystring', field])
    })

    it.each(['nope', 'audit_log', 'smart_whale_ingest_ledger', 'pg_class', 'flights_p20010101', 'public.flights', 'Flights', '%00', 'x'.repeat(100), '%F0%9F%90%B3'])('knows no table %s', async (table) => {
      expect(await get(`/timeseries/${table}`)).toMatchObject({ status: 404, body: { code: 'ERR_TIMESCALEDB_UNKNOWN_TABLE' } })
    })

    it('shows only the tables that it is told to', async () => {
      const narrow = await start({ tables: ['flights', 'audit_log'] })

      expect((await get('/timeseries/flights?limit=1', narrow)).status).toBe(200)
      expect((await get('/timeseries/time_series_data', narrow)).status).toBe(404)
      expect((await get('/timeseries/audit_log', narrow)).status).toBe(404)
      await narrow.close()
    })

    it('notices that a table has gone or come back', async () => {
      await storage.execute('create table passing (at timestamptz primary key, n int)')
      expect((await get('/timeseries/passing')).status).toBe(200)
      await storage.execute('drop table passing')
      expect((await get('/timeseries/passing')).status).toBe(404)
      await storage.execute('create table passing (at timestamptz primary key)')
      expect((await get('/timeseries/passing')).status).toBe(200)
    })
  })

  describe('GET /timeseries/{table}/aggregate', () => {
    it('gives the metrics of each bucket and group under names that follow from them', async () => {
      const { body } = await get('/timeseries/flights/aggregate?start=2001-01-01&end=2001-01-03&interval=1%20day&metrics=count,avg:delay,sum:distance,sum:fare&groupBy=origin')

      expect(rowsOf(body)).toHaveLength(6)
      const [exact] = await storage.execute<{ sum: string; fare: string; avg: number }>(
        `select sum(distance)::text as sum, sum(fare)::text as fare, avg(delay)::float8 as avg from flights where date < '2001-01-02' and origin = 'JFK'`,
      )
      expect(rowsOf(body)[0]).toEqual({ bucket: '2001-01-01T00:00:00.000Z', origin: 'JFK', count: '29', avg_delay: exact?.avg, sum_distance: exact?.sum, sum_fare: exact?.fare })
    })

    it('counts the whole table when nothing else is asked', async () => {
      const { body } = await get('/timeseries/flights/aggregate?interval=1%20year')

      expect(rowsOf(body)).toEqual([{ bucket: '2001-01-01T00:00:00.000Z', count: '300' }])
    })

    it('fills gaps in every group', async () => {
      const { body } = await get('/timeseries/flights/aggregate?start=2001-01-01&end=2001-01-01T12:00:00Z&interval=10m&metrics=last:delay&groupBy=origin&fill=locf')

      expect(rowsOf(body)).toHaveLength(72 * 3)
      expect(rowsOf(body).at(-1)).toMatchObject({ origin: 'SFO' })
      expect(rowsOf(body).at(-1)?.['last_delay']).not.toBeNull()
    })

    it.each([
      ['', 'interval'],
      ['interval=1%20day&metrics=median:delay', 'metrics'],
      ['interval=1%20day&metrics=avg:origin', 'metrics'],
      ['interval=1%20day&groupBy=nope', 'groupBy'],
      ['interval=1%20day&fill=guess', 'fill'],
      ['interval=1%20day&timeZone=Mars', 'timeZone'],
      ['interval=1s&start=2001-01-01&end=2001-01-03', 'interval'],
      ['interval=1%20day&limit=5', 'limit'],
    ])('refuses ?%s and names %s', async (query, field) => {
      const { status, body } = await get(`/timeseries/flights/aggregate?${query}`)

      expect(status).toBe(400)
      expect((body['issues'] as { path: string[] }[])[0]?.path[1]).toBe(field)
    })
  })

  describe('GET /timeseries/{table}/latest', () => {
    it('gives the newest row, or those of each series', async () => {
      expect(rowsOf((await get('/timeseries/flights/latest')).body)).toMatchObject([{ date: '2001-01-04T12:43:00.000Z' }])
      expect(rowsOf((await get('/timeseries/flights/latest?perSeries=origin&limit=2')).body).map(({ origin }) => origin)).toEqual(['JFK', 'JFK', 'LAX', 'LAX', 'SFO', 'SFO'])
      expect((await get('/timeseries/flights/latest?perSeries=nope')).body['issues']).toMatchObject([{ path: ['querystring', 'perSeries', 0] }])
    })
  })

  describe('POST /timeseries/{table}', () => {
    const post = async (points: unknown, headers: Record<string, string> = {}, table = 'time_series_data') => {
      const response = await app.inject({ method: 'POST', url: `/timeseries/${table}`, headers, payload: { points } as Record<string, unknown> })
      return { status: response.statusCode, replayed: response.headers['idempotency-replayed'], body: response.json<Record<string, unknown>>() }
    }
    const countOf = async (id: string): Promise<bigint> => (await storage.execute<{ n: bigint }>('select count(*) as n from time_series_data where id = $1', [id]))[0]?.n ?? 0n
    const point = (id: string, day: number) => ({ id, timestamp: `2001-02-${String(day).padStart(2, '0')}T00:00:00Z`, value: day })

    it('stores points in whatever partition they need, columns left out getting their defaults', async () => {
      expect(await post([point('plain', 1), { ...point('plain', 2), timestamp: '1955-11-05T06:00:00Z', metadata: { a: [1] } }])).toMatchObject({ status: 201, body: { table: 'time_series_data', stored: 2 } })
      expect(await storage.execute(`select metadata from time_series_data where id = 'plain' order by "timestamp"`)).toEqual([{ metadata: { a: [1] } }, { metadata: {} }])
    })

    it('keeps 64-bit integers and decimals exact, and refuses what JSON has rounded', async () => {
      expect((await post([{ date: '2001-01-01', distance: '9223372036854775807', fare: '12345678.90', origin: 'EXACT' }], {}, 'flights')).status).toBe(201)
      expect(rowsOf((await get('/timeseries/flights?origin=EXACT')).body)).toMatchObject([{ distance: '9223372036854775807', fare: '12345678.90', delay: null }])
      const rounded = await post([{ date: '2001-01-01', distance: 9223372036854775807, origin: 'EXACT' }], {}, 'flights')
      expect([rounded.status, (rounded.body['issues'] as { path: unknown }[])[0]?.path]).toEqual([400, ['body', 'points', 0, 'distance']])
    })

    it('stores the same request once, also when it comes five times at once', async () => {
      const answers = await Promise.all([1, 2, 3, 4, 5].map(() => post([point('once', 1)], { 'idempotency-key': 'key-1' })))
      const later = await post([point('once', 1)], { 'idempotency-key': 'key-1' })

      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201])
      expect([...answers, later].filter(({ replayed }) => replayed === undefined)).toHaveLength(1)
      expect(later.body).toEqual(answers[0]?.body)
      expect(await countOf('once')).toBe(1n)
    })

    it('refuses a key that comes with another body, and forgets the key of a request that failed', async () => {
      await post([point('keyed', 1)], { 'idempotency-key': 'key-2' })

      expect(await post([point('keyed', 2)], { 'idempotency-key': 'key-2' })).toMatchObject({ status: 409, body: { code: 'ERR_TIMESCALEDB_IDEMPOTENCY_KEY' } })
      expect(await post([point('keyed', 1)], { 'idempotency-key': 'key-3' })).toMatchObject({ status: 409, body: { code: 'ERR_TIMESCALEDB_UNIQUE' } })
      expect(await post([point('keyed', 3)], { 'idempotency-key': 'key-3' })).toMatchObject({ status: 201 })
      expect((await post([point('keyed', 4)], { 'idempotency-key': 'with blank' })).status).toBe(400)
    })

    it('forgets a key when its time is over', async () => {
      await post([point('expired', 1)], { 'idempotency-key': 'key-4' })
      await storage.execute(`update smart_whale_idempotency_keys set expires_at = now() - interval '1 second' where key = 'key-4'`)

      expect(await post([point('expired', 2)], { 'idempotency-key': 'key-4' })).toMatchObject({ status: 201, replayed: undefined })
    })

    it('keeps the keys of callers and tables apart', async () => {
      const own = await start({ callerOf: (request) => String(request.headers['x-caller']) })
      const send = (caller: string, day: number) =>
        own.inject({ method: 'POST', url: '/timeseries/time_series_data', headers: { 'idempotency-key': 'shared', 'x-caller': caller }, payload: { points: [point('callers', day)] } })

      expect([(await send('a', 1)).statusCode, (await send('b', 2)).statusCode, (await send('a', 2)).statusCode]).toEqual([201, 201, 409])
      await own.close()
    })

    it.each<[string, unknown, (string | number)[]]>([
      ['no points', [], ['body', 'points']],
      ['no list', { id: 'a' }, ['body', 'points']],
      ['a point that is none', [5], ['body', 'points', 0]],
      ['an unknown column', [{ ...point('w', 1), nope: 1 }], ['body', 'points', 0, 'nope']],
      ['a missing column', [point('w', 1), { id: 'w', value: 1 }], ['body', 'points', 1, 'timestamp']],
      ['a wrong time', [{ ...point('w', 1), timestamp: 'noon' }], ['body', 'points', 0, 'timestamp']],
      ['a text for a number', [{ ...point('w', 1), value: 'much' }], ['body', 'points', 0, 'value']],
      ['a null where none may be', [{ ...point('w', 1), id: null }], ['body', 'points', 0, 'id']],
      ['a zero byte in json', [{ ...point('w', 1), metadata: { a: '\0' } }], ['body', 'points', 0, 'metadata']],
    ])('stores nothing and names the place of %s', async (_what, points, path) => {
      const { status, body } = await post(points)

      expect(status).toBe(400)
      expect((body['issues'] as { path: unknown }[])[0]?.path).toEqual(path)
      expect(await countOf('w')).toBe(0n)
    })

    it('refuses more than fits', async () => {
      const small = await start({ limits: { maxPoints: 2, maxBodyBytes: 1000 } })
      const send = (points: unknown[]) => small.inject({ method: 'POST', url: '/timeseries/time_series_data', payload: { points } })

      expect((await send([1, 2, 3])).statusCode).toBe(400)
      expect((await send(['x'.repeat(2000)])).statusCode).toBe(413)
      await small.close()
    })
  })

  it('asks the guard once a route for the permission to read or to write', async () => {
    const asked: string[] = []
    const guarded = await start({
      guard: (permission) => {
        asked.push(permission)
        return async (_request, reply) => reply.code(401).send({ permission })
      },
    })

    expect((await guarded.inject('/timeseries/flights')).json()).toEqual({ permission: 'timeseries:read' })
    expect((await guarded.inject({ method: 'POST', url: '/timeseries/flights', payload: {} })).json()).toEqual({ permission: 'timeseries:write' })
    expect(asked).toEqual(['timeseries:read', 'timeseries:write'])
    await guarded.close()
  })

  it('stops the statement when the caller hangs up', async () => {
    const slow = await start({ storage: slowed(storage) })
    const address = await slow.listen({ port: 0, host: '127.0.0.1' })
    const controller = new AbortController()
    const request = fetch(`${address}/timeseries/flights`, { signal: controller.signal })
    await started.promise
    controller.abort()

    await expect(request).rejects.toThrow()
    await expect(stopped.promise).resolves.toBe(true)
    await slow.close()
  })

  const started = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<boolean>()

  /** Tells when a page is being read, and whether its reading was stopped. */
  function slowed(real: TimescaleStorage): TimescaleStorage {
    const execute: TimescaleStorage['execute'] = (sql, params, options) => {
      if (!sql.includes('~position')) return real.execute(sql, params, options)
      const running = real.execute(`select pg_sleep(20)`, [], options)
      started.resolve()
      running.then(() => stopped.resolve(false), () => stopped.resolve(true))
      return running as never
    }
    // Its methods know their own storage alone.
    const own = (value: unknown): unknown => (typeof value === 'function' ? (value.bind(real) as unknown) : value)
    return new Proxy(real, { get: (target, name) => (name === 'execute' ? execute : own(Reflect.get(target, name, target))) })
  }
})
