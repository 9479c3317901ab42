import fc from 'fast-check'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { createL1Cache, type L1CacheOptions } from '../index.ts'
import { RAISE_AFTER_MS } from './memory-pressure.ts'
import { driftingTrace, loopTrace, zipfTrace } from './synthetic-traces.ts'

/** Share of accesses that a cache of that many entries answers. */
function hitRatio(trace: Int32Array, maxEntries: number): number {
  const cache = createL1Cache({ maxEntries, defaultTtlSeconds: null })
  let hits = 0
  for (const number of trace) {
    const key = `key:${number}`
    if (cache.fastGet(key) === undefined) cache.fastSet(key, 1)
    else hits += 1
  }
  return hits / trace.length
}

function lruHitRatio(trace: Int32Array, maxEntries: number): number {
  const held = new Map<number, true>()
  let hits = 0
  for (const number of trace) {
    if (held.delete(number)) hits += 1
    held.set(number, true)
    if (held.size > maxEntries) held.delete(held.keys().next().value as number)
  }
  return hits / trace.length
}

describe('What makes room', () => {
  const traces: readonly [string, Int32Array, number, number][] = [
    ['popular keys', zipfTrace({ keys: 20_000, exponent: 0.9, accesses: 100_000 }), 500, 0.08],
    ['popular keys with scans between', zipfTrace({ keys: 20_000, exponent: 0.9, accesses: 100_000, scanShare: 0.3 }), 500, 0.08],
    ['a loop that does not fit', loopTrace(1000, 100_000), 500, 0.4],
    ['a popular set that moves on', driftingTrace(2000, 100_000), 500, -0.01],
  ]

  it.each(traces)('serves %s as well as it should against LRU', (_name, trace, maxEntries, ahead) => {
    expect(hitRatio(trace, maxEntries)).toBeGreaterThanOrEqual(lruHitRatio(trace, maxEntries) + ahead)
  })

  it('follows traffic that changes its nature', () => {
    const drifting = driftingTrace(2000, 60_000)
    const trace = Int32Array.from([...loopTrace(1000, 60_000).map((key) => key + 1_000_000), ...drifting])

    const both = hitRatio(trace, 500) * 2

    expect(both).toBeGreaterThan(0.4 + lruHitRatio(drifting, 500) - 0.05)
  })
})

type Step =
  | { readonly do: 'get' | 'delete'; readonly key: string }
  | { readonly do: 'set'; readonly key: string; readonly size: number; readonly ttl: number | undefined }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'share'; readonly share: number }

const key = fc.integer({ min: 0, max: 40 }).map((number) => `k${number}`)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('get' as const), key }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('set' as const), key, size: fc.integer({ min: 0, max: 400 }), ttl: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('share' as const), share: fc.double({ min: 0.01, max: 1, noNaN: true }) }) },
)
const bounds: fc.Arbitrary<L1CacheOptions> = fc.record({ maxEntries: fc.integer({ min: 1, max: 30 }), maxBytes: fc.integer({ min: 400, max: 12_000 }) })

