import { createL1Cache } from '@smart-whale/core-cache'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { QueryResult } from '../adapter-options.ts'
import { AnalyticsCache } from './analytics-cache.ts'

const result = (n: number): QueryResult => ({
  rows: [{ n }],
  columns: [{ name: 'n', type: 'UInt8' }],
  statistics: { rowsRead: 1, bytesRead: 1, elapsedMs: 1 },
  queryId: 'q',
})

function setup() {
  const clock = new FakeClock()
  const store = createL1Cache({ clock })
  return { clock, store, cache: new AnalyticsCache({ cache: store, clock }) }
}

describe('an analytics cache by itself', () => {
  it('keeps answers by query and parameters, until their life ends', async () => {
    const { cache, clock } = setup()

    await cache.setCachedResult('SELECT :x', result(1), 10, { x: 1 })
    const found = [
      await cache.getCachedResult('SELECT  :x', { x: 1 }),
      await cache.getCachedResult('SELECT :x', { x: 2 }),
      await cache.getCachedResult('SELECT :x'),
    ]
    await clock.advance(10_000)

    expect(found.map((kept) => kept?.result.rows)).toEqual([[{ n: 1 }], undefined, undefined])
    expect(await cache.getCachedResult('SELECT :x', { x: 1 })).toBeUndefined()
  })

  it('does not keep an answer whose load began before an invalidation', async () => {
    const { cache } = setup()
    const { stamp } = await cache.lookUp({ query: 'SELECT n FROM a' })

    await cache.invalidateTables(['a'])
    await cache.setCachedResult('SELECT n FROM a', result(1), 10, undefined, stamp ?? undefined)

    expect(await cache.getCachedResult('SELECT n FROM a')).toBeUndefined()
    expect(cache.counts).toEqual({ outdated: 1, invalidations: 1, failures: 0 })
  })

  it('voids answers though the entries themselves can not be removed', async () => {
    const { store, clock } = setup()
    const undeletable = Object.assign(Object.create(store) as typeof store, {
      get: store.get.bind(store),
      set: store.set.bind(store),
      delete: async () => false,
      scanKeys: () => store.scanKeys('nothing'),
    })
    const cache = new AnalyticsCache({ cache: undeletable, clock })
    await cache.setCachedResult('SELECT 1', result(1), 10)

    await cache.invalidateCache()

    expect(await cache.getCachedResult('SELECT 1')).toBeUndefined()
  })

  it('leaves alone what others keep beside it, whatever their prefix looks like', async () => {
    const { store, clock } = setup()
    const [one, other] = ['app*:', 'appx:'].map((keyPrefix) => new AnalyticsCache({ cache: store, clock, keyPrefix })) as [
      AnalyticsCache,
      AnalyticsCache,
    ]
    await store.set('mine', 1)
    for (const cache of [one, other]) await cache.setCachedResult('SELECT 1', result(1), 10)

    expect([await one.countEntries(), await one.invalidateCache(), await one.countEntries()]).toEqual([1, 1, 0])
    expect(await other.countEntries()).toBe(1)
    expect(await store.get('mine')).toBe(1)
  })
})
