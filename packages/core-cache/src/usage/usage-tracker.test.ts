import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededFractions } from '../l1/synthetic-traces.ts'
import { CountMin } from './count-min.ts'
import { DistinctKeys } from './distinct-keys.ts'
import { findPeriod, forecastDemand } from './forecast-demand.ts'
import { hashOf } from './hash-key.ts'
import { SeenLately } from './seen-lately.ts'
import { TopKeys } from './top-keys.ts'
import { createUsageTracker } from './usage-tracker.ts'

/** Few keys often, many seldom. */
const skewed = fc.array(fc.nat(10_000).map((number) => `k${Math.floor(Math.sqrt(number))}`), { minLength: 1, maxLength: 3000 })

function countExactly(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

describe('CountMin', () => {
  it('is never too low, and seldom too high by more than its width allows', () => {
    fc.assert(
      fc.property(skewed, (keys) => {
        const sketch = new CountMin(64)
        for (const key of keys) sketch.add(hashOf(key))
        const exact = countExactly(keys)

        const errors = [...exact].map(([key, count]) => sketch.countOf(hashOf(key)) - count)
        expect(Math.min(...errors)).toBeGreaterThanOrEqual(0)
        // Counts that are 1/16 of the keys, and a few for what chance makes of a short list.
        expect(errors.filter((error) => error > (2 * keys.length) / 64).length).toBeLessThanOrEqual(exact.size / 16 + 3)
      }),
    )
  })
})

describe('TopKeys', () => {
  it('keeps each key that was counted more often than the least that it keeps, with counts that bound the true ones', () => {
    fc.assert(
      fc.property(skewed, fc.integer({ min: 1, max: 40 }), (keys, places) => {
        const top = new TopKeys({ keys: places, sketchWidth: 128 })
        for (const key of keys) top.add(key, hashOf(key))
        const exact = countExactly(keys)
        const kept = top.list(places)

        for (const { key, count, error } of kept) {
          expect(count).toBeGreaterThanOrEqual(exact.get(key) as number)
          expect(count - error).toBeLessThanOrEqual(exact.get(key) as number)
        }
        const least = kept.length < places ? 0 : (kept.at(-1)?.count as number)
        for (const [key, count] of exact) if (!kept.some((one) => one.key === key)) expect(count).toBeLessThanOrEqual(least)
      }),
    )
  })

  it('lets a scan move nothing', () => {
    const top = new TopKeys({ keys: 10, sketchWidth: 4096 })
    for (let round = 0; round < 50; round++) for (let key = 0; key < 10; key++) top.add(`hot${key}`, hashOf(`hot${key}`))
    for (let key = 0; key < 20_000; key++) top.add(`scan${key}`, hashOf(`scan${key}`))

    expect(top.list(10).every(({ key }) => key.startsWith('hot'))).toBe(true)
  })
})

describe('SeenLately and DistinctKeys', () => {
  it('never call a key new that was among the last ones, and rarely an old one seen', () => {
    const seen = new SeenLately(1000)
    let wrong = 0
    for (let key = 0; key < 50_000; key++) {
      if (!seen.isNew(hashOf(`k${key}`))) wrong += 1
      for (const back of [0, 1, 10, 400]) if (key >= back) expect(seen.isNew(hashOf(`k${key - back}`))).toBe(false)
    }

    expect(wrong / 50_000).toBeLessThan(0.04)
  })

  it.each([10, 1000, 20_000, 300_000])('count %i different keys within 5 %%', (count) => {
    const distinct = new DistinctKeys()
    for (let key = 0; key < count; key++) for (let again = 0; again < 2; again++) distinct.add(hashOf(`user:${key}`))

    expect(Math.abs(distinct.count() / count - 1)).toBeLessThan(0.05)
  })
})

describe('A forecast', () => {
  it('finds the period of what repeats itself, for any period, phase and noise', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 30 }), fc.nat(29), fc.nat(1_000_000), (period, phase, seed) => {
        const fraction = seededFractions(seed)
        const series = Float32Array.from({ length: 200 }, (_, at) => ((at + phase) % period === 0 ? 20 + Math.floor(fraction() * 8) : Math.floor(fraction() * 3)))

        const forecast = forecastDemand(series, period)

        expect(forecast.period).toBe(period)
        expect(forecast.errorShare).toBeLessThan(0.8)
        const due = (period - ((200 + phase) % period)) % period
        expect(forecast.next.indexOf(Math.max(...forecast.next))).toBe(due)
      }),
    )
  })

  it('sees no period in noise more than now and then, nor in what only grows', () => {
    let found = 0
    for (let seed = 1; seed <= 100; seed++) {
      const fraction = seededFractions(seed)
      if (findPeriod(Float32Array.from({ length: 200 }, () => Math.floor(fraction() * 10))).period !== null) found += 1
    }

    expect(found).toBeLessThanOrEqual(3)
    expect(findPeriod(Float32Array.from({ length: 200 }, (_, at) => at)).period).toBeNull()
    expect(findPeriod(new Float32Array(200).fill(5)).period).toBeNull()
  })

  it('says what it was wrong by: nothing for what never changes, much for noise, and nothing at all when it knows too little', () => {
    const fraction = seededFractions(7)

    expect(forecastDemand(new Float32Array(50).fill(4), 1)).toMatchObject({ errorShare: 0, next: [4] })
    expect(forecastDemand(Float32Array.from({ length: 50 }, () => (fraction() < 0.1 ? 10 : 0)), 1).errorShare).toBeGreaterThan(0.5)
    expect(forecastDemand(new Float32Array(3), 1).errorShare).toBeNull()
  })
})

