import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { compose, createRateLimiter, createTimeout, type RateLimiter } from '../index.ts'

const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then((value) => value, (error: { code: unknown }) => error.code)
const done = async (): Promise<string> => 'done'
const never = (): Promise<never> => new Promise(() => {})

/** One call in 100 ms, unless told otherwise. */
function limiterOn(clock: FakeClock, options: { limit?: number; perMs?: number; burst?: number; maxWaitMs?: number } = {}): RateLimiter {
  return createRateLimiter({ limit: 1, perMs: 100, maxWaitMs: 1_000, clock, ...options })
}

describe('a call that waits for its turn', () => {
  it('waits as long as it may, and no longer', async () => {
    const clock = new FakeClock()
    const limiter = limiterOn(clock, { maxWaitMs: 100 })
    await limiter.execute(done)

    const waits = codeOf(limiter.execute(done))
    const refused = codeOf(limiter.execute(done))
    await clock.advance(100)

    expect(await Promise.all([waits, refused])).toEqual(['done', 'ERR_RATE_LIMITED'])
  })

  it.each([
    [99, 'ERR_RATE_LIMITED', 0],
    [100, 'ERR_RATE_LIMITED', 0],
    [101, 'done', 100],
  ])('is refused at once when its deadline of %i ms comes first', async (timeoutMs, outcome, afterMs) => {
    const clock = new FakeClock()
    const limiter = limiterOn(clock)
    await limiter.execute(done)

    const ended = codeOf(compose(createTimeout({ timeoutMs, clock }), limiter).execute(done)).then((code) => [code, clock.monotonic()])
    await clock.advance(200)

    expect(await ended).toEqual([outcome, afterMs])
  })

  it('is not made when its caller has left, and leaves no timer', async () => {
    const clock = new FakeClock()
    const limiter = limiterOn(clock)
    await limiter.execute(done)
    const caller = new AbortController()
    let calls = 0
    const left = codeOf(limiter.execute(async () => (calls += 1), { signal: caller.signal }))

    caller.abort()

    expect([await left, clock.pendingTimers]).toEqual(['ERR_ABORTED', 0])
    await clock.advance(500)
    expect(calls).toBe(0)
  })

  it('gives its room back when it was the last one, and else keeps it: no two are at one time', async () => {
    const clock = new FakeClock()
    const limiter = limiterOn(clock, { limit: 2, burst: 2 })
    await Promise.all([limiter.execute(done), limiter.execute(done)])
    const [third, fourth] = [new AbortController(), new AbortController()]
    const outcomes = [third, fourth].map(({ signal }) => codeOf(limiter.execute(done, { signal })))

    fourth.abort()
    expect(limiter.tryTake()).toBe(100)
    third.abort()
    expect(limiter.tryTake()).toBe(50)
    expect(await Promise.all(outcomes)).toEqual(['ERR_ABORTED', 'ERR_ABORTED'])
  })

  it('keeps its room when one behind it has the last', async () => {
    const clock = new FakeClock()
    const limiter = limiterOn(clock)
    await limiter.execute(done)
    const second = new AbortController()
    const outcomes = [codeOf(limiter.execute(done, { signal: second.signal })), codeOf(limiter.execute(done))]

    second.abort()

    expect(limiter.tryTake()).toBe(300)
    await clock.advance(200)
    expect(await Promise.all(outcomes)).toEqual(['ERR_ABORTED', 'done'])
  })
})

describe('a call that has had its turn', () => {
  it.each([
    ['at once', 0],
    ['after a wait', 1],
  ])('gives no room back when nobody waits for it any more: %s', async (_when, before) => {
    const clock = new FakeClock()
    const limiter = limiterOn(clock)
    for (let call = 0; call < before; call++) await limiter.execute(done)
    const timedOut = codeOf(compose(createTimeout({ timeoutMs: 150, clock }), limiter).execute(never))
    await clock.advance(150)

    expect(await timedOut).toBe('ERR_TIMEOUT')
    // The room of one call has come back by time in the first case, and is half back in the second.
    expect(limiter.tryTake()).toBe(before === 0 ? 0 : 50)
  })

  it('is never early for a fraction of a spacing', async () => {
    const clock = new FakeClock()
    const limiter = limiterOn(clock, { limit: 3, perMs: 100, burst: 1, maxWaitMs: 0 })
    const outcomes: unknown[] = []
    for (let call = 0; call < 30; call++) {
      outcomes.push(await codeOf(limiter.execute(done)))
      await clock.advance(100 / 3)
    }

    expect(new Set(outcomes)).toEqual(new Set(['done']))
  })
})
