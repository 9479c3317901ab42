import { ConnectionError, type PolicyContext, systemClock } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { compose, createBreaker, createBulkhead, createRateLimiter, createRetry, createTimeout, sleep } from '../index.ts'

const away = new ConnectionError('away')
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

describe('a run', () => {
  it.each([
    ['a retry', (abort: () => void, clock: FakeClock) => createRetry({ clock, onRetry: abort })],
    ['a breaker that opens', (abort: () => void, clock: FakeClock) => createBreaker({ clock, consecutiveFailures: 1, onStateChange: abort })],
    ['a timeout', (abort: () => void, clock: FakeClock) => createTimeout({ clock, timeoutMs: 10, onTimeout: abort })],
  ])('settles once when a listener makes the caller give up: %s', async (_name, make) => {
    const clock = new FakeClock()
    const abort = new AbortController()
    const bulkhead = createBulkhead({ maxConcurrent: 1, clock })
    const policy = compose(createTimeout({ timeoutMs: 1_000, clock }), bulkhead, make(() => abort.abort('enough'), clock))
    const outcome = outcomeOf(policy.execute(async () => {
      await sleep(20, { clock })
      throw away
    }, { signal: abort.signal }))

    await clock.advance(5_000)

    expect(await outcome).toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' })
    expect([bulkhead.underWay, clock.pendingTimers]).toEqual([0, 0])
  })

  it('leaves what was entered last when a listener gives up on the way in', async () => {
    const clock = new FakeClock()
    const abort = new AbortController()
    const breaker = createBreaker({ clock, consecutiveFailures: 1, openMs: 10, onStateChange: ({ to }) => to === 'half-open' && abort.abort() })
    const policy = compose(createTimeout({ timeoutMs: 1_000, clock }), breaker)
    await outcomeOf(policy.execute(() => Promise.reject(away)))
    await clock.advance(10)
    let wasCalled = false

    const outcome = await outcomeOf(policy.execute(async () => (wasCalled = true), { signal: abort.signal }))

    expect(outcome).toMatchObject({ code: 'ERR_ABORTED' })
    expect([wasCalled, breaker.state, clock.pendingTimers]).toEqual([false, 'half-open', 0])
    expect(await policy.execute(async () => 'the permit is free')).toBe('the permit is free')
  })

  it('takes what is no promise for an answer', async () => {
    expect(await createRetry().execute((() => 42) as never)).toBe(42)
  })

  it('rejects when something that it was handed throws', async () => {
    const budget = { remaining: 1, tryRetry: () => true, recordAttempt: () => { throw new TypeError('budget') } }

    expect(await outcomeOf(compose(createTimeout({ timeoutMs: 10 }), createRetry({ budget })).execute(async () => 1))).toMatchObject({ message: 'budget' })
  })

  it('makes no signal that nobody reads, and one at most', async () => {
    const policy = compose(createTimeout({ timeoutMs: 1_000 }), createRetry())
    let context: PolicyContext | undefined
    await policy.execute(async (given) => void (context = given))

    expect(context!.signal).toBe(context!.signal)
    expect(context!.signal.aborted).toBe(false)
  })

  it('takes its listener off the caller’s signal', async () => {
    const { signal } = new AbortController()
    const added: string[] = []
    const watched = new Proxy(signal, {
      get: (target, key) => {
        const value = Reflect.get(target, key, target) as unknown
        if (key === 'addEventListener' || key === 'removeEventListener') added.push(key)
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value
      },
    })

    await createTimeout({ timeoutMs: 1_000 }).execute(async () => 1, { signal: watched })

    expect(added).toEqual(['addEventListener', 'removeEventListener'])
  })

  it('leaves no timer on the machine’s clock', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    const policy = compose(createTimeout({ timeoutMs: 60_000 }), createRetry(), createRateLimiter({ limit: 1_000 }))

    for (let call = 0; call < 50; call++) await policy.execute(async () => 1)
    const during = timers()
    await new Promise((resolve) => systemClock.setTimeout(() => resolve(undefined), 40))

    expect(during).toBeLessThanOrEqual(before + 1)
    expect(timers()).toBeLessThanOrEqual(before)
  })

  it('comes in time on the machine’s clock, also past the first look', async () => {
    const began = performance.now()
    const error = await outcomeOf(createTimeout({ timeoutMs: 60 }).execute(() => new Promise(() => {})))

    expect(error).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(performance.now() - began).toBeGreaterThanOrEqual(59.9)
  })
})
