import { describe, expect, it } from 'vitest'
import { CacheAnalyzer } from './cache-analyzer.ts'
import { createL1Cache, type L1Cache } from '../l1/l1-cache.ts'
import { driftingTrace, loopTrace, zipfTrace } from '../l1/synthetic-traces.ts'
import { LruDistances } from './lru-distances.ts'

const keysOf = (trace: Int32Array): string[] => Array.from(trace, (key) => `key:${key}`)

/** Share of accesses that hit. */
function replay(keys: readonly string[], cache: L1Cache, analyzer?: CacheAnalyzer): number {
  let hits = 0
  for (const key of keys) {
    analyzer?.record(key)
    if (cache.fastGet(key) === undefined) cache.fastSet(key, 1)
    else hits += 1
  }
  return hits / keys.length
}

function lruReplay(keys: readonly string[], size: number): number {
  const held = new Map<string, true>()
  let hits = 0
  for (const key of keys) {
    if (held.delete(key)) hits += 1
    held.set(key, true)
    if (held.size > size) held.delete(held.keys().next().value as string)
  }
  return hits / keys.length
}

const cacheOf = (maxEntries: number): L1Cache => createL1Cache({ maxEntries, defaultTtlSeconds: null })

const TRACES: readonly [string, Int32Array, number][] = [
  ['popular keys, all of them watched', zipfTrace({ keys: 20_000, exponent: 0.9, accesses: 60_000 }), 1_000],
  ['popular keys, one in ten watched', zipfTrace({ keys: 80_000, exponent: 0.9, accesses: 160_000 }), 20_000],
  ['popular keys and scans', zipfTrace({ keys: 30_000, exponent: 0.9, accesses: 100_000, scanShare: 0.3 }), 4_000],
  ['a loop', loopTrace(6_000, 120_000), 4_000],
  ['a popular set that moves on', driftingTrace(8_000, 80_000), 2_000],
]

describe('What is expected of a size', () => {
  it.each(TRACES)('is within 2 points of what a replay shows: %s', (_name, trace, maxEntries) => {
    const keys = keysOf(trace)
    const cache = cacheOf(maxEntries)
    const analyzer = new CacheAnalyzer({ cache })
    replay(keys, cache, analyzer)

    const { curve } = analyzer.analyzeHitRate()

    const points = curve.filter((_, index) => index % 4 === 0)
    expect(points.map(({ maxEntries: entries }) => entries / maxEntries)).toEqual([0.125, 1, 8])
    for (const point of points) {
      expect(Math.abs(1 - point.missRatio - replay(keys, cacheOf(point.maxEntries)))).toBeLessThan(0.02)
      expect(Math.abs(1 - point.lruMissRatio - lruReplay(keys, point.maxEntries))).toBeLessThan(0.02)
    }
  })
})

