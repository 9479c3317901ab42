import { compose, createRetry, createTimeout } from '@smart-whale/core-resilience'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { RecordReply, SharedCache } from '../shared/shared-cache.ts'
import { MemorySharedServer } from '../testing/memory-shared-server.ts'
import { type CacheManager, createCacheManager } from './cache-manager.ts'
import type { CacheManagerOptions } from './manager-options.ts'

function single(options: CacheManagerOptions = {}): { cache: CacheManager; clock: FakeClock } {
  const clock = new FakeClock()
  return { cache: createCacheManager({ clock, ttlSeconds: 10, refreshShare: 0, ...options }), clock }
}

/** Counts its loads; answers with their number after a while, or fails. */
function source(clock: FakeClock, tookMs = 100) {
  const state = { loads: 0, isAway: false }
  const load = async (): Promise<number> => {
    const number = ++state.loads
    await new Promise<void>((resolve) => clock.setTimeout(resolve, tookMs))
    if (state.isAway) throw new RangeError('away')
    return number
  }
  return { state, load }
}

async function settled<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  const guarded = work.catch(() => {})
  await clock.advance(500)
  await guarded
  return work
}

afterEach(() => void vi.restoreAllMocks())

describe('smartSet while another node loads the key', () => {
  it.each([
    ['what that load brings', async () => 'loaded'],
    ['its failure', async () => Promise.reject(new RangeError('away'))],
  ])('has its own value stand, and not %s', async (_name, endsWith) => {
    const clock = new FakeClock()
    const server = new MemorySharedServer(clock)
    const layer = server.layerFor()
    let loading: Promise<unknown> | undefined
    const there = createCacheManager({ clock, shared: server.layerFor() })
    const slow = async (): Promise<string> => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 200))
      return endsWith()
    }
    // As soon as the old value is gone, the other node begins to load.
    const record = async (...given: Parameters<SharedCache['record']>): Promise<RecordReply> => {
      const reply = await layer.record(...given)
      loading = there.smartGet('k', slow).catch(() => 'failed')
      return reply
    }
    const here = createCacheManager({ clock, shared: { ...layer, record } })
    await settled(clock, Promise.all([here.connect(), there.connect()]))
    await clock.advance(4_000)

    await settled(clock, here.smartSet('k', 'set'))
    await settled(clock, loading as Promise<unknown>)

    expect(await settled(clock, here.smartGet('k', () => 'nobody asks'))).toBe('set')
    await Promise.all([here.disconnect(), there.disconnect()])
  })
})

describe('An invalidation that waits for others', () => {
  it('fails at once when its node is closed, and leaves nothing running', async () => {
    const clock = new FakeClock()
    const server = new MemorySharedServer(clock)
    const cache = createCacheManager({ clock, shared: server.layerFor() })
    await settled(clock, cache.connect())
    // The server is young: a whole lease is waited for.
    const outcome = cache.invalidate('k').catch((error: unknown) => (error as { code: string }).code)
    await clock.advance(100)

    await cache.disconnect()
    await clock.advance(0)

    expect(clock.pendingTimers).toBe(0)
    expect(await outcome).toBe('ERR_CACHE_UNACKNOWLEDGED')
  })
})

