import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { createUsageTracker } from '../usage/usage-tracker.ts'
import { createCacheManager } from './cache-manager.ts'

describe('Prefetching', () => {
  it('has what comes every ten minutes in memory when it is asked for', async () => {
    const clock = new FakeClock()
    const cache = createCacheManager({ clock, ttlSeconds: 120, refreshShare: 0, prefetch: { usage: createUsageTracker({ clock }) } })
    const sources: string[] = []
    for (let minute = 0; minute < 100; minute++) {
      if (minute % 10 === 5) sources.push((await cache.smartGetDetailed('report', () => minute)).source)
      await clock.advance(60_000)
    }
    await cache.disconnect()

    expect(sources.slice(0, 2)).toEqual(['loader', 'loader'])
    expect(sources.slice(-4)).toEqual(['memory', 'memory', 'memory', 'memory'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('spends no more loads than it may, and none on what it can’t foresee', async () => {
    const clock = new FakeClock()
    const cache = createCacheManager({ clock, ttlSeconds: 120, refreshShare: 0, prefetch: { usage: createUsageTracker({ clock }), loadsPerMinute: 3 } })
    let asked = 0
    let loads = 0
    for (let minute = 0; minute < 100; minute++) {
      for (let key = 0; minute % 10 === 5 && key < 50; key++) {
        await cache.smartGetDetailed(`report:${key}`, () => (loads += 1)).then(({ source }) => (asked += source === 'loader' ? 1 : 0))
      }
      // Comes when it likes.
      if ([3, 4, 17, 31, 32, 58, 77, 91].includes(minute)) await cache.smartGetDetailed('whim', () => (loads += 1)).then(({ source }) => (asked += source === 'loader' ? 1 : 0))
      await clock.advance(60_000)
    }
    await cache.disconnect()

    expect(loads - asked).toBeGreaterThan(10)
    expect(loads - asked).toBeLessThanOrEqual(100 * 3)
  })

  it('costs nobody an error when a loader fails', async () => {
    const clock = new FakeClock()
    const cache = createCacheManager({ clock, ttlSeconds: 120, refreshShare: 0, prefetch: { usage: createUsageTracker({ clock }) } })
    let isAway = false
    for (let minute = 0; minute < 100; minute++) {
      isAway = minute % 10 !== 5
      if (minute % 10 === 5) {
        const load = (): number => {
          if (isAway) throw new TypeError('away')
          return minute
        }
        expect(await cache.smartGet('report', load)).toBe(minute)
      }
      await clock.advance(60_000)
    }
    await cache.disconnect()
  })
})
