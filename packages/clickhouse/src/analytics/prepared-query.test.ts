import { createL1Cache } from '@smart-whale/core-cache'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { AnalyticsQuery, AnalyticsResult } from './analytics-query.ts'
import { createAnalyticsService } from './analytics-service.ts'

beforeAll(() => import('@smart-whale/core-cache'))

const TABLES = ['a', 'b'].map((name) => ({ database: 'db', name, engine: 'MergeTree', as_select: '', create_table_query: '', dependencies_table: [], dependencies_database: [] }))

/** A server that counts: each load has a row of its own. */
function setup({ catalogueMaxAgeMs = 60_000, staleSeconds = 0 } = {}) {
  const clock = new FakeClock()
  let loads = 0
  const execute = async (query: string) => ({
    rows: query.includes('FROM system.tables') ? TABLES : [{ n: (loads += 1) }],
    columns: [{ name: 'n', type: 'UInt8' }],
    statistics: { rowsRead: 1, bytesRead: 1, elapsedMs: 1 },
    queryId: `q${loads}`,
  })
  const adapter = { server: 'test:8123/db', database: 'db', execute, insert: async () => ({ rows: 1, queryId: 'i' }) } as unknown as ClickHouseAdapter
  const service = createAnalyticsService(adapter, { clock, cache: createL1Cache({ clock }), defaultTtlSeconds: 10, staleSeconds, catalogueMaxAgeMs })
  const signalsMade = { count: 0 }
  const prepare = (query: AnalyticsQuery): (() => Promise<{ n: unknown; status: string; atOnce: boolean }>) => {
    const prepared = service.prepareQuery(query)
    return async () => {
      const answer = prepared.answer(() => {
        signalsMade.count += 1
        return new AbortController().signal
      })
      const settled: AnalyticsResult = await answer
      return { n: settled.data[0]?.['n'], status: settled.cache.status, atOnce: !(answer instanceof Promise) }
    }
  }
  return { clock, service, prepare, signalsMade, loads: () => loads }
}

describe('a prepared query', () => {
  it('is answered at once from what is kept, and makes no signal for it', async () => {
    const { service, prepare, signalsMade } = setup()
    const ask = prepare({ query: 'SELECT n FROM a' })

    expect([await ask(), await ask(), await ask()]).toEqual([
      { n: 1, status: 'miss', atOnce: false },
      { n: 1, status: 'hit', atOnce: true },
      { n: 1, status: 'hit', atOnce: true },
    ])
    expect(signalsMade.count).toBe(1)
    expect(await service.getCacheStats()).toMatchObject({ hits: 2, misses: 1 })
    expect((await service.executeAnalyticsQuery({ query: 'SELECT n FROM a' })).cache.status).toBe('hit')
  })

  it.each([
    ['an insert into a table that it reads', (service) => service.insert('a', [{ n: 1 }]), 2],
    ['an insert into another table', (service) => service.insert('b', [{ n: 1 }]), 1],
    ['an invalidation of everything', (service) => service.invalidateCache(), 2],
    ['an invalidation of its query', (service) => service.invalidateCache('SELECT n FROM a'), 2],
    ['an invalidation of its parameters', (service) => service.invalidateCache('SELECT n FROM a', { x: 1 }), 2],
    ['an invalidation of other parameters', (service) => service.invalidateCache('SELECT n FROM a', { x: 2 }), 1],
    ['an invalidation of its tag', (service) => service.invalidateTags(['mine']), 2],
    ['an invalidation of another tag', (service) => service.invalidateTags(['other']), 1],
  ] satisfies [string, (service: ReturnType<typeof setup>['service']) => Promise<unknown>, number][])('after %s reads what is right', async (_, change, n) => {
    const { service, prepare } = setup()
    const ask = prepare({ query: 'SELECT n FROM a', params: { x: 1 }, options: { tags: ['mine', 'mine'] } })
    await ask()
    expect(await ask()).toMatchObject({ n: 1, atOnce: true })

    await change(service)

    expect(await ask()).toMatchObject({ n })
    expect(await ask()).toMatchObject({ n, atOnce: true })
  })

  it('is loaded anew when its life is over, and behind what is stale', async () => {
    const { clock, prepare, loads } = setup({ staleSeconds: 10 })
    const ask = prepare({ query: 'SELECT n FROM a' })
    await ask()
    await clock.advance(11_000)

    expect(await ask()).toEqual({ n: 1, status: 'stale', atOnce: true })
    await clock.advance(0)
    expect(loads()).toBe(2)
    await clock.advance(30_000)
    expect(await ask()).toMatchObject({ n: 3, status: 'miss' })
  })

  it('finds its tables again when the list of them is old', async () => {
    const { clock, prepare } = setup({ catalogueMaxAgeMs: 1000 })
    const ask = prepare({ query: 'SELECT n FROM a' })
    await ask()
    await clock.advance(2000)

    expect([await ask(), await ask()]).toEqual([
      { n: 1, status: 'hit', atOnce: false },
      { n: 1, status: 'hit', atOnce: true },
    ])
  })

  it('is nobody else’s', async () => {
    const { prepare } = setup()
    const readers = [{}, { role: 'r' }, { scope: 's' }, { tenant: 't' }, { tenant: 'u' }].map((options) => prepare({ query: 'SELECT n FROM a', options }))

    for (const ask of readers) await ask()

    expect(await Promise.all(readers.map(async (ask) => (await ask()).n))).toEqual([1, 2, 3, 4, 5])
  })

  it('asks each time without a cache, and not at all when the service is closed or it is wrong', async () => {
    const { service, prepare } = setup()
    const ask = prepare({ query: 'SELECT n FROM a', options: { cache: false } })

    expect([await ask(), await ask()]).toMatchObject([{ n: 1, status: 'bypass' }, { n: 2, status: 'bypass' }])
    expect(() => service.prepareQuery({ query: 'DROP TABLE a' })).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_PERMISSION_DENIED' }) as Error)
    await service.close()
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_CLOSED' })
  })
})