describe('smartGet', () => {
  it('loads once for all who ask at the same time, and answers from memory then', async () => {
    const { cache, clock } = single()
    const { state, load } = source(clock)

    const values = await settled(clock, Promise.all(Array.from({ length: 100 }, () => cache.smartGet('k', load))))
    const again = await cache.smartGetDetailed('k', load)

    expect(new Set(values)).toEqual(new Set([1]))
    expect(state.loads).toBe(1)
    expect(again).toMatchObject({ value: 1, source: 'memory', isStale: false })
  })

  it('hands one failure of the loader to all who wait, and loads again for the next', async () => {
    const { cache, clock } = single()
    const { state, load } = source(clock)
    state.isAway = true

    const outcomes = await settled(clock, Promise.allSettled(Array.from({ length: 100 }, () => cache.smartGet('k', load))))
    state.isAway = false

    expect(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason instanceof RangeError)).toBe(true)
    expect(state.loads).toBe(1)
    expect(await settled(clock, cache.smartGet('k', load))).toBe(2)
  })

  it('goes on for the others when the deadline of the caller who began it passes', async () => {
    const clock = new FakeClock()
    const server = new MemorySharedServer(clock)
    const cache = createCacheManager({ clock, shared: server.layerFor(() => new Promise((resolve) => clock.setTimeout(resolve, 20))) })
    await settled(clock, cache.connect())
    const { state, load } = source(clock)
    // The hasty one lends its deadline to all that it calls, without handing it on.
    const hasty = compose(createTimeout({ timeoutMs: 10, clock }), createRetry({ ambient: true, clock }))

    const given = hasty.execute(() => cache.smartGet('k', load)).catch((error: unknown) => (error as { code: string }).code)
    const joined = cache.smartGet('k', load)

    expect(await settled(clock, given)).toBe('ERR_TIMEOUT')
    expect(await settled(clock, joined)).toBe(1)
    expect(state.loads).toBe(1)
    expect(cache.isLinked()).toBe(true)
    await settled(clock, cache.disconnect())
  })

  it('answers with a stale value at once while it is loaded anew, once', async () => {
    const { cache, clock } = single({ staleWhileRevalidateSeconds: 5 })
    const { state, load } = source(clock)
    await settled(clock, cache.smartGet('k', load))
    await clock.advance(11_000)

    const stale = await Promise.all([cache.smartGetDetailed('k', load), cache.smartGetDetailed('k', load)])
    await clock.advance(200)

    expect(stale).toMatchObject([{ value: 1, isStale: true }, { value: 1, isStale: true }])
    expect(state.loads).toBe(2)
    expect(await cache.smartGet('k', load)).toBe(2)
  })

  it('waits for the load when the value is too stale for that', async () => {
    const { cache, clock } = single({ staleWhileRevalidateSeconds: 5 })
    const { load } = source(clock)
    await settled(clock, cache.smartGet('k', load))
    await clock.advance(15_100)

    expect(await settled(clock, cache.smartGet('k', load))).toBe(2)
  })

  it('answers with an old value and its age when the loader fails, and lets the source alone for a moment', async () => {
    const { cache, clock } = single({ staleIfErrorSeconds: 60 })
    const { state, load } = source(clock)
    await settled(clock, cache.smartGet('k', load))
    await clock.advance(20_000)
    state.isAway = true

    const answer = await settled(clock, cache.smartGetDetailed('k', load))
    await clock.advance(60_000)

    expect(answer).toMatchObject({ value: 1, isStale: true, source: 'memory' })
    expect(answer.ageMs).toBeGreaterThan(20_000)
    await expect(settled(clock, cache.smartGet('k', load))).rejects.toThrow('away')
  })

  it('never answers with an old value that was invalidated, whatever fails', async () => {
    const { cache, clock } = single({ staleIfErrorSeconds: 60, staleWhileRevalidateSeconds: 60 })
    const { state, load } = source(clock)
    await settled(clock, cache.smartGet('k', load))
    state.isAway = true
    await cache.invalidate('k')

    await expect(settled(clock, cache.smartGet('k', load))).rejects.toThrow('away')
  })

  it('refreshes early, behind the back of those who read', async () => {
    // The moment is a random one; one at the very end of its life would be missed by a read a second.
    vi.spyOn(Math, 'random').mockReturnValue(0.6)
    const { cache, clock } = single({ refreshShare: 1 })
    const { state, load } = source(clock)
    await settled(clock, cache.smartGet('k', load))
    for (let second = 0; second < 30; second++) {
      expect(await cache.smartGetDetailed('k', load)).toMatchObject({ isStale: false, source: 'memory' })
      await clock.advance(1_000)
    }

    expect(state.loads).toBeGreaterThan(3)
    expect(state.loads).toBeLessThan(20)
  })

  it('remembers for a while that there is nothing, if told to', async () => {
    const { cache, clock } = single()
    let loads = 0
    const nothing = (): undefined => void (loads += 1)

    for (let turn = 0; turn < 3; turn++) await cache.smartGet('forgotten', nothing)
    expect(loads).toBe(3)
    for (let turn = 0; turn < 3; turn++) expect(await cache.smartGet('k', nothing, { negativeTtlSeconds: 2 })).toBeUndefined()
    expect(loads).toBe(4)
    await clock.advance(2_100)
    await cache.smartGet('k', nothing, { negativeTtlSeconds: 2 })
    expect(loads).toBe(5)
  })

  it('keeps null, and what JSON loses, and hands each reader his own copy of what could be changed', async () => {
    const { cache } = single()

    expect(await cache.smartGet('null', () => null)).toBeNull()
    const first = await cache.smartGet('dates', () => ({ at: new Date(5) }))
    first.at.setTime(9)
    expect((await cache.smartGet('dates', () => ({ at: new Date(1) }))).at.getTime()).toBe(5)
  })

  it('ends one caller’s wait by a signal; the others get their value', async () => {
    const { cache, clock } = single()
    const { load } = source(clock)
    const controller = new AbortController()
    const leaving = cache.smartGet('k', load, { signal: controller.signal })
    const staying = cache.smartGet('k', load)

    await clock.advance(10)
    controller.abort()

    await expect(leaving).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(await settled(clock, staying)).toBe(1)
  })

  it('gives a loader up that takes too long, and tells it', async () => {
    const { cache, clock } = single({ loadTimeoutMs: 200 })
    let signal: AbortSignal | undefined
    const endless = cache.smartGet('k', (context) => {
      signal = context.signal
      return new Promise<number>(() => {})
    })

    await expect(settled(clock, endless)).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(signal?.aborted).toBe(true)
  })
})