describe('UsageTracker', () => {
  it('foresees what comes every ten minutes, and tells hot keys, ghosts, scans and periods apart', async () => {
    const clock = new FakeClock()
    const tracker = createUsageTracker({ clock, maxKeys: 50 })
    for (let minute = 0; minute < 120; minute++) {
      for (let read = 0; read < 100; read++) tracker.trackUsage(`hot${read % 4}`)
      for (let read = 0; read < 3; read++) tracker.trackUsage('ghost', false)
      if (minute % 10 === 3) for (let read = 0; read < 30; read++) tracker.trackUsage('report')
      if (minute === 60 || minute === 61) for (let read = 0; read < 500; read++) tracker.trackUsage(`scan${minute}:${read}`)
      await clock.advance(60_000)
    }

    const insights = tracker.generateInsights()
    const soon = tracker.predictUsage({ horizonSeconds: 60 }).find(({ key }) => key === 'report')
    const later = tracker.predictUsage({ horizonSeconds: 300 }).find(({ key }) => key === 'report')

    expect(soon).toBeUndefined()
    expect(later).toMatchObject({ inSeconds: 180, periodSeconds: 600 })
    expect(later?.expectedReads).toBeCloseTo(30, 0)
    expect(later?.errorShare).toBeLessThan(0.1)
    expect(insights.hot.slice(0, 4).map(({ key }) => key).sort()).toEqual(['hot0', 'hot1', 'hot2', 'hot3'])
    expect(insights.ghosts.map(({ key }) => key)).toEqual(['ghost'])
    expect(insights.scans).toMatchObject([{ beganSecondsAgo: 60 * 60, endedSecondsAgo: 58 * 60 }])
    expect(insights.periodic.map(({ key }) => key)).toEqual(['report'])
    expect(insights.distinctKeys).toBeGreaterThan(950)
    expect(insights.advice).toHaveLength(4)
  })

  it('forgets what was hot long ago', async () => {
    const clock = new FakeClock()
    const tracker = createUsageTracker({ clock, maxKeys: 2, halveEverySeconds: 60 })
    for (let read = 0; read < 1000; read++) tracker.trackUsage('yesterday')
    for (let minute = 0; minute < 20; minute++) {
      await clock.advance(60_000)
      for (let read = 0; read < 10; read++) for (const key of ['today', 'now']) tracker.trackUsage(key)
    }

    expect(tracker.generateInsights().hot.map(({ key }) => key).sort()).toEqual(['now', 'today'])
  })

  it('takes no more memory for a million keys than for a thousand', () => {
    const tracker = createUsageTracker({ clock: new FakeClock(), maxKeys: 100 })
    for (let key = 0; key < 200_000; key++) tracker.trackUsage(`k${key}`)

    expect(tracker.predictUsage({ limit: 1000 }).length).toBeLessThanOrEqual(100)
    expect(tracker.generateInsights().hot.length).toBeLessThanOrEqual(20)
  })

  it.each([{ maxKeys: 0 }, { intervals: 2 }, { intervalSeconds: 0 }, { halveEverySeconds: Number.NaN }])('refuses %o by name', (options) => {
    expect(() => createUsageTracker(options)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CONFIGURATION', context: { option: Object.keys(options)[0] } }) as Error)
  })
})
