import { createL1Cache } from '@smart-whale/core-cache'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type AnalyticsService, type AnalyticsServiceOptions, createAnalyticsService, createStreamProcessor } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
const services: AnalyticsService[] = []

beforeAll(async () => {
  database = await ownDatabase()
  const { owner } = database
  await owner.execute('CREATE TABLE flights (id UInt64, delay Int32, price Decimal(18, 4), at DateTime) ENGINE = MergeTree ORDER BY id')
  await owner.execute('CREATE TABLE airports (code String) ENGINE = MergeTree ORDER BY code')
  await owner.execute('CREATE TABLE delays (n UInt64) ENGINE = MergeTree ORDER BY n')
  await owner.execute('CREATE MATERIALIZED VIEW sum_delays TO delays AS SELECT count() AS n FROM flights')
  await owner.execute('CREATE MATERIALIZED VIEW kept_delays ENGINE = MergeTree ORDER BY n AS SELECT count() AS n FROM flights')
  await owner.execute('CREATE VIEW late_flights AS SELECT * FROM flights WHERE delay > 10')
})
afterAll(() => database.drop())
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.close()))
})

function serve(options: AnalyticsServiceOptions = {}): AnalyticsService {
  const service = createAnalyticsService(database.reader, {
    writer: database.owner,
    cache: createL1Cache(),
    catalogueMaxAgeMs: 1,
    ...options,
  })
  services.push(service)
  return service
}