describe('Invalidation on one node', () => {
  it('by tags, also those that are only known from the value', async () => {
    const { cache } = single()
    let version = 1
    const get = (key: string) => cache.smartGet(key, () => version, { tags: (value) => [`v${value}`, `key:${key}`] })
    await get('a')
    await get('b')

    version = 2
    await cache.invalidateTags(['key:a'])
    expect([await get('a'), await get('b')]).toEqual([2, 1])
    version = 3
    await cache.invalidateTags(['v1', 'v2'])
    expect([await get('a'), await get('b')]).toEqual([3, 3])
  })

  it('by pattern, and of a namespace', async () => {
    const { cache } = single()
    const users = cache.namespace('users')
    let version = 1
    const all = async () => [await users.smartGet('1', () => version), await cache.smartGet('users', () => version), await cache.smartGet('x:1', () => version)]
    expect(await all()).toEqual([1, 1, 1])

    version = 2
    await users.clear()
    expect(await all()).toEqual([2, 1, 1])
    version = 3
    await cache.patternInvalidate('*:?')
    expect(await all()).toEqual([3, 1, 3])
  })

  it('keeps a load that began before it from being stored, by key and by tag', async () => {
    const { cache, clock } = single()
    const { load } = source(clock)
    for (const invalidate of [() => cache.invalidate('k'), () => cache.invalidateTags(['t']), () => cache.clear()]) {
      const before = cache.smartGet('k', load, { tags: ['t'] })
      await clock.advance(10)
      await invalidate()
      const old = await settled(clock, before)
      expect(await settled(clock, cache.smartGet('k', load))).toBe(old + 1)
      await cache.invalidate('k')
    }
  })

  it('lets smartSet put a value in the place of whatever there is', async () => {
    const { cache } = single()
    await cache.smartGet('k', () => 1)
    await cache.smartSet('k', 5)

    expect(await cache.smartGet('k', () => 2)).toBe(5)
    await expect(cache.smartSet('k', undefined)).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' })
  })
})

