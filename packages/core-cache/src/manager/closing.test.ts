import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { MemorySharedServer } from '../testing/memory-shared-server.ts'
import { createUsageTracker } from '../usage/usage-tracker.ts'
import { type CacheManager, createCacheManager } from './cache-manager.ts'
import type { LoadContext } from './run-loader.ts'

const never = (): Promise<never> => new Promise(() => {})
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

function setting() {
  const clock = new FakeClock()
  const server = new MemorySharedServer(clock)
  const nodeOf = (): CacheManager => createCacheManager({ clock, shared: server.layerFor(), invalidationTimeoutMs: 60_000 })
  return { clock, nodeOf, alone: () => createCacheManager({ clock }) }
}

async function linked(clock: FakeClock, ...nodes: readonly CacheManager[]): Promise<void> {
  const connected = Promise.all(nodes.map((node) => node.connect()))
  await clock.advance(4_000)
  await connected
  expect(nodes.map((node) => node.isLinked())).toEqual(nodes.map(() => true))
}

describe('A cache that is closed', () => {
  it.each([
    ['alone', false],
    ['with a shared layer', true],
  ])('ends its loads, tells who waits for them, and leaves no timer (%s)', async (_name, isShared) => {
    const { clock, nodeOf, alone } = setting()
    const cache = isShared ? nodeOf() : alone()
    await linked(clock, cache)
    let context: LoadContext | undefined
    const load = (given: LoadContext): Promise<never> => {
      context = given
      return never()
    }
    const read = outcomeOf(cache.smartGet('k', load))
    await clock.advance(700)
    const { signal } = context!

    await clock.runUntilSettled(cache.disconnect())

    expect(await read).toMatchObject({ code: 'ERR_ABORTED', message: 'the cache was closed' })
    expect([signal.aborted, clock.pendingTimers]).toEqual([true, 0])
  })

  it('gives loads that are nearly done the time to end', async () => {
    const { clock, nodeOf } = setting()
    const cache = nodeOf()
    await linked(clock, cache)
    const read = cache.smartGet('k', () => new Promise<string>((resolve) => clock.setTimeout(() => resolve('loaded'), 900)))
    await clock.advance(10)

    await clock.runUntilSettled(cache.disconnect())

    expect(await read).toBe('loaded')
    expect(clock.pendingTimers).toBe(0)
  })

  it('leaves a load that it had begun to those who wait for it elsewhere', async () => {
    const { clock, nodeOf } = setting()
    const [closing, staying] = [nodeOf(), nodeOf()]
    await linked(clock, closing, staying)
    const begun = outcomeOf(closing.smartGet('k', never))
    await clock.advance(10)
    const waiting = staying.smartGet('k', () => 'loaded here')
    await clock.advance(10)

    await clock.runUntilSettled(closing.disconnect())
    await clock.advance(2_000)

    expect(await begun).toMatchObject({ code: 'ERR_ABORTED' })
    expect(await waiting).toBe('loaded here')
  })

  it('ends the wait for what another node loads', async () => {
    const { clock, nodeOf } = setting()
    const [loading, closing] = [nodeOf(), nodeOf()]
    await linked(clock, loading, closing)
    const begun = outcomeOf(loading.smartGet('k', never))
    await clock.advance(10)
    const waiting = outcomeOf(closing.smartGet('k', () => 1))
    await clock.advance(10)

    await clock.runUntilSettled(closing.disconnect())

    expect(await waiting).toMatchObject({ code: 'ERR_ABORTED' })
    await clock.runUntilSettled(loading.disconnect())
    await begun
    expect(clock.pendingTimers).toBe(0)
  })

  it('waits for what is being opened, and closes that', async () => {
    const { clock, nodeOf } = setting()
    const cache = nodeOf()
    const opening = cache.connect()

    const closed = cache.disconnect()
    await clock.runUntilSettled(closed)
    await opening

    expect([cache.isLinked(), clock.pendingTimers]).toEqual([false, 0])
  })

  it('does not wait for a load that was to prepare for demand', async () => {
    const clock = new FakeClock()
    const usage = createUsageTracker({ clock })
    const predictUsage = (): ReturnType<typeof usage.predictUsage> => [{ key: 'k', expectedReads: 9, errorShare: 0 } as never]
    const cache = createCacheManager({ clock, ttlSeconds: 1, prefetch: { usage: Object.assign(usage, { predictUsage }), horizonSeconds: 4 } })
    let loads = 0
    await cache.smartGet('k', () => (++loads === 1 ? 1 : never()))
    await clock.advance(2_500)
    expect(loads).toBe(2)

    await clock.runUntilSettled(cache.disconnect())

    expect(clock.pendingTimers).toBe(0)
  })

  it('tells at once that an invalidation is not acknowledged, and goes on invalidating when it is opened again', async () => {
    const { clock, nodeOf } = setting()
    const cache = nodeOf()
    await linked(clock, cache)
    const cutOff = outcomeOf(cache.invalidate('k'))

    await clock.runUntilSettled(cache.disconnect())
    expect(await cutOff).toMatchObject({ code: 'ERR_CACHE_UNACKNOWLEDGED' })
    expect(clock.pendingTimers).toBe(0)
    await linked(clock, cache)
    expect(await cache.smartGet('k', () => 1)).toBe(1)
    await clock.runUntilSettled(cache.invalidate('k'))

    expect(await cache.smartGet('k', () => 2)).toBe(2)
    await clock.runUntilSettled(cache.disconnect())
    expect(clock.pendingTimers).toBe(0)
  })
})
