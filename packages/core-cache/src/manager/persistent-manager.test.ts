import type { Clock } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { MemoryPersistentLayer } from '../testing/memory-persistent-layer.ts'
import { MemorySharedServer } from '../testing/memory-shared-server.ts'
import { type CacheManager, createCacheManager } from './cache-manager.ts'
import type { CacheManagerOptions } from './manager-options.ts'

interface Node {
  readonly cache: CacheManager
  readonly clock: FakeClock
  readonly disk: MemoryPersistentLayer
}

function alone(options: CacheManagerOptions = {}, from?: Node, carry?: (request: string) => Promise<void>): Node {
  const clock = from?.clock ?? new FakeClock()
  const disk = from?.disk.crash(carry) ?? new MemoryPersistentLayer({ nowMs: () => clock.now(), ...(carry && { carry }) })
  return { cache: createCacheManager({ clock, persistent: disk, ttlSeconds: 600, refreshShare: 0, ...options }), clock, disk }
}

/** Takes as long as dear values do. */
const dear = <T>(clock: FakeClock, value: T) => async (): Promise<T> => {
  await new Promise<void>((resolve) => clock.setTimeout(resolve, 50))
  return value
}

async function settled<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  const guarded = work.catch(() => {})
  await clock.advance(400)
  await guarded
  return work
}

const never = (): never => {
  throw new TypeError('loaded')
}

