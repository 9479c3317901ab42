import { type CachingInterface, OperationError, type Row } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ClickHouseAdapter, QueryOptions, QueryResult } from '../adapter-options.ts'
import { QuerySyntaxError } from '../errors.ts'
import type { AnalyticsServiceOptions } from './analytics-options.ts'
import { createAnalyticsService } from './analytics-service.ts'

// The service loads it on first use; here nothing may take longer than a turn of the event loop.
beforeAll(() => import('@smart-whale/core-cache'))

interface Load {
  readonly query: string
  readonly options: QueryOptions
  answer(rows: Row[]): void
  fail(error: Error): void
}

const CATALOGUE = [
  ['a', 'MergeTree', '', '', ['daily_of_a']],
  ['b', 'MergeTree', '', '', []],
  ['daily', 'SummingMergeTree', '', '', []],
  ['daily_of_a', 'MaterializedView', 'SELECT 1 FROM db.a', 'CREATE MATERIALIZED VIEW db.daily_of_a TO db.daily AS SELECT 1 FROM db.a', []],
  ['view_of_b', 'View', 'SELECT 1 FROM db.b', 'CREATE VIEW db.view_of_b AS SELECT 1 FROM db.b', []],
  ['far', 'Distributed', '', '', []],
].map(([name, engine, as_select, create_table_query, views]) => ({
  database: 'db',
  name,
  engine,
  as_select,
  create_table_query,
  dependencies_table: views,
  dependencies_database: (views as string[]).map(() => 'db'),
}))

/** A server whose answers the test decides, so that what happens meanwhile happens for sure. Real ones are asked in the integration tests. */
function controlledServer() {
  const loads: Load[] = []
  const result = (rows: Row[]): QueryResult => ({
    rows,
    columns: [{ name: 'n', type: 'UInt8' }],
    statistics: { rowsRead: 1, bytesRead: 1, elapsedMs: 1 },
    queryId: `q${loads.length}`,
  })
  const execute = (query: string, _params: unknown, options: QueryOptions = {}): Promise<QueryResult> => {
    if (query.includes('FROM system.tables')) return Promise.resolve(result(CATALOGUE))
    return new Promise((resolve, reject) => {
      loads.push({ query, options, answer: (rows) => resolve(result(rows)), fail: reject })
      options.signal?.addEventListener('abort', () => reject(new OperationError('aborted', { code: 'ERR_ABORTED' })))
    })
  }
  const insert = async () => ({ rows: 1, queryId: 'i' })
  return { loads, adapter: { server: 'test:8123/db', database: 'db', execute, insert } as unknown as ClickHouseAdapter }
}

function setup(options: Partial<AnalyticsServiceOptions> = {}) {
  const clock = new FakeClock()
  const { loads, adapter } = controlledServer()
  const service = createAnalyticsService(adapter, { clock, ...options })
  /** Asks, and waits until the question is with the server or answered from the cache. */
  const ask = async (query: string, more: object = {}, params = {}) => {
    const answer = service.executeAnalyticsQuery({ query, params, options: more })
    answer.catch(() => {})
    await clock.advance(0)
    await clock.advance(0)
    await clock.advance(0)
    return { answer }
  }
  const askAndAnswer = async (query: string, rows: Row[] = [{ n: 1 }], more: object = {}) => {
    const before = loads.length
    const { answer } = await ask(query, more)
    if (loads.length > before) loads.at(-1)?.answer(rows)
    return answer
  }
  return { clock, loads, adapter, service, ask, askAndAnswer }
}