/** Waits until the condition holds. */
async function until(holds: () => Promise<boolean>, deadlineMs = 60_000): Promise<void> {
  const giveUp = Date.now() + deadlineMs
  while (!(await holds())) {
    if (Date.now() > giveUp) expect.fail('the condition never held')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Takes minutes, if nobody ends it. */
const slowQuery = (mark: string): string => `SELECT max(SHA256(toString(number))), '${mark}' AS mark FROM numbers(900000000)`

async function runningQueries(mark: string): Promise<number> {
  const { rows } = await database.owner.execute<{ n: bigint }>(
    "SELECT count() AS n FROM system.processes WHERE query LIKE {pattern:String} AND query NOT LIKE '%system.processes%'",
    { pattern: `%${mark}%` },
  )
  return Number(rows[0]?.n)
}

describe('an analytics query on a real server', () => {
  it('gives exact values with their types, and says what it cost', async () => {
    const service = serve()

    const answer = await service.executeAnalyticsQuery({
      query:
        "SELECT {id:UInt64} AS id, toDecimal64('12.30', 4) AS price, [1, NULL] AS list, toDateTime('2001-01-31 12:00:00', 'UTC') AS at, :word AS word",
      params: { id: 18446744073709551615n, word: "it's" },
    })

    expect(answer.data).toEqual([
      {
        id: 18446744073709551615n,
        price: expect.stringMatching(/^12\.30*$/) as string,
        list: [1, null],
        at: new Date('2001-01-31T12:00:00Z'),
        word: "it's",
      },
    ])
    expect(answer.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'id UInt64',
      'price Decimal(18, 4)',
      'list Array(Nullable(UInt8))',
      "at DateTime('UTC')",
      'word String',
    ])
    expect(answer.statistics).toMatchObject({ rowsRead: expect.any(Number) as number, elapsedMs: expect.any(Number) as number })
    expect(answer.cache).toEqual({ status: 'miss', ageMs: expect.any(Number) as number, ttlSeconds: 30 })
  })

  it('comes back from the cache as it was', async () => {
    const service = serve()
    const query = { query: "SELECT toUInt64(5) AS n, now() AS at, map('a', toInt64(1)) AS m" }

    const first = await service.executeAnalyticsQuery(query)
    const second = await service.executeAnalyticsQuery(query)

    expect(second.cache.status).toBe('hit')
    expect({ ...second, cache: first.cache }).toEqual(first)
  })

  it.each([
    ['SELEC 1', 'ERR_CLICKHOUSE_PERMISSION_DENIED', 403],
    ['SELECT FROM WHERE', 'ERR_CLICKHOUSE_QUERY_SYNTAX', 400],
    ['SELECT * FROM nowhere', 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', 400],
    ['SELECT 1 SETTINGS max_threads = 1', 'ERR_CLICKHOUSE_PERMISSION_DENIED', 403],
    ['WITH 1 AS x SELECT * FROM system.users', 'ERR_CLICKHOUSE_PERMISSION_DENIED', 403],
    ["SELECT * FROM file('/etc/passwd', 'LineAsString')", 'ERR_CLICKHOUSE_PERMISSION_DENIED', 403],
    ['SELECT number FROM numbers(2000000)', 'ERR_CLICKHOUSE_LIMIT_EXCEEDED', 422],
    ['SELECT :missing', 'ERR_CLICKHOUSE_PARAMETER', 400],
    ["SELECT toInt8('x')", 'ERR_CLICKHOUSE_DATA_TYPE', 400],
  ])('%s is refused with %s', async (query, code, status) => {
    await expect(serve().executeAnalyticsQuery({ query })).rejects.toMatchObject({ code, status })
  })

  it('is ended on the server when the only caller leaves', async () => {
    const service = serve()
    const mark = `mark_${crypto.randomUUID()}`
    const leaving = new AbortController()
    const answer = service.executeAnalyticsQuery({ query: slowQuery(mark), options: { signal: leaving.signal } })
    answer.catch(() => {})
    await until(async () => (await runningQueries(mark)) === 1)

    leaving.abort()

    await expect(answer).rejects.toMatchObject({ code: 'ERR_ABORTED', status: 499 })
    await until(async () => (await runningQueries(mark)) === 0)
  })

  it('goes on for who stays when another caller leaves, and runs once', async () => {
    const service = serve()
    const mark = `mark_${crypto.randomUUID()}`
    const query = `SELECT sum(sleepEachRow(0.2)) AS slept, '${mark}' AS mark FROM numbers(14)`
    const leaving = new AbortController()
    const first = service.executeAnalyticsQuery({ query, options: { signal: leaving.signal } })
    first.catch(() => {})
    await until(async () => (await runningQueries(mark)) === 1)
    const second = service.executeAnalyticsQuery({ query })
    await until(async () => (await service.getCacheStats()).waiting === 2)

    leaving.abort()

    await expect(first).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await runningQueries(mark)).toBe(1)
    expect(await second).toMatchObject({ data: [{ mark }], cache: { status: 'shared' } })
  })

  it('that is too slow for its caller is ended on the server', async () => {
    const service = serve()
    const mark = `mark_${crypto.randomUUID()}`

    const answer = service.executeAnalyticsQuery({ query: slowQuery(mark), options: { timeoutMs: 300 } })

    await expect(answer).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_TIMEOUT', status: 408 })
    await until(async () => (await runningQueries(mark)) === 0)
  })

  it('of a batch fails alone', async () => {
    const results = await serve().executeBatchQueries([{ query: 'SELECT 1 AS n' }, { query: 'SELECT nothing' }, { query: 'SELECT 3 AS n' }])

    expect(results.map((result) => result.error?.code ?? result.data)).toEqual([[{ n: 1 }], 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', [{ n: 3 }]])
  })
})

describe('answers kept by tables', () => {
  const queries = {
    flights: 'SELECT count() AS n FROM flights',
    airports: 'SELECT count() AS n FROM airports',
    view: 'SELECT count() AS n FROM late_flights',
    rollup: 'SELECT sum(n) AS n FROM delays',
    rollupByView: 'SELECT sum(n) AS n FROM sum_delays',
    rollupInside: 'SELECT sum(n) AS n FROM kept_delays',
    system: 'SELECT count() AS n FROM system.tables WHERE database = currentDatabase()',
  }

  async function statuses(service: AnalyticsService): Promise<Record<string, string>> {
    const entries = []
    for (const [name, query] of Object.entries(queries))
      entries.push([name, (await service.executeAnalyticsQuery({ query })).cache.status] as const)
    return Object.fromEntries(entries)
  }

  it.each([
    [
      'an insert through the service',
      async (service: AnalyticsService) => void (await service.insert('flights', [{ id: 1, delay: 20, price: '1', at: new Date(0) }])),
    ],
    [
      'a stream',
      async (service: AnalyticsService) => {
        const stream = createStreamProcessor(database.owner, { invalidates: service, maxBatchAgeMs: 1 })
        await stream.processStreamData('flights', [{ id: 1, delay: 20, price: '1', at: new Date(0) }])
        await stream.stop()
      },
    ],
  ])('are voided by %s into a table that they read, by way of views too, and no others', async (_how, write) => {
    const service = serve({ catalogueMaxAgeMs: 60_000 })
    await statuses(service)
    const before = await statuses(service)
    const counted = async () => Number((await service.executeAnalyticsQuery<{ n: bigint }>({ query: queries.rollup })).data[0]?.n)
    const rolledUp = await counted()

    await write(service)
    const rolledUpAfter = await counted()
    const after = await statuses(service)

    expect(new Set(Object.values(before))).toEqual(new Set(['hit']))
    expect(after).toEqual({
      flights: 'miss',
      airports: 'hit',
      view: 'miss',
      rollup: 'hit',
      rollupByView: 'miss',
      rollupInside: 'miss',
      system: 'miss',
    })
    expect(rolledUpAfter).toBe(rolledUp + 1)
  })

  it('are shared and voided between processes that share a cache', async () => {
    const cache = createL1Cache()
    const [one, other] = [serve({ cache }), serve({ cache })]
    const query = { query: queries.airports }

    const first = await one.executeAnalyticsQuery<{ n: bigint }>(query)
    const second = await other.executeAnalyticsQuery(query)
    await one.insert('airports', [{ code: 'ABQ' }])
    const third = await other.executeAnalyticsQuery<{ n: bigint }>(query)

    expect([first, second, third].map(({ cache: { status } }) => status)).toEqual(['miss', 'hit', 'miss'])
    expect(third.data[0]?.n).toBe((first.data[0]?.n ?? 0n) + 1n)
  })
})