/** Two nodes; the line of the second can be cut. */
async function twoNodes(options: CacheManagerOptions = {}) {
  const clock = new FakeClock()
  const server = new MemorySharedServer(clock)
  const line = { isCut: false }
  const carry = async (): Promise<void> => {
    if (line.isCut) throw new TypeError('cut')
  }
  const node = (carried?: typeof carry) => createCacheManager({ shared: server.layerFor(carried), clock, refreshShare: 0, ...options })
  const [a, b] = [node(), node(carry)]
  await Promise.all([a.connect(), b.connect()])
  // The first two leases of a run, in which invalidations wait for nodes that nobody knows.
  await clock.advance(4_000)
  return { a, b, clock, line, server }
}

describe('Two nodes', () => {
  it('load a key once', async () => {
    const { a, b, clock } = await twoNodes()
    const { state, load } = source(clock)

    const values = await settled(clock, Promise.all([a.smartGet('k', load), b.smartGet('k', load), b.smartGet('k', load)]))

    expect(values).toEqual([1, 1, 1])
    expect(state.loads).toBe(1)
  })

  it('bring a value from the other into memory when asked to, and let it go', async () => {
    const { a, b } = await twoNodes()
    await a.smartGet('k', () => 1)

    expect(await b.promote('k')).toBe(true)
    expect(await b.promote('missing')).toBe(false)
    expect(await b.smartGetDetailed('k', () => 2)).toMatchObject({ value: 1, source: 'memory' })
    expect(b.demote('k')).toBe(true)
    expect(await b.smartGetDetailed('k', () => 2)).toMatchObject({ value: 1, source: 'shared' })
  })

  it('acknowledge at once when both confirm, and after a lease when one is cut off', async () => {
    const { a, b, clock, line } = await twoNodes()
    await b.smartGet('k', () => 1)
    let isAcknowledged = false

    await settled(clock, a.invalidate('k'))
    line.isCut = true
    const second = a.invalidate('k').then(() => (isAcknowledged = true))
    await clock.advance(1_000)
    expect(isAcknowledged).toBe(false)
    await clock.advance(600)
    expect(isAcknowledged).toBe(true)
    await second

    // The dead one has been struck off: nobody waits for it again.
    await settled(clock, a.invalidate('k'))
  })

  it('without a lease, let nobody join a load that began before he asked', async () => {
    const { a, b, clock, line } = await twoNodes()
    let version = 1
    const slow = async (): Promise<number> => {
      const seen = version
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 5_000))
      return seen
    }
    line.isCut = true
    await clock.advance(2_000)
    const early = b.smartGet('k', slow)
    await clock.advance(100)
    version = 2
    const acknowledged = a.invalidate('k')
    await clock.advance(2_000)
    await acknowledged

    const late = [b.smartGet('k', slow), b.smartGet('k', slow)]
    await clock.advance(12_000)

    expect(await early).toBe(1)
    expect(await Promise.all(late)).toEqual([2, 2])
  })

  it('may be told to go on answering from memory without a lease, at their own risk', async () => {
    const { b, clock, line } = await twoNodes({ unlinkedStaleSeconds: 30, ttlSeconds: 600 })
    await b.smartGet('k', () => 1)
    line.isCut = true

    await clock.advance(20_000)
    expect(await b.smartGet('k', () => 2)).toBe(1)
    await clock.advance(20_000)
    expect(await b.smartGet('k', () => 2)).toBe(2)
  })

  it('leave nothing running behind them', async () => {
    const { a, b, clock } = await twoNodes()
    await a.smartGet('k', () => 1)

    await Promise.all([a.disconnect(), b.disconnect()])

    expect(clock.pendingTimers).toBe(0)
  })
})

describe('Options', () => {
  it.each([{ maxEntries: 0 }, { ttlSeconds: 0 }, { refreshShare: 2 }, { sharedTimeoutMs: -1 }, { staleIfErrorSeconds: -1 }, { maxBytes: Number.NaN }])('are refused by name: %o', (options) => {
    const [option] = Object.keys(options)
    expect(() => createCacheManager(options)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CONFIGURATION', context: { option } }) as Error)
  })

  it('of a call are refused as well', async () => {
    await expect(createCacheManager().smartGet('k', () => 1, { ttlSeconds: -1 })).rejects.toMatchObject({ code: 'ERR_CACHE_CONFIGURATION' })
  })
})
