import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { RAISE_AFTER_MS } from '../l1/memory-pressure.ts'
import { MemorySharedServer } from '../testing/memory-shared-server.ts'
import { createCacheManager } from './cache-manager.ts'

/** A resource monitor whose readings the test decides. */
function monitor() {
  const followers = new Set<(share: number) => void>()
  const pressure = {
    follow: (setShare: (share: number) => void) => {
      followers.add(setShare)
      return () => void followers.delete(setShare)
    },
  }
  return { pressure, followers, tell: (share: number) => followers.forEach((setShare) => setShare(share)) }
}

const KEYS = Array.from({ length: 400 }, (_, index) => `k${index}`)
const MAX_BYTES = 200_000

describe('Memory under pressure', () => {
  it('goes down at once and up again when the pressure stays away, and no caller notices', async () => {
    const clock = new FakeClock()
    const { pressure, tell } = monitor()
    const cache = createCacheManager({ clock, maxBytes: MAX_BYTES, ttlSeconds: 3600, memoryPressure: pressure })
    const readAll = async (): Promise<number> => {
      const answers = await Promise.all(KEYS.map((key) => cache.smartGet(key, () => `${key}: ${'x'.repeat(100)}`)))
      expect(answers.every((answer, index) => answer.startsWith(`k${index}:`))).toBe(true)
      return cache.getStats().bytes
    }

    const full = await readAll()
    tell(0.1)
    const pressed = cache.getStats().bytes
    const pressedAndBusy = await readAll()
    tell(1)
    const relieved = await readAll()
    await clock.advance(RAISE_AFTER_MS)

    expect(full).toBeGreaterThan(MAX_BYTES * 0.6)
    expect(pressed).toBeLessThanOrEqual(MAX_BYTES * 0.1)
    expect(pressedAndBusy).toBeLessThanOrEqual(MAX_BYTES * 0.1)
    expect(relieved).toBeLessThanOrEqual(MAX_BYTES * 0.1)
    expect(await readAll()).toBe(full)
    expect(cache.getStats().maxBytes).toBe(MAX_BYTES)
  })

  it('loses no invalidation: what it had to give away does not come back as it was', async () => {
    const clock = new FakeClock()
    const server = new MemorySharedServer(clock)
    const { pressure, tell } = monitor()
    const [here, there] = [pressure, undefined].map((memoryPressure) => createCacheManager({ clock, shared: server.layerFor(), maxBytes: MAX_BYTES, ttlSeconds: 3600, memoryPressure }))
    let version = 1
    const acknowledged = (): Promise<void> => clock.runUntilSettled(there?.invalidateTags(['all']) as Promise<void>)
    const read = (): Promise<(number | undefined)[]> => Promise.all(KEYS.map((key) => here?.smartGet(key, () => version, { tags: ['all'] })) as Promise<number>[])

    await read()
    tell(0.01)
    version = 2
    await acknowledged()
    tell(1)
    const whilePressed = await read()
    await clock.advance(RAISE_AFTER_MS)
    version = 3
    await acknowledged()

    expect(new Set(whilePressed)).toEqual(new Set([2]))
    expect(new Set(await read())).toEqual(new Set([3]))
    await Promise.all([here?.disconnect(), there?.disconnect()])
    expect(clock.pendingTimers).toBe(0)
  })

  it('takes what is no share for no pressure, and follows nobody once it is closed', async () => {
    const { pressure, tell, followers } = monitor()
    const cache = createCacheManager({ maxBytes: MAX_BYTES, memoryPressure: pressure })
    await cache.connect()

    tell(Number.NaN)
    const unpressed = cache.getStats().maxBytes
    tell(-5)
    const least = cache.getStats().maxBytes
    await cache.disconnect()
    const followedWhenClosed = followers.size
    await cache.connect()

    expect([unpressed, least, followedWhenClosed, followers.size]).toEqual([MAX_BYTES, MAX_BYTES / 100, 0, 1])
    await cache.disconnect()
  })
})

describe('The size of memory', () => {
  it('can be changed, also while memory is scarce', async () => {
    const { pressure, tell } = monitor()
    const cache = createCacheManager({ maxBytes: MAX_BYTES, memoryPressure: pressure })
    for (const key of KEYS) await cache.smartGet(key, () => 1)

    tell(0.5)
    cache.resize({ maxEntries: 10, maxBytes: MAX_BYTES * 2 })

    expect(cache.getStats()).toMatchObject({ entries: 10, maxEntries: 10, maxBytes: MAX_BYTES })
    expect(() => cache.resize({ maxEntries: 0, maxBytes: 1 })).toThrow(/maxEntries/)
    expect(() => cache.resize({ maxEntries: 1, maxBytes: Number.NaN })).toThrow(/maxBytes/)
    await cache.disconnect()
  })

  it('follows what the analyzer, which sees the traffic, suggests', async () => {
    const cache = createCacheManager({ maxEntries: 100, ttlSeconds: 3600, refreshShare: 0, analyzer: {} })
    const readInTurn = async (reads: number): Promise<number> => {
      let loads = 0
      for (let read = 0; read < reads; read++) await cache.smartGet(`k${read % 150}`, () => (loads += 1))
      return 1 - loads / reads
    }

    await readInTurn(6_000)
    const suggestion = cache.analyzer?.optimize({ apply: true })
    await readInTurn(150)
    const hitRate = await readInTurn(3_000)

    expect(cache.analyzer?.analyzeHitRate().accesses).toBe(9_150)
    expect(suggestion).toMatchObject({ maxEntries: 200, applied: true })
    expect(cache.getStats().maxEntries).toBe(200)
    expect(Math.abs(hitRate - (suggestion?.expectedHitRate ?? 0))).toBeLessThan(0.05)
    await cache.disconnect()
  })
})
