import { createRequire } from 'node:module'
import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type ClickHouseAdapter, createAdapter, type QueryOptions, type StockClient } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'
import { stallingProxy } from './stalling-proxy.ts'

// The package does not depend on the client; the benchmarks do.
const { createClient } = createRequire(new URL('../../../../tools/bench/package.json', import.meta.url))('@clickhouse/client') as {
  createClient(options: object): StockClient & { close(): Promise<void> }
}
/** The client prints what it can't send. */
const SILENT = { level: 127 }

describe('an adapter through a stock client', () => {
  let own: OwnDatabase
  let client: StockClient & { close(): Promise<void> }
  let adapter: ClickHouseAdapter

  beforeAll(async () => {
    own = await ownDatabase()
    const { url, owner } = inject('clickhouse')
    client = createClient({ url, username: owner.username, password: owner.password, database: own.name, log: SILENT })
    adapter = createAdapter({ url, user: owner.username, password: owner.password, database: own.name }, { client })
  })
  afterAll(async () => {
    await adapter.close()
    await client.close()
    await own.drop()
  })

  it('answers, stores and streams as over its own sockets', async () => {
    await adapter.execute('CREATE TABLE kept (id UInt64, name String) ENGINE = MergeTree ORDER BY id')

    const { rows } = await adapter.insert('kept', [{ id: 2n ** 63n, name: "it's" }, { id: 1, name: 'ü' }])

    const streamed: unknown[] = []
    for await (const row of adapter.stream('SELECT * FROM kept WHERE name != :name ORDER BY id', { name: '?' })) streamed.push(row)
    expect(rows).toBe(2)
    expect(streamed).toEqual([{ id: 1n, name: 'ü' }, { id: 2n ** 63n, name: "it's" }])
  })

  it('says whose rows a query may read', async () => {
    const query = "SELECT getClientHTTPHeader('X-Smart-Whale-Tenant') AS tenant SETTINGS allow_get_client_http_header = 1"

    const answers = await Promise.all([adapter.execute(query, {}, { tenant: 'acme' }), adapter.execute(query)])

    expect(answers.map(({ rows }) => rows)).toEqual([[{ tenant: 'acme' }], [{ tenant: '' }]])
  })

  it('tells of failures by their own errors', async () => {
    await expect(adapter.execute('SELEC 1')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_SYNTAX', serverCode: 62 })
    await expect(adapter.execute('SELECT * FROM nowhere')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT' })
    const away = createClient({ url: 'http://127.0.0.1:9', log: SILENT })
    const nobody = createAdapter({ url: 'http://127.0.0.1:9', retry: { maxAttempts: 1 } }, { client: away })
    await expect(nobody.execute('SELECT 1')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CONNECTION', retryable: true })
    await Promise.all([nobody.close(), away.close()])
  })

  it.each([
    ['as it is', {}],
    ['compressed', { compression: { response: true } }],
    ['as over its own sockets', null],
  ])('tells a slow reader what the query failed with behind its first rows, %s', async (_kind, options) => {
    const { url, owner } = inject('clickhouse')
    const talking = options === null ? undefined : createClient({ url, username: owner.username, password: owner.password, database: own.name, log: SILENT, ...options })
    const slow = createAdapter({ url, user: owner.username, password: owner.password, database: own.name }, { client: talking })
    const failures: unknown[] = []

    for (const failsAt of [20_000, 300_000]) {
      let read = 0
      const query = 'SELECT sipHash64(number) AS hash, throwIf(number >= :failsAt) AS failed FROM numbers(1000000) SETTINGS max_block_size = 1000, max_threads = 1'
      const reading = (async () => {
        for await (const _row of slow.stream(query, { failsAt })) if (read++ % 5_000 === 0) await setTimeout(20)
      })()
      failures.push(await reading.then(() => `${read} rows, as if they were all`, (error: unknown) => error))
    }

    expect(failures).toEqual(Array(2).fill(expect.objectContaining({ code: 'ERR_CLICKHOUSE_QUERY', serverCode: 395, retryable: false })))
    await Promise.all([slow.close(), talking?.close()])
  })

  it('ends on the server what nobody waits for', async () => {
    const queryId = randomUUID()

    const late = adapter.execute('SELECT sleepEachRow(0.1) FROM numbers(100) SETTINGS max_block_size = 1', {}, { timeoutMs: 300, queryId, retry: false })

    await expect(late).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_TIMEOUT' })
    await expect.poll(async () => (await own.owner.execute('SELECT count() AS n FROM system.processes WHERE query_id = :queryId', { queryId })).rows[0]?.['n']).toBe(0n)
  })

  it('lets go of an answer that stands still, whoever ends it', async () => {
    const { url, owner } = inject('clickhouse')
    const proxy = await stallingProxy(url, 'numbers(3000000)', 200_000, 'answer')
    const through = createClient({ url: proxy.url, username: owner.username, password: owner.password, database: own.name, log: SILENT })
    const stuck = createAdapter({ url, user: owner.username, password: owner.password, database: own.name }, { client: through })
    const leaving = new AbortController()
    const readAll = async (options: QueryOptions): Promise<void> => {
      for await (const _row of stuck.stream('SELECT number FROM numbers(3000000)', {}, options));
    }

    const late = readAll({ timeoutMs: 500 })
    const left = readAll({ signal: leaving.signal })
    void proxy.stalled.then(() => setTimeout(300)).then(() => leaving.abort())

    await Promise.all([expect(late).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_TIMEOUT' }), expect(left).rejects.toMatchObject({ code: 'ERR_ABORTED' })])
    await Promise.all([stuck.close(), through.close(), proxy.close()])
  })

  it('is for one server', () => {
    expect(() => createAdapter({ servers: ['a', 'b'] }, { client })).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_CONFIGURATION' }) as Error)
  })
})