describe('an answer', () => {
  it('is served again until its life ends', async () => {
    const { clock, loads, askAndAnswer, service } = setup({ defaultTtlSeconds: 10 })

    const first = await askAndAnswer('SELECT n FROM a')
    await clock.advance(4000)
    const second = await askAndAnswer('SELECT  n -- again\nFROM a;')
    await clock.advance(6000)
    const third = await askAndAnswer('SELECT n FROM a')

    expect([first, second, third].map(({ cache }) => cache)).toEqual([
      { status: 'miss', ageMs: 0, ttlSeconds: 10 },
      { status: 'hit', ageMs: 4000, ttlSeconds: 10 },
      { status: 'miss', ageMs: 0, ttlSeconds: 10 },
    ])
    expect(second.data).toEqual([{ n: 1 }])
    expect(loads).toHaveLength(2)
    expect(await service.getCacheStats()).toMatchObject({ hits: 1, misses: 2, entries: 1, inFlight: 0, hitRatio: 1 / 3 })
  })

  it('is given to nobody who asks for another role, scope or value', async () => {
    const { loads, ask } = setup()

    for (const options of [{}, { role: 'r' }, { scope: 's' }, { role: 's' }]) await ask('SELECT n FROM a', options)
    for (const params of [{ x: 1 }, { x: '1' }, { x: 1n }, { x: true }, { x: null }, { x: [1] }, { x: new Date(1) }, { y: 1 }])
      await ask('SELECT n FROM a', {}, params)

    expect(loads).toHaveLength(12)
  })

  it('is fetched anew for who wants a younger one', async () => {
    const { clock, loads, askAndAnswer } = setup({ defaultTtlSeconds: 60 })
    await askAndAnswer('SELECT n FROM a')
    await clock.advance(5000)

    const younger = await askAndAnswer('SELECT n FROM a', [{ n: 2 }], { ttlSeconds: 5 })

    expect(younger).toMatchObject({ data: [{ n: 2 }], cache: { status: 'miss', ttlSeconds: 5 } })
    expect(loads).toHaveLength(2)
  })

  it('past its life is served once more while it is loaded behind', async () => {
    const { clock, loads, ask, askAndAnswer } = setup({ defaultTtlSeconds: 10, staleSeconds: 20 })
    await askAndAnswer('SELECT n FROM a')
    await clock.advance(15_000)

    const stale = await (await ask('SELECT n FROM a')).answer
    loads[1]?.answer([{ n: 2 }])
    await clock.advance(0)
    const renewed = await (await ask('SELECT n FROM a')).answer

    expect(stale).toMatchObject({ data: [{ n: 1 }], cache: { status: 'stale', ageMs: 15_000 } })
    expect(renewed).toMatchObject({ data: [{ n: 2 }], cache: { status: 'hit' } })
    expect(loads).toHaveLength(2)
  })

  it('past its life is loaded for nobody but itself, however many are served it meanwhile', async () => {
    const { clock, loads, service, ask, askAndAnswer } = setup({ defaultTtlSeconds: 10, staleSeconds: 20 })
    await askAndAnswer('SELECT n FROM a')
    await clock.advance(15_000)

    for (let asked = 0; asked < 10; asked++) expect((await (await ask('SELECT n FROM a')).answer).cache.status).toBe('stale')

    expect(loads).toHaveLength(2)
    expect(await service.getCacheStats()).toMatchObject({ inFlight: 1, waiting: 1 })
  })

  it('that is too large is not kept', async () => {
    const { loads, askAndAnswer } = setup({ maxCachedRows: 1 })

    const large = await askAndAnswer('SELECT n FROM a', [{ n: 1 }, { n: 2 }])
    await askAndAnswer('SELECT n FROM a')

    expect(large.cache).toMatchObject({ status: 'miss', ttlSeconds: 0 })
    expect(loads).toHaveLength(2)
  })

  it('is neither taken from the cache nor put there when the caller wants none', async () => {
    const { loads, askAndAnswer, service } = setup()

    const first = await askAndAnswer('SELECT n FROM a', [{ n: 1 }], { cache: false })
    const second = await askAndAnswer('SELECT n FROM a', [{ n: 2 }], { cache: false })

    expect([first, second].map(({ cache }) => cache.status)).toEqual(['bypass', 'bypass'])
    expect(loads).toHaveLength(2)
    expect(await service.getCacheStats()).toMatchObject({ bypassed: 2, entries: 0 })
  })
})

