import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { ClickHouseAdapter, QueryOptions, QueryResult } from '../adapter-options.ts'
import { checkLevels } from './check-levels.ts'
import { FairTurns } from './fair-turns.ts'
import { LevelAdapter } from './level-adapter.ts'
import { createMemoryQuotaStore } from './quota/memory-quota-store.ts'
import { SlidingQuota } from './quota/sliding-quota.ts'
import type { QuotaOptions, ShareOptions } from './trust-level.ts'

const ANSWER = { rows: [], columns: [], statistics: { rowsRead: 10, bytesRead: 80, elapsedMs: 5 }, queryId: 'x' } as unknown as QueryResult

/** A level whose server answers each query when it is told to, and counts those that reach it. */
function level(quota: QuotaOptions, share: ShareOptions = {}) {
  const clock = new FakeClock()
  const [checked] = checkLevels({ tenants: { user: 'u', password: 'p', roles: ['r'], tables: { t: { tenantColumn: 'tenant' } }, share } }, 'db')
  const running: (() => void)[] = []
  let reached = 0
  const server = {
    database: 'db',
    execute: (_query: string, _params: unknown, { signal }: QueryOptions) =>
      new Promise<QueryResult>((resolve, reject) => {
        reached += 1
        signal?.addEventListener('abort', () => reject(new Error('left')))
        running.push(() => resolve(ANSWER))
      }),
  } as unknown as ClickHouseAdapter
  Object.assign(server, {
    async *stream() {
      for (let n = 0; ; n++) yield { n }
    },
  })
  const turns = new FairTurns({ clock })
  const adapter = new LevelAdapter({ adapter: server, level: checked!, turns, quota: new SlidingQuota(quota, createMemoryQuotaStore({ clock }), () => clock.now()), clock, tenant: 'acme' })
  const asked = (signal?: AbortSignal): Promise<string> =>
    adapter.execute('SELECT n FROM t', {}, { signal }).then(
      () => 'answered',
      (error: { code: string }) => error.code,
    )
  const settle = async (): Promise<void> => {
    for (await clock.advance(1); running.length > 0; await clock.advance(1)) running.shift()?.()
  }
  return { adapter, asked, settle, turns, running, clock, reached: () => reached }
}

describe('a quota of a level', () => {
  it('lets no more queries through than it has, however many come at once', async () => {
    const { asked, settle, reached } = level({ maxQueries: 3 })

    const outcomes = Promise.all(Array.from({ length: 20 }, () => asked()))
    await settle()

    expect((await outcomes).filter((outcome) => outcome === 'answered')).toHaveLength(3)
    expect(reached()).toBe(3)
  })

  it('refuses what has waited for its turn until others have spent it', async () => {
    const { asked, settle, reached, turns } = level({ maxRowsRead: 10 }, { maxConcurrent: 2 })

    const outcomes = Promise.all(Array.from({ length: 10 }, () => asked()))
    await settle()

    expect((await outcomes).filter((outcome) => outcome === 'answered')).toHaveLength(2)
    expect(reached()).toBe(2)
    expect(turns.stats).toEqual({ running: 0, waiting: 0 })
  })

  it('has nothing less after callers who left while they waited', async () => {
    const { asked, settle, clock, turns } = level({ maxQueries: 4 }, { maxConcurrent: 1 })
    const leaving = new AbortController()
    const first = asked()
    const waiting = [asked(leaving.signal), asked(leaving.signal), asked(leaving.signal)]
    await clock.advance(1)

    leaving.abort()
    expect(await Promise.all(waiting)).toEqual(['ERR_ABORTED', 'ERR_ABORTED', 'ERR_ABORTED'])
    const later = [asked(), asked(), asked()]
    await settle()

    expect(await Promise.all([first, ...later])).toEqual(['answered', 'answered', 'answered', 'answered'])
    expect(turns.stats).toEqual({ running: 0, waiting: 0 })
  })
})

describe('a budget of a level', () => {
  it('believes no estimate but its own, of the same query', async () => {
    const asked: string[] = []
    const server = {
      database: 'db',
      execute: async (query: string) => {
        asked.push(query)
        return { ...ANSWER, rows: query.startsWith('EXPLAIN') ? [{ rows: query.includes('big') ? 500n : 5n, marks: 1n, parts: 1n }] : [] }
      },
    } as unknown as ClickHouseAdapter
    const [checked] = checkLevels({ tenants: { user: 'u', password: 'p', roles: ['r'], tables: { t: { tenantColumn: 'tenant' } }, budget: { maxEstimatedRows: 100 } } }, 'db')
    const adapter = new LevelAdapter({ adapter: server, level: checked!, turns: new FairTurns(), quota: undefined })
    const acme = { tenant: 'acme' }

    const estimate = await adapter.estimate('SELECT n FROM t', undefined, acme)
    await adapter.execute('SELECT n FROM t', undefined, { ...acme, estimate })
    expect(asked).toEqual(['EXPLAIN ESTIMATE\nSELECT n FROM t', 'SELECT n FROM t'])

    await adapter.execute('SELECT n FROM t', undefined, { tenant: 'beta', estimate })
    await adapter.execute('SELECT n FROM t', undefined, { ...acme, estimate: { rows: 0, marks: 0, parts: 0 } })
    expect(asked).toHaveLength(6)
    await expect(adapter.execute('SELECT big FROM t', undefined, { ...acme, estimate })).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_BUDGET' })
  })
})

describe('a stream of a level', () => {
  it('gives its place back when its reader takes nothing any more, and ends', async () => {
    const { adapter, turns, clock } = level({}, { maxReaderIdleMs: 1000 })
    const reader = adapter.stream('SELECT n FROM t')[Symbol.asyncIterator]()
    for (let read = 0; read < 5; read++) {
      expect(await reader.next()).toEqual({ done: false, value: { n: read } })
      await clock.advance(900)
    }
    expect(turns.stats).toEqual({ running: 1, waiting: 0 })

    await clock.advance(1000)

    expect(turns.stats).toEqual({ running: 0, waiting: 0 })
    await expect(reader.next()).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(clock.pendingTimers).toBe(0)
  })
})
