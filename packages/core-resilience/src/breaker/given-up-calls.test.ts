import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { type BreakerOptions, compose, createBreaker, createTimeout, type RecoveryStrategy } from '../index.ts'

const away = new ConnectionError('away')
const never = (): Promise<never> => new Promise(() => {})
const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then((value) => value, (error: { code?: unknown }) => error.code ?? error)

describe('a call that is given up', () => {
  it.each([
    ['the deadline around the breaker', undefined, 'open'],
    ['a caller who left', new Error('enough'), 'closed'],
    ['a caller whose own deadline passed', new DOMException('too late', 'TimeoutError'), 'open'],
    ['a caller who left with a DOMException', new DOMException('enough', 'AbortError'), 'closed'],
  ])('by %s', async (_who, reason, state) => {
    const clock = new FakeClock()
    const breaker = createBreaker({ clock, consecutiveFailures: 1 })
    const caller = new AbortController()
    const outcome = codeOf(compose(createTimeout({ timeoutMs: 50, clock }), breaker).execute(never, { signal: caller.signal }))

    if (reason === undefined) await clock.advance(50)
    else caller.abort(reason)

    expect(await outcome).toBe(reason === undefined ? 'ERR_TIMEOUT' : 'ERR_ABORTED')
    expect(breaker.state).toBe(state)
  })

  it.each([
    [new Error('enough'), 'closed'],
    [new DOMException('too late', 'TimeoutError'), 'open'],
  ])('and fails for it, without a deadline of ours: %s', async (reason, state) => {
    const breaker = createBreaker({ clock: new FakeClock(), consecutiveFailures: 1 })
    const caller = new AbortController()

    await codeOf(breaker.execute(async () => {
      caller.abort(reason)
      throw away
    }, { signal: caller.signal }))

    expect(breaker.state).toBe(state)
  })

  const byShares: BreakerOptions = { consecutiveFailures: Infinity, failureShare: 1, minimumCalls: 2, windowCalls: 10, slowShare: 0.5 }
  const slowness = [
    ['is slow when it took as long', { ...byShares, slowCallMs: 50 }, 'open'],
    ['is not slow when it took less', { ...byShares, slowCallMs: 51 }, 'closed'],
    ['is never slow unless it is said what that is', byShares, 'closed'],
  ] as const

  it.each(slowness)('at its deadline %s', async (_what, options, state) => {
    const clock = new FakeClock()
    const breaker = createBreaker({ clock, ...options })
    await breaker.execute(async () => 'quick')
    const late = codeOf(compose(createTimeout({ timeoutMs: 50, clock }), breaker).execute(never))
    await clock.advance(50)

    expect(await late).toBe('ERR_TIMEOUT')
    expect(breaker.state).toBe(state)
  })

  it.each(slowness)('for its result %s', async (_what, options, state) => {
    const clock = new FakeClock()
    const breaker = createBreaker({ clock, ...options, isFailureResult: (result: string) => result === 'busy' })
    await breaker.execute(async () => 'quick')
    await breaker.execute(async () => {
      await clock.advance(50)
      return 'busy'
    })

    expect(breaker.state).toBe(state)
  })

  it('that began as a probe of an earlier time gives no place of a later one back', async () => {
    const clock = new FakeClock()
    const breaker = createBreaker({ clock, consecutiveFailures: 1, openMs: 100, halfOpenProbes: 2, successesToClose: 2 })
    const probe = (caller = new AbortController()): { outcome: Promise<unknown>; caller: AbortController; end: PromiseWithResolvers<string> } => {
      const end = Promise.withResolvers<string>()
      return { outcome: codeOf(breaker.execute(() => end.promise, { signal: caller.signal })), caller, end }
    }
    await codeOf(breaker.execute(() => Promise.reject(away)))
    await clock.advance(100)
    const [failing, leaving] = [probe(), probe()]
    failing.end.reject(away)
    await failing.outcome
    await clock.advance(100)
    const later = [probe(), probe()]

    leaving.caller.abort()
    leaving.end.reject(new Error('given up'))
    await leaving.outcome

    expect(await probe().outcome).toBe('ERR_CIRCUIT_OPEN')
    later[0]?.caller.abort()
    later[0]?.end.reject(new Error('given up'))
    await later[0]?.outcome
    const next = probe()
    for (const { end } of [later[1]!, next]) end.resolve('answer')
    expect(await Promise.all([later[1]?.outcome, next.outcome])).toEqual(['answer', 'answer'])
    expect(breaker.state).toBe('closed')
  })
})

describe('shares of 0', () => {
  it.each([
    ['failureShare', { failureShare: 0, slowShare: 1 }],
    ['slowShare', { failureShare: 1, slowShare: 0 }],
  ])('open at the first call of the kind, and at no other: %s', async (option, shares) => {
    const clock = new FakeClock()
    const breaker = createBreaker({ clock, consecutiveFailures: Infinity, minimumCalls: 1, windowCalls: 10, slowCallMs: 50, ...shares })
    const slowSuccess = async (): Promise<void> => clock.advance(50)
    const quickFailure = (): Promise<never> => Promise.reject(away)
    const [other, own] = option === 'failureShare' ? [slowSuccess, quickFailure] : [quickFailure, slowSuccess]
    await breaker.execute(async () => 'quick')
    await codeOf(breaker.execute(other))
    expect(breaker.state).toBe('closed')

    await codeOf(breaker.execute(own))

    expect(breaker.state).toBe('open')
  })
})

describe('how long a breaker stays open', () => {
  it('is asked for with the number of times, also when a health check finds the other side ill', async () => {
    const clock = new FakeClock()
    const asked: number[] = []
    const recovery: RecoveryStrategy = { openMs: (times) => asked.push(times) * 10, isHealthy: async () => false }
    const breaker = createBreaker({ clock, consecutiveFailures: 1, recovery })
    await codeOf(breaker.execute(() => Promise.reject(away)))
    expect(asked).toEqual([1])

    await clock.advance(10)
    expect(await codeOf(breaker.execute(async () => 1))).toBe('ERR_CIRCUIT_OPEN')
    await clock.advance(0)

    expect(asked).toEqual([1, 2])
  })
})