describe.each<[string, Partial<AnalyticsServiceOptions>]>([
  ['with a cache', {}],
  ['without one', { cache: false }],
])('equal questions at the same time, %s', (_what, options) => {
  it('are asked once', async () => {
    const { loads, ask } = setup(options)
    const asked = [await ask('SELECT n FROM a'), await ask('SELECT n  FROM a'), await ask('SELECT n FROM a /* too */')]

    loads[0]?.answer([{ n: 7 }])

    expect((await Promise.all(asked.map(({ answer }) => answer))).map(({ data, cache }) => [data, cache.status])).toEqual([
      [[{ n: 7 }], 'miss'],
      [[{ n: 7 }], 'shared'],
      [[{ n: 7 }], 'shared'],
    ])
    expect(loads).toHaveLength(1)
  })

  it('are ended on the server only when the last caller has left', async () => {
    const { loads, ask, clock } = setup(options)
    const [one, two] = [new AbortController(), new AbortController()]
    const first = await ask('SELECT n FROM a', { signal: one.signal })
    const second = await ask('SELECT n FROM a', { signal: two.signal })

    one.abort()
    await expect(first.answer).rejects.toMatchObject({ code: 'ERR_ABORTED', status: 499 })
    const endedByFirst = loads[0]?.options.signal?.aborted
    two.abort()
    await expect(second.answer).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await clock.advance(0)

    expect(endedByFirst).toBe(false)
    expect(loads[0]?.options.signal?.aborted).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('are asked again by who comes after an insert', async () => {
    const { loads, ask, service, clock } = setup(options)
    const before = await ask('SELECT n FROM b')
    const inserting = service.insert('b', [{ n: 1 }])
    await clock.advance(0)
    await inserting
    const after = await ask('SELECT n FROM b')

    loads[1]?.answer([{ n: 2 }])
    loads[0]?.answer([{ n: 1 }])
    const answers = await Promise.all([before.answer, after.answer])
    const later = await ask('SELECT n FROM b')
    loads[2]?.answer([{ n: 3 }])

    expect(answers.map(({ data }) => data)).toEqual([[{ n: 1 }], [{ n: 2 }]])
    // What was loaded before the insert is not put back over what was loaded after it.
    expect((await later.answer).data).toEqual(options.cache === false ? [{ n: 3 }] : [{ n: 2 }])
  })
})

describe('an insert through the service', () => {
  const queries = {
    a: 'SELECT n FROM a',
    b: 'SELECT n FROM db.b',
    daily: 'SELECT n FROM daily',
    view_of_b: 'SELECT n FROM view_of_b',
    far: 'SELECT n FROM far',
    numbers: 'SELECT n FROM numbers(3)',
    unknown: 'SELECT n FROM nowhere',
  }

  it.each([
    ['a', ['a', 'daily', 'far', 'unknown']],
    ['db.b', ['b', 'view_of_b', 'far', 'unknown']],
    ['nobody_knows', ['a', 'b', 'daily', 'view_of_b', 'far', 'numbers', 'unknown']],
  ])('into %s voids what depends on it: %o', async (table, voided) => {
    const { askAndAnswer, service } = setup()
    for (const query of Object.values(queries)) await askAndAnswer(query)

    await service.insert(table, [{ n: 1 }])
    const after = []
    for (const [name, query] of Object.entries(queries)) after.push([name, (await askAndAnswer(query)).cache.status] as const)

    expect(after.filter(([, status]) => status === 'miss').map(([name]) => name)).toEqual(voided)
  })
})

describe('an invalidation', () => {
  it('of one query forgets its answers for all parameters, or for the ones given', async () => {
    const { service, ask, loads } = setup()
    const statusOf = async (query: string, x: number) => {
      const { answer } = await ask(query, {}, { x })
      loads.at(-1)?.answer([{ n: 1 }])
      return (await answer).cache.status
    }
    for (const [query, x] of [
      ['SELECT :x', 1],
      ['SELECT :x', 2],
      ['SELECT :x + 1', 1],
    ] as const)
      await statusOf(query, x)

    const one = await service.invalidateCache('SELECT  :x', { x: 1 })
    const afterOne = [await statusOf('SELECT :x', 1), await statusOf('SELECT :x', 2), await statusOf('SELECT :x + 1', 1)]
    const all = await service.invalidateCache('SELECT :x')
    const afterAll = [await statusOf('SELECT :x', 1), await statusOf('SELECT :x', 2), await statusOf('SELECT :x + 1', 1)]

    expect([one, afterOne]).toEqual([1, ['miss', 'hit', 'hit']])
    expect([all, afterAll]).toEqual([2, ['miss', 'miss', 'hit']])
  })

  it('of everything, or of a tag, reaches loads that are under way', async () => {
    const { service, ask, loads } = setup()
    const loading = await ask('SELECT 1', { tags: ['mine'] })

    await service.invalidateTags(['mine'])
    loads[0]?.answer([{ n: 1 }])
    await loading.answer
    const again = await ask('SELECT 1', { tags: ['mine'] })
    await service.invalidateCache()
    loads[1]?.answer([{ n: 2 }])
    await again.answer
    await ask('SELECT 1', { tags: ['mine'] })

    expect(loads).toHaveLength(3)
    expect(await service.getCacheStats()).toMatchObject({ outdated: 2, invalidations: 2, entries: 0 })
  })
})

describe('a cache that fails', () => {
  const broken = new Proxy({} as CachingInterface, { get: () => () => Promise.reject(new OperationError('away')) })
  const silent = new Proxy({} as CachingInterface, { get: () => () => new Promise(() => {}) })

  it.each([
    ['with an error', broken],
    ['by never answering', silent],
  ])('%s costs no answer', async (_how, cache) => {
    const { service, loads, clock } = setup({ cache, cacheTimeoutMs: 5 })
    const answers = [1, 2].map(() => service.executeAnalyticsQuery({ query: 'SELECT 1' }))
    await clock.advance(5)
    await clock.advance(5)

    loads[0]?.answer([{ n: 1 }])
    await clock.advance(10)

    expect((await Promise.all(answers)).map(({ cache: { status, ttlSeconds } }) => [status, ttlSeconds])).toEqual([
      ['miss', 0],
      ['shared', 0],
    ])
    expect(loads).toHaveLength(1)
  })
})

describe('a question', () => {
  it.each([
    [{ query: '' }, 'query'],
    [{ query: ' \n' }, 'query'],
    [{ query: 5 }, 'query'],
    [{}, 'query'],
    [null, 'query'],
    [{ query: 'SELECT 1'.padEnd(300, ' ') }, 'query'],
    [{ query: 'SELECT 1', params: [] }, 'params'],
    [{ query: 'SELECT 1', options: 'x' }, 'options'],
    [{ query: 'SELECT 1', options: { ttlSeconds: 0 } }, 'ttlSeconds'],
    [{ query: 'SELECT 1', options: { ttlSeconds: 1.5 } }, 'ttlSeconds'],
    [{ query: 'SELECT 1', options: { timeoutMs: 1e9 } }, 'timeoutMs'],
    [{ query: 'SELECT 1', options: { cache: 'no' } }, 'cache'],
    [{ query: 'SELECT 1', options: { role: 1 } }, 'role'],
    [{ query: 'SELECT 1', options: { tags: 'a' } }, 'tags'],
  ])('%o is refused, and %s named', async (question, field) => {
    const { service } = setup({ maxQueryLength: 200 })

    await expect(service.executeAnalyticsQuery(question as never)).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_ANALYTICS_QUERY',
      status: 400,
      issues: [{ path: expect.arrayContaining([field]) as string[] }],
    })
  })

  it('that writes is refused before anybody is asked', async () => {
    const { service, loads } = setup()

    await expect(service.executeAnalyticsQuery({ query: 'DROP TABLE a' })).rejects.toMatchObject({
      code: 'ERR_CLICKHOUSE_PERMISSION_DENIED',
      status: 403,
    })
    expect(loads).toHaveLength(0)
  })

  it('that takes too long fails by the time of its caller', async () => {
    const { ask, clock, loads } = setup()
    const { answer } = await ask('SELECT 1', { timeoutMs: 50 })
    const outcome = expect(answer).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_TIMEOUT', status: 408 })

    await clock.advance(50)
    await outcome

    expect(loads[0]?.options.signal?.aborted).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('that the server refuses fails with what it said, and is not kept', async () => {
    const { ask, loads } = setup()
    const { answer } = await ask('SELECT x')

    loads[0]?.fail(new QuerySyntaxError('no'))
    await expect(answer).rejects.toThrow('no')
    await ask('SELECT x')

    expect(loads).toHaveLength(2)
  })
})

describe('a batch of questions', () => {
  it('answers each on its own, a few at a time, in order', async () => {
    const { service, loads, clock } = setup({ batchConcurrency: 2 })
    const batch = service.executeBatchQueries(['SELECT 1', 'DROP TABLE a', 'SELECT 3', 'SELECT 4'].map((query) => ({ query })))
    const atOnce: number[] = []
    for (let answered = 0; answered < 3; answered++) {
      for (let turn = 0; turn < 5; turn++) await clock.advance(0)
      atOnce.push(loads.length - answered)
      loads[answered]?.answer([{ n: answered }])
    }

    const results = await batch

    expect(results.map((result) => result.error?.code ?? result.data)).toEqual([
      [{ n: 0 }],
      'ERR_CLICKHOUSE_PERMISSION_DENIED',
      [{ n: 1 }],
      [{ n: 2 }],
    ])
    expect(atOnce).toEqual([2, 2, 1])
  })

  it('must not be too large', async () => {
    const { service } = setup({ maxBatchQueries: 2 })

    await expect(service.executeBatchQueries(Array.from({ length: 3 }, () => ({ query: 'SELECT 1' })))).rejects.toMatchObject({
      issues: [{ path: ['queries'] }],
    })
  })

  it('ends with its signal', async () => {
    const { service, clock } = setup()
    const ending = new AbortController()
    const batch = service.executeBatchQueries([{ query: 'SELECT 1' }, { query: 'SELECT 2' }], { signal: ending.signal })
    await clock.advance(0)

    ending.abort()

    expect((await batch).map(({ error }) => error?.code)).toEqual(['ERR_ABORTED', 'ERR_ABORTED'])
  })
})

describe('a closed service', () => {
  it('ends what runs and answers no more', async () => {
    const { service, ask, loads } = setup()
    const { answer } = await ask('SELECT 1')

    await service.close()
    await service.close()

    await expect(answer).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(loads[0]?.options.signal?.aborted).toBe(true)
    await expect(service.executeAnalyticsQuery({ query: 'SELECT 1' })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CLOSED' })
  })
})

describe('a wrong option', () => {
  it.each([
    [{ defaultTtlSeconds: 0 }, 'defaultTtlSeconds'],
    [{ maxTimeoutMs: 1.5 }, 'maxTimeoutMs'],
    [{ batchConcurrency: Number.NaN }, 'batchConcurrency'],
  ])('%o is named', (options, name) => {
    expect(() => createAnalyticsService(controlledServer().adapter, options)).toThrow(name)
  })
})