describe('L1Cache, whatever is done to it', () => {
  it('never answers with anything but the latest live value, and never grows above its bounds', async () => {
    await fc.assert(
      fc.asyncProperty(bounds, fc.array(step, { maxLength: 300 }), async (options, steps) => {
        const clock = new FakeClock()
        const cache = createL1Cache({ ...options, clock, defaultTtlSeconds: 10 })
        const latest = new Map<string, { value: string; expiresAtMs: number }>()
        for (const [at, each] of steps.entries()) {
          if (each.do === 'pass') await clock.advance(each.ms)
          else if (each.do === 'share') cache.useShare(each.share)
          else if (each.do === 'delete') {
            await cache.delete(each.key)
            latest.delete(each.key)
          } else if (each.do === 'set') {
            const value = `${at}`.padEnd(each.size)
            cache.fastSet(each.key, value, each.ttl)
            latest.set(each.key, { value, expiresAtMs: clock.monotonic() + (each.ttl ?? 10) * 1000 })
          } else {
            const found = cache.fastGet<string>(each.key)
            const wanted = latest.get(each.key)
            if (found !== undefined) expect({ value: found, alive: (wanted?.expiresAtMs ?? 0) > clock.monotonic() }).toEqual({ value: wanted?.value, alive: true })
          }
          const { entries, bytes, maxBytes } = cache.getStats()
          expect(entries).toBeLessThanOrEqual(options.maxEntries ?? 0)
          expect(bytes).toBeLessThanOrEqual(maxBytes)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('keeps account of its bytes to the last one', async () => {
    const cache = createL1Cache({ maxEntries: 20 })
    for (let number = 0; number < 500; number++) cache.fastSet(`k${number % 33}`, 'x'.repeat(number % 50))
    for (let number = 0; number < 33; number++) await cache.delete(`k${number}`)

    expect(cache.getStats()).toMatchObject({ entries: 0, bytes: 0 })
  })
})

describe('L1Cache under memory pressure', () => {
  it('gives memory back as it is told, and takes it again', async () => {
    let tell: (share: number) => void = () => {}
    let ended = false
    const memoryPressure = {
      follow: (setShare: (share: number) => void) => {
        tell = setShare
        return () => {
          ended = true
        }
      },
    }
    const clock = new FakeClock()
    const cache = createL1Cache({ maxBytes: 100_000, memoryPressure, clock })
    const fill = (): void => {
      for (let number = 0; number < 1000; number++) cache.fastSet(`k${number}`, 'x'.repeat(100))
    }

    fill()
    const full = cache.getStats().bytes
    tell(0.25)
    const pressed = cache.getStats().bytes
    fill()
    const stillPressed = cache.getStats().bytes
    tell(1)
    fill()
    const relievedJustNow = cache.getStats().bytes
    await clock.advance(RAISE_AFTER_MS)
    fill()

    expect(full).toBeGreaterThan(90_000)
    expect(pressed).toBeLessThanOrEqual(25_000)
    expect(pressed).toBeGreaterThan(20_000)
    expect(stillPressed).toBeLessThanOrEqual(25_000)
    expect(relievedJustNow).toBeLessThanOrEqual(25_000)
    expect(cache.getStats().bytes).toBeGreaterThan(90_000)
    await cache.disconnect()
    expect(ended).toBe(true)
  })

  it('stays where it is while the pressure comes and goes, and takes the least that was left all the while', async () => {
    const clock = new FakeClock()
    let tell: (share: number) => void = () => {}
    const cache = createL1Cache({ maxBytes: 100_000, clock, memoryPressure: { follow: (setShare) => ((tell = setShare), () => {}) } })
    const shareAfter = async (told: number, ms: number): Promise<number> => {
      tell(told)
      await clock.advance(ms)
      cache.fastSet('k', 1)
      return cache.getStats().maxBytes / 100_000
    }

    const flapping = []
    for (let round = 0; round < 5; round++) flapping.push(await shareAfter(0.5, 1_000), await shareAfter(1, 5_000))
    const rising = [await shareAfter(0.8, 1_000), await shareAfter(0.7, 2_000), await shareAfter(0.9, 3_000), await shareAfter(0.9, RAISE_AFTER_MS)]

    expect(new Set(flapping)).toEqual(new Set([0.5]))
    expect(rising).toEqual([0.5, 0.5, 0.7, 0.9])
  })

  it('takes what is no share for none at all', () => {
    const cache = createL1Cache({ maxBytes: 100_000, memoryPressure: { follow: (setShare) => (setShare(Number.NaN), () => {}) } })

    expect(cache.getStats().maxBytes).toBe(100_000)
  })

  it('never gives away everything', () => {
    const cache = createL1Cache({ maxBytes: 100_000 })

    cache.useShare(-1)

    expect(cache.getStats().maxBytes).toBe(1000)
  })
})