describe('A suggestion', () => {
  function analyzed(trace: Int32Array, maxEntries: number) {
    const cache = cacheOf(maxEntries)
    const analyzer = new CacheAnalyzer({ cache })
    const keys = keysOf(trace)
    replay(keys, cache, analyzer)
    return { cache, analyzer, keys }
  }

  it('is the smallest size that has no more to gain, and can be applied', () => {
    const { cache, analyzer, keys } = analyzed(loopTrace(3_000, 60_000), 2_000)

    const suggestion = analyzer.optimize({ apply: true })

    expect(suggestion).toMatchObject({ maxEntries: 4_000, reason: 'no more to gain', applied: true })
    expect(cache.getStats().maxEntries).toBe(4_000)
    const hits = cache.getStats().hits
    replay(keys, cache)
    expect((cache.getStats().hits - hits) / keys.length).toBeGreaterThan((suggestion?.expectedHitRate ?? 1) - 0.02)
  })

  it('shrinks a cache that is too large, and entries leave', () => {
    const { cache, analyzer } = analyzed(zipfTrace({ keys: 300, exponent: 0.9, accesses: 30_000 }), 4_000)

    const suggestion = analyzer.optimize({ apply: true })

    expect(suggestion?.maxEntries).toBe(500)
    expect(cache.getStats()).toMatchObject({ maxEntries: 500, entries: 300, evictions: 0 })
    cache.resize({ maxEntries: 100, maxBytes: 1_000_000 })
    expect(cache.getStats()).toMatchObject({ entries: 100, evictions: 200 })
  })

  it('keeps to a memory bound, and to a target that can be had', () => {
    const { analyzer } = analyzed(zipfTrace({ keys: 20_000, exponent: 0.8, accesses: 100_000 }), 1_000)
    const mean = analyzer.analyzeMemoryUsage().bytesAnEntry ?? 0

    expect(analyzer.optimize({ maxBytes: 2_100 * mean })).toMatchObject({ maxEntries: 2_000, reason: 'memory bound' })
    const modest = analyzer.optimize({ targetHitRate: 0.3 })
    expect(modest?.reason).toBe('target')
    expect(modest?.expectedHitRate).toBeGreaterThanOrEqual(0.3)
    expect(modest?.maxEntries).toBeLessThan(8_000)
    expect(analyzer.optimize({ targetHitRate: 0.999 })).toMatchObject({ reason: 'target out of reach', maxEntries: 8_000 })
  })

  it('is not made from next to nothing', () => {
    expect(analyzed(loopTrace(10, 100), 100).analyzer.optimize()).toBeUndefined()
    expect(new CacheAnalyzer({ cache: cacheOf(100) }).analyzeHitRate()).toMatchObject({ hitRate: undefined, accesses: 0, curve: [] })
  })

  it.each([
    ['sampledEntries', () => new CacheAnalyzer({ cache: cacheOf(10), sampledEntries: 10 })],
    ['targetHitRate', () => new CacheAnalyzer({ cache: cacheOf(10) }).optimize({ targetHitRate: 80 })],
    ['maxBytes', () => new CacheAnalyzer({ cache: cacheOf(10) }).optimize({ maxBytes: 0 })],
    ['tolerance', () => new CacheAnalyzer({ cache: cacheOf(10) }).optimize({ tolerance: -1 })],
    ['maxEntries', () => cacheOf(10).resize({ maxEntries: 0, maxBytes: 1 })],
  ])('with a wrong %s is refused by name', (option, ask) => {
    expect(ask).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CONFIGURATION', context: { option } }))
  })
})

describe('What memory is used for', () => {
  it('says which bound makes entries leave', () => {
    const byBytes = createL1Cache({ maxEntries: 10_000, maxBytes: 50_000 })
    for (let key = 0; key < 1_000; key++) byBytes.fastSet(`k${key}`, 'x'.repeat(500))
    const byEntries = cacheOf(10)
    for (let key = 0; key < 100; key++) byEntries.fastSet(`k${key}`, 1)

    const [bytes, entries] = [byBytes, byEntries].map((cache) => new CacheAnalyzer({ cache }).analyzeMemoryUsage())

    expect(bytes).toMatchObject({ boundBy: 'bytes', entries: byBytes.getStats().entries })
    expect(bytes?.fittingEntries).toBeCloseTo(byBytes.getStats().entries, -1)
    expect(entries).toMatchObject({ boundBy: 'entries', entries: 10, fittingEntries: 10 })
  })
})

describe('LRU distances', () => {
  it('are the numbers of other keys in between, as counted one by one', () => {
    const distances = new LruDistances(5)
    const stack: string[] = []
    const naive = (key: string): number => {
      const at = stack.indexOf(key)
      if (at >= 0) stack.splice(at, 1)
      stack.unshift(key)
      if (stack.length > 5) stack.pop()
      return at < 0 ? Infinity : at
    }

    for (const key of keysOf(zipfTrace({ keys: 12, exponent: 0.5, accesses: 500 }))) expect(distances.access(key)).toBe(naive(key))
  })
})