describe('A manager with a persistent layer', () => {
  it('answers after a restart with what was dear, and with its age', async () => {
    const first = alone()
    await settled(first.clock, first.cache.smartGet('k', dear(first.clock, { at: new Date(5) })))

    const second = alone({}, first)
    await first.clock.advance(60_000)
    const answer = await settled(first.clock, second.cache.smartGetDetailed('k', never))

    expect(answer).toMatchObject({ value: { at: new Date(5) }, source: 'persistent', isStale: false })
    expect(answer.ageMs).toBeGreaterThanOrEqual(60_000)
    expect(await second.cache.smartGetDetailed('k', never)).toMatchObject({ source: 'memory' })
  })

  it('does not keep what is loaded in no time, what is over soon, nor that there is nothing', async () => {
    const first = alone({ negativeTtlSeconds: 60 })
    await settled(first.clock, first.cache.smartGet('cheap', () => 1))
    await settled(first.clock, first.cache.smartGet('short', dear(first.clock, 1), { ttlSeconds: 2 }))
    await settled(first.clock, first.cache.smartGet('nothing', dear(first.clock, undefined)))

    expect(await first.disk.keysAfter(undefined, 10)).toEqual([])
  })

  it('keeps what was set', async () => {
    const first = alone()
    await settled(first.clock, first.cache.smartSet('k', 1))

    expect(await settled(first.clock, alone({}, first).cache.smartGet('k', never))).toBe(1)
  })

  it.each([
    ['a key', (cache: CacheManager) => cache.invalidate('k')],
    ['a tag', (cache: CacheManager) => cache.invalidateTags(['t'])],
    ['a pattern', (cache: CacheManager) => cache.patternInvalidate('[k]')],
    ['everything', (cache: CacheManager) => cache.clear()],
  ])('has forgotten for good what was invalidated by %s', async (_by, invalidate) => {
    const first = alone()
    await settled(first.clock, first.cache.smartGet('k', dear(first.clock, 'old'), { tags: ['t'] }))
    await settled(first.clock, invalidate(first.cache))

    const second = alone({}, first)

    expect(await settled(first.clock, second.cache.smartGet('k', () => 'new'))).toBe('new')
  })

  it('does not acknowledge an invalidation that a restart would undo, and carries it out when the layer works again', async () => {
    let isBroken = false
    const carry = (request: string): Promise<void> => (isBroken && request !== 'read' ? Promise.reject(new TypeError('no space')) : Promise.resolve())
    const first = alone({ invalidationTimeoutMs: 1_000 }, undefined, carry)
    await settled(first.clock, first.cache.smartGet('k', dear(first.clock, 'old')))

    isBroken = true
    const refused = first.cache.invalidate('k').catch((error: unknown) => error)
    await first.clock.advance(1_500)
    const meanwhile = await settled(first.clock, first.cache.smartGet('k', () => 'new'))
    isBroken = false
    await first.clock.advance(10_000)

    expect(await refused).toMatchObject({ code: 'ERR_CACHE_UNACKNOWLEDGED', retryable: true })
    expect(meanwhile).toBe('new')
    expect(first.cache.isPersistent()).toBe(true)
    expect(await settled(first.clock, alone({}, first).cache.smartGet('k', () => 'newest'))).toBe('newest')
  })

  it('costs a caller its deadline once when it hangs, and no error', async () => {
    let hangs = false
    const carry = (): Promise<void> => (hangs ? new Promise(() => {}) : Promise.resolve())
    const { cache, clock } = alone({ persistentTimeoutMs: 50 }, undefined, carry)
    await settled(clock, cache.connect())
    hangs = true

    const begin = clock.monotonic()
    const first = cache.smartGet('a', () => clock.monotonic() - begin)
    await clock.advance(100)
    const second = await cache.smartGet('b', () => 'at once')

    expect(await first).toBe(50)
    expect(second).toBe('at once')
    expect(cache.isPersistent()).toBe(false)
  })

  it('is not given up because this process was busy itself, once', async () => {
    const fake = new FakeClock()
    let stalledMs = 0
    const clock: Clock = { now: () => fake.now(), monotonic: () => fake.monotonic() + stalledMs, setTimeout: (callback, delayMs) => fake.setTimeout(callback, delayMs), clearTimeout: (timer) => fake.clearTimeout(timer) }
    let hangs = false
    const disk = new MemoryPersistentLayer({ nowMs: () => fake.now(), carry: () => (hangs ? new Promise((resolve) => fake.setTimeout(() => resolve(), 60)) : Promise.resolve()) })
    const cache = createCacheManager({ clock, persistent: disk, persistentTimeoutMs: 50 })
    await settled(fake, cache.connect())
    hangs = true

    const states: boolean[] = []
    for (const key of ['a', 'b']) {
      const answer = cache.smartGet(key, () => key)
      await fake.advance(10)
      stalledMs += 200
      await fake.advance(60)
      expect(await answer).toBe(key)
      states.push(cache.isPersistent())
    }

    expect(states).toEqual([true, false])
  })

  it('may answer with what it kept when the loader fails', async () => {
    const first = alone({ ttlSeconds: 10, staleIfErrorSeconds: 600 })
    await settled(first.clock, first.cache.smartGet('k', dear(first.clock, 'kept')))
    await first.clock.advance(60_000)

    const second = alone({ ttlSeconds: 10, staleIfErrorSeconds: 600 }, first)

    expect(await settled(first.clock, second.cache.smartGetDetailed('k', never))).toMatchObject({ value: 'kept', source: 'persistent', isStale: true })
  })

  it('gives memory to a large value only when it is asked for again', async () => {
    const { cache, clock } = alone({ maxBytes: 1_000_000 })
    const large = 'x'.repeat(20_000)
    await settled(clock, cache.smartGet('large', dear(clock, large)))

    const again = await settled(clock, cache.smartGetDetailed('large', never))
    const thenOn = await cache.smartGetDetailed('large', never)

    expect([again.source, thenOn.source]).toEqual(['persistent', 'memory'])
  })

  it('moves values between memory and the layer when told to', async () => {
    const { cache, clock } = alone()
    await settled(clock, cache.smartGet('k', () => 'cheap'))

    expect(cache.demote('k')).toBe(true)
    expect(cache.demote('k')).toBe(false)
    expect(await settled(clock, cache.promote('k'))).toBe(true)
    expect(await cache.smartGetDetailed('k', never)).toMatchObject({ value: 'cheap', source: 'memory' })
  })
})

