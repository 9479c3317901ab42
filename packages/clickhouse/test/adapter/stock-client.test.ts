import { createRequire } from 'node:module'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type ClickHouseAdapter, createAdapter, type StockClient } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

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

  it('tells of failures by their own errors', async () => {
    await expect(adapter.execute('SELEC 1')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_SYNTAX', serverCode: 62 })
    await expect(adapter.execute('SELECT * FROM nowhere')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT' })
    const away = createClient({ url: 'http://127.0.0.1:9', log: SILENT })
    const nobody = createAdapter({ url: 'http://127.0.0.1:9', retry: { maxAttempts: 1 } }, { client: away })
    await expect(nobody.execute('SELECT 1')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CONNECTION', retryable: true })
    await Promise.all([nobody.close(), away.close()])
  })

  it('ends on the server what nobody waits for', async () => {
    const queryId = randomUUID()

    const late = adapter.execute('SELECT sleepEachRow(0.1) FROM numbers(100) SETTINGS max_block_size = 1', {}, { timeoutMs: 300, queryId, retry: false })

    await expect(late).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_QUERY_TIMEOUT' })
    await expect.poll(async () => (await own.owner.execute('SELECT count() AS n FROM system.processes WHERE query_id = :queryId', { queryId })).rows[0]?.['n'], { timeout: 3_000 }).toBe(0n)
  })

  it('is for one server', () => {
    expect(() => createAdapter({ servers: ['a', 'b'] }, { client })).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_CONFIGURATION' }) as Error)
  })
})
