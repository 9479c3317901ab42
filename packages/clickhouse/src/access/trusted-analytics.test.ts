import { createL1Cache } from '@smart-whale/core-cache'
import type { CachingInterface } from '@smart-whale/interfaces'
import { chaosCache, chaosWhen } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { ClickHouseAdapter, QueryOptions } from '../adapter-options.ts'
import type { AnalyticsQuery } from '../analytics/analytics-query.ts'
import { checkLevels } from './check-levels.ts'
import { TrustedAnalytics } from './trusted-analytics.ts'

const tables = { t: { tenantColumn: 'tenant' } }
const levels = checkLevels({ tenants: { user: 'u', password: 'p', roles: ['r'], tables }, others: { user: 'o', password: 'p', roles: ['o'], tables } }, 'db')

/** A service over a server that answers with the text of the query, and never those that say so. */
function setup(analytics = {}, cache: CachingInterface | null = null): TrustedAnalytics {
  const execute = (query: string, _params: unknown, { signal }: QueryOptions = {}) =>
    new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error))
      if (!query.includes('never')) resolve({ rows: [{ query }], columns: [], statistics: { rowsRead: 1, bytesRead: 1, elapsedMs: 1 }, queryId: 'q' })
    })
  const adapter = { server: 's', database: 'db', execute, close: async () => {} } as unknown as ClickHouseAdapter
  return new TrustedAnalytics(levels, { adapters: new Map([['tenants', adapter], ['others', adapter]]), cache, analytics })
}

const asked = (query: string, more: AnalyticsQuery['options'] = {}): AnalyticsQuery => ({ query, options: { level: 'tenants', tenant: 'acme', ...more } })

describe('a batch of queries at trust levels', () => {
  it('answers each in its place, or says why not', async () => {
    const answers = await setup().executeBatchQueries([asked('SELECT 1'), { query: 'SELECT 2' }, asked('SELECT 3')])

    expect(answers.map(({ data, error }) => data?.[0]?.['query'] ?? error?.code)).toEqual(['SELECT 1', 'ERR_CLICKHOUSE_PERMISSION_DENIED', 'SELECT 3'])
  })

  it('is left by the caller of one query alone', async () => {
    const leaving = new AbortController()
    const answers = setup().executeBatchQueries([asked('SELECT never', { signal: leaving.signal }), asked('SELECT 1')])
    leaving.abort()

    expect((await answers).map(({ data, error }) => data?.[0]?.['query'] ?? error?.code)).toEqual(['ERR_ABORTED', 'SELECT 1'])
  })

  it('holds no more queries than a batch may', async () => {
    await expect(setup({ maxBatchQueries: 2 }).executeBatchQueries(Array.from({ length: 3 }, () => asked('SELECT 1')))).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_ANALYTICS_QUERY' })
  })
})

describe('an insert through a service at trust levels', () => {
  it('is told to have been done although the cache fails', async () => {
    const writer = { insert: async () => ({ rows: 1, queryId: 'i' }) } as unknown as ClickHouseAdapter
    const cache = chaosCache(createL1Cache(), chaosWhen(() => true, { fail: 'before' }))

    expect(await setup({ writer }, cache).insert('t', [{ n: 1 }])).toEqual({ rows: 1, queryId: 'i' })
  })
})