describe('A node of several with a persistent layer', () => {
  async function pair(): Promise<{ clock: FakeClock; server: MemorySharedServer; near: CacheManager; far: Node }> {
    const clock = new FakeClock()
    const server = new MemorySharedServer(clock)
    const disk = new MemoryPersistentLayer({ nowMs: () => clock.now() })
    const far = { clock, disk, cache: createCacheManager({ shared: server.layerFor(), persistent: disk, clock, sharedMaxBytes: 1, refreshShare: 0, ttlSeconds: 3600 }) }
    const near = createCacheManager({ shared: server.layerFor(), clock, refreshShare: 0 })
    await settled(clock, Promise.all([far.cache.connect(), near.connect()]))
    return { clock, server, near, far }
  }

  it('answers after a restart with what nobody has invalidated meanwhile, and with nothing else', async () => {
    const { clock, server, near, far } = await pair()
    for (const key of ['a', 'b', 'c']) await settled(clock, far.cache.smartGet(key, dear(clock, `${key} old`), { tags: [`of ${key}`] }))
    await settled(clock, far.cache.disconnect())
    const invalidated = Promise.all([near.invalidate('a'), near.invalidateTags(['of b'])])
    await clock.advance(4_000)
    await invalidated

    const again = createCacheManager({ shared: server.layerFor(), persistent: far.disk.crash(), clock, refreshShare: 0 })
    const values = await settled(clock, Promise.all(['a', 'b', 'c'].map((key) => again.smartGet(key, () => 'new'))))

    expect(values).toEqual(['new', 'new', 'c old'])
  })

  it('keeps nothing when nobody knows any more what was invalidated', async () => {
    const { clock, server, near, far } = await pair()
    await settled(clock, far.cache.smartGet('k', dear(clock, 'old')))
    await settled(clock, far.cache.disconnect())
    server.restartEmpty()
    await clock.advance(4_000)
    await near.syncNodes()

    const again = createCacheManager({ shared: server.layerFor(), persistent: far.disk.crash(), clock, refreshShare: 0 })

    expect(await settled(clock, again.smartGet('k', () => 'new'))).toBe('new')
  })

  it('reads nothing of it while the shared layer is away, nor as a cache of its own', async () => {
    const { clock, far } = await pair()
    await settled(clock, far.cache.smartGet('k', dear(clock, 'old')))
    await settled(clock, far.cache.disconnect())

    const away = new MemorySharedServer(clock).layerFor(() => Promise.reject(new TypeError('away')))
    const cutOff = createCacheManager({ shared: away, persistent: far.disk.crash(), clock })
    const single = createCacheManager({ persistent: far.disk.crash(), clock })

    expect(await settled(clock, cutOff.smartGet('k', () => 'new'))).toBe('new')
    expect(await settled(clock, single.smartGet('k', () => 'new'))).toBe('new')
    await settled(clock, Promise.all([cutOff.disconnect(), single.disconnect()]))
  })

  it('keeps nothing when the shared layer has lost what it had followed, and counts on', async () => {
    const { clock, server, near, far } = await pair()
    const replica = server.copy()
    const followed = near.invalidate('other')
    await clock.advance(4_000)
    await followed
    await settled(clock, far.cache.smartGet('k', dear(clock, 'old')))
    await settled(clock, Promise.all([far.cache.disconnect(), near.disconnect()]))
    server.failOver(replica)
    const newcomer = createCacheManager({ shared: server.layerFor(), clock, refreshShare: 0 })
    const invalidated = newcomer.invalidate('k')
    await clock.advance(4_000)
    await invalidated

    const again = createCacheManager({ shared: server.layerFor(), persistent: far.disk.crash(), clock, refreshShare: 0 })

    expect(await settled(clock, again.smartGet('k', () => 'new'))).toBe('new')
  })

  it('lets no later write claim that a removal which failed was done', async () => {
    const clock = new FakeClock()
    const server = new MemorySharedServer(clock)
    let fails = false
    const carry = async (request: string): Promise<void> => {
      if (!fails) return
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 20))
      if (request === 'remove') throw new TypeError('no space')
    }
    const disk = new MemoryPersistentLayer({ nowMs: () => clock.now(), carry })
    const options = { clock, sharedMaxBytes: 1, refreshShare: 0, ttlSeconds: 600 }
    const far = createCacheManager({ ...options, shared: server.layerFor(), persistent: disk })
    const near = createCacheManager({ ...options, shared: server.layerFor() })
    await settled(clock, Promise.all([far.connect(), near.connect()]))
    for (const key of ['k', 'other']) await settled(clock, far.smartGet(key, dear(clock, 'old')))

    fails = true
    const invalidated = near.invalidate('k')
    await clock.advance(5)
    expect(far.demote('other')).toBe(true)
    await clock.advance(50)
    const left = disk.crash(async () => {})
    await clock.advance(4_000)
    await invalidated
    const again = createCacheManager({ ...options, shared: server.layerFor(), persistent: left })

    expect(await settled(clock, again.smartGet('k', () => 'new'))).toBe('new')
    expect(await settled(clock, again.smartGet('other', () => 'new'))).toBe('old')
  })
})
