import type { CachingInterface } from '@smart-whale/interfaces'
import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { BreakerManager, BreakerOpenError } from '../index.ts'

const away = new ConnectionError('away')
const failing = (): Promise<never> => Promise.reject(away)
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)
const flush = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A cache that two processes share: as plain as one can be. */
function sharedCache(): Pick<CachingInterface, 'get' | 'set'> & { entries: Map<string, unknown>; reads: number } {
  const entries = new Map<string, unknown>()
  return {
    entries,
    reads: 0,
    async get<T>(key: string) {
      this.reads += 1
      return entries.get(key) as T | undefined
    },
    set: async (key, value) => void entries.set(key, value),
  }
}

describe('shared states', () => {
  it('opens in one process what another one found dead, and closes it again', async () => {
    const clock = new FakeClock()
    const cache = sharedCache()
    const [one, other] = [1, 2].map(() => new BreakerManager({ consecutiveFailures: 1, openMs: 5_000, clock, share: { cache, lookEveryMs: 100 } })) as [BreakerManager, BreakerManager]
    await other.execute('db', async () => 1)
    await outcomeOf(one.execute('db', failing))
    expect(cache.entries.get('smart-whale:breaker:db')).toMatchObject({ found: { state: 'open' } })

    await clock.advance(100)
    await other.execute('db', async () => 'the one that looks')
    await flush()

    expect(other.checkState('db')).toMatchObject({ state: 'open', reason: 'shared' })
    expect(BreakerOpenError.isInstance(await outcomeOf(other.execute('db', async () => 1)))).toBe(true)
    await clock.advance(1)
    one.resetBreaker('db')
    await clock.advance(100)
    await outcomeOf(other.execute('db', async () => 1))
    await flush()
    expect(other.checkState('db').state).toBe('closed')
  })

  it('tells a process that comes later', async () => {
    const clock = new FakeClock()
    const cache = sharedCache()
    const before = new BreakerManager({ clock, share: { cache } })
    before.tripBreaker('db')
    await clock.advance(10)
    const later = new BreakerManager({ clock, share: { cache } })

    await later.execute('db', async () => 1)
    await flush()

    expect(later.checkState('db')).toMatchObject({ state: 'open', openUntilMs: Infinity })
  })

  it.each([
    ['has a breaker for it that is closed', async (manager: BreakerManager) => void (await manager.execute('db', async () => 1))],
    ['never heard of the key', async () => {}],
  ])('is reset in all by a process that %s', async (_name, prepare) => {
    const clock = new FakeClock()
    const share = { cache: sharedCache(), lookEveryMs: 100 }
    const [holding, resetting] = [1, 2].map(() => new BreakerManager({ clock, share })) as [BreakerManager, BreakerManager]
    await prepare(resetting)
    holding.tripBreaker('db')
    await clock.advance(10)

    resetting.resetBreaker('db')
    await clock.advance(200)
    await outcomeOf(holding.execute('db', async () => 1))
    await flush()

    expect(holding.checkState('db')).toMatchObject({ state: 'closed', reason: 'shared' })
    await clock.advance(200)
    await resetting.execute('db', async () => 1)
    await flush()
    expect(resetting.checkState('db').state).toBe('closed')
  })

  it('asks the cache once in a while, however many calls there are', async () => {
    const clock = new FakeClock()
    const cache = sharedCache()
    const manager = new BreakerManager({ clock, share: { cache, lookEveryMs: 1_000 } })

    for (let call = 0; call < 50; call++) await manager.execute('db', async () => 1)
    await clock.advance(1_000)
    await manager.execute('db', async () => 1)

    expect(cache.reads).toBe(2)
  })

  it.each([
    ['fails', { get: () => Promise.reject(away), set: () => Promise.reject(away) }, 2],
    ['does not answer', { get: () => new Promise<never>(() => {}), set: () => new Promise<never>(() => {}) }, 2],
    ['holds what is no state', { get: async () => ({ state: 'ajar' }) as never, set: async () => {} }, 0],
    ['holds an opening that is over', { get: async () => ({ found: { state: 'open', by: 'another', version: 1, openMs: 0 } }) as never, set: async () => {} }, 0],
  ])('decides for itself when the cache %s', async (_name, cache, failures) => {
    const clock = new FakeClock()
    const errors: unknown[] = []
    const manager = new BreakerManager({ consecutiveFailures: 1, clock, share: { cache, onError: (error) => errors.push(error) } })

    expect(await manager.execute('db', async () => 1)).toBe(1)
    await clock.advance(0)
    expect(manager.checkState('db').state).toBe('closed')
    await outcomeOf(manager.execute('db', failing))
    await clock.advance(500)

    expect(manager.checkState('db').state).toBe('open')
    expect(errors).toHaveLength(failures)
    expect(clock.pendingTimers).toBe(0)
  })

  it('leaves no question behind when it is disposed of', async () => {
    const clock = new FakeClock()
    const cache = { get: () => new Promise<never>(() => {}), set: async () => {} }
    const manager = new BreakerManager({ clock, share: { cache } })
    await manager.execute('db', async () => 1)

    manager.dispose()

    expect(clock.pendingTimers).toBe(0)
  })

  it.each([
    ['a day ahead', 86_400_000],
    ['a day behind', -86_400_000],
  ])('stays open no longer and no shorter for a clock that is %s', async (_name, skewMs) => {
    const [here, there] = [new FakeClock(), new FakeClock({ startMs: Date.UTC(2026, 0, 1) + skewMs })]
    const cache = sharedCache()
    const [one, other] = [here, there].map((clock) => new BreakerManager({ consecutiveFailures: 1, openMs: 5_000, clock, share: { cache } })) as [BreakerManager, BreakerManager]
    await outcomeOf(one.execute('db', failing))

    await other.execute('db', async () => 'the one that looks')
    await flush()
    expect(other.checkState('db')).toMatchObject({ state: 'open', reason: 'shared', openUntilMs: 5_000 })
    await there.advance(5_000)
    await other.execute('db', async () => 'a probe')
    expect(other.checkState('db').state).toBe('closed')

    await here.advance(1_000)
    await outcomeOf(one.execute('db', async () => 1))
    await flush()
    expect(one.checkState('db')).toMatchObject({ state: 'closed', reason: 'shared' })
  })

  it('is not moved by a wall clock that jumps', async () => {
    const clock = new FakeClock()
    const cache = sharedCache()
    const [one, other] = [1, 2].map(() => new BreakerManager({ openMs: 5_000, clock, share: { cache, lookEveryMs: 100 } })) as [BreakerManager, BreakerManager]
    one.tripBreaker('db', 5_000)
    clock.jumpWallClock(-3_600_000)
    one.resetBreaker('db')
    clock.jumpWallClock(7_200_000)
    one.tripBreaker('db', 5_000)
    clock.jumpWallClock(-7_200_000)
    await other.execute('db', async () => 1)
    await flush()
    expect(other.checkState('db').state).toBe('open')

    one.resetBreaker('db')
    await clock.advance(100)
    await outcomeOf(other.execute('db', async () => 1))
    await flush()

    expect(other.checkState('db').state).toBe('closed')
  })

  it('takes over what is left of the time, when the cache tells it', async () => {
    const clock = new FakeClock()
    const cache = { ...sharedCache(), ttl: async () => 1.5 }
    new BreakerManager({ clock, share: { cache } }).tripBreaker('db', 5_000)
    const later = new BreakerManager({ clock, share: { cache } })

    await later.execute('db', async () => 1)
    await flush()

    expect(later.checkState('db')).toMatchObject({ state: 'open', openUntilMs: 1_500 })
  })

  it('leaves what is held open by hand to hands, whatever probes find out elsewhere', async () => {
    const clock = new FakeClock()
    const cache = sharedCache()
    const [one, other] = [1, 2].map(() => new BreakerManager({ consecutiveFailures: 1, openMs: 50, clock, share: { cache, lookEveryMs: 100 } })) as [BreakerManager, BreakerManager]
    await other.execute('db', async () => 1)
    await outcomeOf(other.execute('db', failing))
    one.tripBreaker('db')
    await clock.advance(50)
    await other.execute('db', async () => 'a probe')
    expect(other.checkState('db').state).toBe('closed')

    for (const manager of [one, other, one, other]) {
      await clock.advance(100)
      await outcomeOf(manager.execute('db', async () => 1))
      await flush()
    }

    expect([one, other].map((manager) => manager.checkState('db'))).toMatchObject([
      { state: 'open', openUntilMs: Infinity },
      { state: 'open', openUntilMs: Infinity, reason: 'shared' },
    ])
  })

  it('tells again what the cache did not take', async () => {
    const clock = new FakeClock()
    const cache = sharedCache()
    let isAway = true
    const flaky = { get: <T>(key: string) => cache.get<T>(key), set: (key: string, value: unknown) => (isAway ? Promise.reject(away) : cache.set(key, value)) }
    const manager = new BreakerManager({ clock, share: { cache: flaky, lookEveryMs: 100 } })
    manager.tripBreaker('db')
    isAway = false

    await outcomeOf(manager.execute('db', async () => 1))
    await flush()

    expect(cache.entries.get('smart-whale:breaker:db')).toMatchObject({ byHand: { state: 'open', openMs: null } })
  })

  it.each([
    ['a number', 7],
    ['nothing that it knows', { state: 'open', atMs: 1, openUntilMs: 9e15 }],
    ['an opening without end that nobody decided', { found: { state: 'open', by: 'x', version: 1, openMs: null } }],
    ['an opening of negative length', { byHand: { state: 'open', by: 'x', version: 1, openMs: -1 } }],
    ['nobody’s word', { found: { state: 'open', version: 1, openMs: 1_000 } }],
    ['a word without a version', { byHand: { state: 'open', by: 'x', version: '1', openMs: null } }],
  ])('takes no notice of %s in the cache', async (_name, value) => {
    const errors: unknown[] = []
    const manager = new BreakerManager({ clock: new FakeClock(), share: { cache: { get: async () => value as never, set: async () => {} }, onError: (error) => errors.push(error) } })

    await manager.execute('db', async () => 1)
    await flush()

    expect(manager.checkState('db').state).toBe('closed')
    expect(errors).toEqual([])
  })
})
