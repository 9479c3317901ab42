import { ValidationError } from '@smart-whale/interfaces'
import { cachingContract, type CachingSubject, chaosCache, chaosSchedule, FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { createL1Cache, type L1Cache, type L1CacheOptions } from '../index.ts'

function cacheUnderTest(options: L1CacheOptions = {}): { cache: L1Cache; clock: FakeClock } {
  const clock = new FakeClock()
  return { cache: createL1Cache({ clock, ...options }), clock }
}

describe('L1Cache keeps the caching contract', () => {
  function subject(): CachingSubject {
    const clock = new FakeClock()
    return {
      create: async () => createL1Cache({ clock, maxBytes: 10_000_000 }),
      defaultTtlSeconds: 60,
      passTime: (ms) => clock.advance(ms),
    }
  }

  it.each(cachingContract)('$name', ({ run }) => run(subject()))

  it('fails where a chaos double makes it fail, and keeps what was done', async () => {
    const { cache } = cacheUnderTest()
    const chaotic = chaosCache(cache, chaosSchedule([{ fail: 'after' }]))

    await expect(chaotic.set('k', 1)).rejects.toMatchObject({ code: 'ERR_CONNECTION' })
    expect(await chaotic.get('k')).toBe(1)
  })
})

describe('L1Cache, synchronously', () => {
  it('gives back what was set', () => {
    const { cache } = cacheUnderTest()

    expect(cache.fastSet('k', { a: [1, 2] })).toBe(true)
    expect(cache.fastGet('k')).toEqual({ a: [1, 2] })
    expect(cache.fastGet('missing')).toBeUndefined()
  })

  it('hands plain data out as one frozen value', () => {
    const { cache } = cacheUnderTest()
    const given = { rows: [{ id: 1n }] }
    cache.fastSet('k', given)
    given.rows.push({ id: 2n })

    const first = cache.fastGet<typeof given>('k')

    expect(first).toEqual({ rows: [{ id: 1n }] })
    expect(cache.fastGet('k')).toBe(first)
    expect(() => first?.rows.push({ id: 3n })).toThrow(TypeError)
    expect(Object.isFrozen(given)).toBe(false)
  })

  it('hands a copy out of what can’t be frozen', () => {
    const { cache } = cacheUnderTest()
    cache.fastSet('k', { at: new Date(1000) })

    cache.fastGet<{ at: Date }>('k')?.at.setTime(0)

    expect(cache.fastGet('k')).toEqual({ at: new Date(1000) })
  })

  it.each([
    ['a key that is no text', 'ERR_CACHE_KEY', (cache: L1Cache) => cache.fastSet(7 as unknown as string, 1), ['key']],
    ['undefined', 'ERR_CACHE_VALUE', (cache: L1Cache) => cache.fastSet('k', undefined), ['value']],
    ['a life of 0', 'ERR_CACHE_TTL', (cache: L1Cache) => cache.fastSet('k', 1, 0), ['ttlSeconds']],
    ['a life that is a text', 'ERR_CACHE_TTL', (cache: L1Cache) => cache.fastSet('k', 1, '5' as unknown as number), ['ttlSeconds']],
    ['a function deep inside', 'ERR_CACHE_VALUE', (cache: L1Cache) => cache.fastSet('k', { rows: [{}, { format: () => '' }] }), ['value', 'rows', 1, 'format']],
    ['an instance of a class', 'ERR_CACHE_VALUE', (cache: L1Cache) => cache.fastSet('k', [new URL('http://a')]), ['value', 0]],
  ])('refuses %s by name', (_what, code, attempt, path) => {
    const { cache } = cacheUnderTest()
    const refusal = (() => {
      try {
        return attempt(cache)
      } catch (error) {
        return error
      }
    })()

    expect(ValidationError.isInstance(refusal)).toBe(true)
    expect(refusal).toMatchObject({ code, issues: [{ path }] })
    expect(cache.getStats().entries).toBe(0)
  })
})

describe('L1Cache, bounded', () => {
  it('holds no more entries than it may', () => {
    const { cache } = cacheUnderTest({ maxEntries: 10 })

    for (let index = 0; index < 100; index++) cache.fastSet(`k${index}`, index)

    expect(cache.getStats()).toMatchObject({ entries: 10, evictions: 90 })
  })

  it('holds no more bytes than it may', () => {
    const { cache } = cacheUnderTest({ maxBytes: 100_000 })

    for (let index = 0; index < 100; index++) {
      cache.fastSet(`k${index}`, 'x'.repeat(index * 100))
      expect(cache.getStats().bytes).toBeLessThanOrEqual(100_000)
    }

    expect(cache.getStats().entries).toBeGreaterThan(3)
  })

  it('does not keep what alone is too large, and forgets the value that it replaces', () => {
    const { cache } = cacheUnderTest({ maxBytes: 10_000 })
    cache.fastSet('other', 1)
    cache.fastSet('k', 'small')

    expect(cache.fastSet('k', 'x'.repeat(10_000))).toBe(false)

    expect(cache.fastGet('k')).toBeUndefined()
    expect(cache.fastGet('other')).toBe(1)
    expect(cache.getStats()).toMatchObject({ rejections: 1, evictions: 0, entries: 1 })
  })

  it('keeps what is read and lets a scan pass by', () => {
    const { cache } = cacheUnderTest({ maxEntries: 100 })
    for (let index = 0; index < 50; index++) cache.fastSet(`hot${index}`, index)
    for (let index = 0; index < 1000; index++) {
      cache.fastSet(`scan${index}`, index)
      cache.fastGet(`hot${index % 50}`)
    }

    const kept = Array.from({ length: 50 }, (_value, index) => cache.checkVitality(`hot${index}`)).filter((vitality) => vitality !== undefined)
    expect(kept).toHaveLength(50)
  })

  it('accounts for bytes exactly: what comes in goes out', async () => {
    const { cache } = cacheUnderTest()
    cache.fastSet('a', 'x'.repeat(100))
    const alone = cache.getStats().bytes
    cache.fastSet('b', { list: [1, 2, 3] })
    cache.fastSet('b', 1)
    await cache.delete('b')

    expect(cache.getStats().bytes).toBe(alone)
    cache.clear()
    expect(cache.getStats()).toMatchObject({ bytes: 0, entries: 0 })
  })

  it('is usable after clear and disconnect', async () => {
    const { cache } = cacheUnderTest({ maxEntries: 3 })
    for (let index = 0; index < 5; index++) cache.fastSet(`k${index}`, index)
    await cache.disconnect()

    for (let index = 0; index < 5; index++) cache.fastSet(`n${index}`, index)

    expect(cache.getStats().entries).toBe(3)
    expect(cache.fastGet('n4')).toBe(4)
    expect(cache.fastGet('k4')).toBeUndefined()
  })
})

describe('L1Cache, in time', () => {
  it('never hands out an expired value, and keeps no timer', async () => {
    const { cache, clock } = cacheUnderTest({ defaultTtlSeconds: 10 })
    cache.fastSet('k', 1)

    await clock.advance(9999)
    expect(cache.fastGet('k')).toBe(1)
    await clock.advance(1)
    expect(cache.fastGet('k')).toBeUndefined()

    expect(cache.getStats()).toMatchObject({ hits: 1, misses: 1, expirations: 1, entries: 0 })
    expect(clock.pendingTimers).toBe(0)
  })

  it('keeps entries until they are evicted when they have no life', async () => {
    const { cache, clock } = cacheUnderTest({ defaultTtlSeconds: null })
    cache.fastSet('k', 1)

    await clock.advance(1e12)

    expect(cache.fastGet('k')).toBe(1)
    expect(await cache.ttl('k')).toBeNull()
    expect(cache.checkVitality('k')).toEqual({ remainingMs: null, ageMs: 1e12, hits: 1, dueForRefresh: false })
  })

  it('does not notice when the wall clock jumps', () => {
    const { cache, clock } = cacheUnderTest({ defaultTtlSeconds: 10 })
    cache.fastSet('k', 1)

    clock.jumpWallClock(3_600_000)

    expect(cache.fastGet('k')).toBe(1)
  })

  it('clears expired entries away as later writes come by', async () => {
    const { cache, clock } = cacheUnderTest()
    for (let index = 0; index < 100; index++) cache.fastSet(`old${index}`, index, 1)
    await clock.advance(1000)

    for (let index = 0; index < 60; index++) cache.fastSet(`new${index}`, index)

    expect(cache.getStats()).toMatchObject({ entries: 60, expirations: 100, evictions: 0 })
  })

  it('tells how an entry is doing, without counting that as a use', async () => {
    const { cache, clock } = cacheUnderTest({ refreshShare: 0.25 })
    cache.fastSet('k', 1, 100)
    cache.fastGet('k')
    cache.fastGet('k')
    await clock.advance(40_000)

    expect(cache.checkVitality('k')).toEqual({ remainingMs: 60_000, ageMs: 40_000, hits: 2, dueForRefresh: false })
    await clock.advance(35_000)
    expect(cache.checkVitality('k')).toEqual({ remainingMs: 25_000, ageMs: 75_000, hits: 2, dueForRefresh: true })
    await clock.advance(25_000)
    expect(cache.checkVitality('k')).toBeUndefined()
    expect(cache.getStats()).toMatchObject({ hits: 2, misses: 0 })
  })
})

describe('createL1Cache', () => {
  it.each([
    ['maxEntries', { maxEntries: 0 }],
    ['maxEntries', { maxEntries: Infinity }],
    ['maxBytes', { maxBytes: -1 }],
    ['maxBytes', { maxBytes: '1MB' as unknown as number }],
    ['defaultTtlSeconds', { defaultTtlSeconds: 0 }],
    ['refreshShare', { refreshShare: 2 }],
  ])('refuses a wrong %s by name', (option, options) => {
    expect(() => createL1Cache(options)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CONFIGURATION', context: { option } }))
  })
})
