import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { compose, constantBackoff, createBreaker, createFallback, createRetry, createTimeout, type GiveUpEvent, parseRetryAfter, type RetryEvent, RetryManager } from '../index.ts'

interface Answer {
  readonly status: number
  readonly retryAfter?: string
}

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)
const isBusy = ({ status }: Answer): boolean => status === 503
/** Answers with one status after the other, and with the last one from then on. */
function answering(...statuses: number[]): { (): Promise<Answer>; calls: number } {
  const answer = async (): Promise<Answer> => ({ status: statuses[Math.min(answer.calls++, statuses.length - 1)]! })
  answer.calls = 0
  return answer
}

describe('createRetry, by results', () => {
  it('tries again while the result will not do', async () => {
    const clock = new FakeClock()
    const retries: RetryEvent[] = []
    const retry = createRetry({ clock, backoff: constantBackoff(10), isRetryableResult: isBusy, onRetry: (event) => retries.push(event) })
    const work = answering(503, 200)

    expect(await clock.runUntilSettled(retry.execute(work))).toEqual({ status: 200 })
    expect(clock.monotonic()).toBe(10)
    expect(retries).toEqual([{ attempt: 1, delayMs: 10, error: undefined, result: { status: 503 } }])
  })

  it('hands the last result on as it is when no attempt is left, and says so', async () => {
    const clock = new FakeClock()
    const givenUp: GiveUpEvent[] = []
    const retry = new RetryManager({ clock, maxAttempts: 3, isRetryableResult: isBusy, onGiveUp: (event) => givenUp.push(event) })
    const work = answering(503)

    expect(await clock.runUntilSettled(retry.execute(work))).toEqual({ status: 503 })
    expect(work.calls).toBe(3)
    expect(givenUp).toEqual([{ attempts: 3, reason: 'attempts', error: undefined, result: { status: 503 } }])
    expect(retry.trackAttempts()).toMatchObject({ executions: 1, retries: 2, recovered: 0, givenUp: { attempts: 1 } })
  })

  it('counts attempts over failures and results alike', async () => {
    const clock = new FakeClock()
    const retry = new RetryManager({ clock, maxAttempts: 3, backoff: constantBackoff(10), isRetryableResult: isBusy })
    let calls = 0
    const work = async (): Promise<Answer> => {
      calls += 1
      if (calls === 1) throw new ConnectionError('away')
      return { status: calls === 2 ? 503 : 200 }
    }

    expect(await clock.runUntilSettled(retry.execute(work))).toEqual({ status: 200 })
    expect(retry.trackAttempts()).toMatchObject({ retries: 2, recovered: 1 })
  })

  it('waits at least as long as the result asks for, or hands it on when that is too long', async () => {
    const clock = new FakeClock()
    const retryAfterOfResult = ({ retryAfter }: Answer): number | undefined => parseRetryAfter(retryAfter, clock.now())
    const retry = createRetry({ clock, backoff: constantBackoff(2_000), isRetryableResult: isBusy, retryAfterOfResult })
    const asking = (retryAfter: string) => async (): Promise<Answer> => (clock.monotonic() === 0 ? { status: 503, retryAfter } : { status: 200 })

    expect(await clock.runUntilSettled(retry.execute(asking('60')))).toEqual({ status: 503, retryAfter: '60' })
    expect(clock.monotonic()).toBe(0)
    expect(await clock.runUntilSettled(retry.execute(asking('1')))).toEqual({ status: 200 })
    expect(clock.monotonic()).toBe(3_000)
  })

  it('keeps to the budget, the deadline and the layer above', async () => {
    const clock = new FakeClock()
    const reasons: string[] = []
    const options = { clock, isRetryableResult: isBusy, backoff: constantBackoff(100), onGiveUp: ({ reason }: GiveUpEvent) => reasons.push(reason) }
    const work = answering(503)
    const spent = createRetry({ ...options, budget: { recordAttempt: () => {}, tryRetry: () => false, remaining: 0 } })
    const outer = createRetry({ clock, isRetryableResult: isBusy, backoff: constantBackoff(1), maxAttempts: 2 })

    await spent.execute(work)
    await compose(createTimeout({ timeoutMs: 50, clock }), createRetry(options)).execute(work)
    await clock.runUntilSettled(outer.execute((context) => createRetry(options).execute(work, context)))

    expect(reasons).toEqual(['budget', 'deadline', 'nested', 'nested'])
  })

  it('hands on what came when the caller has given up meanwhile', async () => {
    const clock = new FakeClock()
    const retry = createRetry({ clock, isRetryableResult: isBusy })
    const caller = new AbortController()
    const work = async (): Promise<Answer> => {
      caller.abort()
      return { status: 503 }
    }

    expect(await retry.execute(work, { signal: caller.signal })).toEqual({ status: 503 })
    expect(clock.pendingTimers).toBe(0)
  })

  it('stops in a wait when the caller gives up', async () => {
    const clock = new FakeClock()
    const retry = createRetry({ clock, isRetryableResult: isBusy })
    const caller = new AbortController()
    const running = outcomeOf(retry.execute(answering(503), { signal: caller.signal }))
    await clock.advance(0)

    caller.abort()

    expect(await running).toMatchObject({ code: 'ERR_ABORTED' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('is composed with policies that look at failures alone, with a deadline for each attempt', async () => {
    const clock = new FakeClock()
    const policy = compose(createTimeout({ timeoutMs: 1_000, clock }), createRetry({ clock, backoff: constantBackoff(10), isRetryableResult: isBusy }), createBreaker({ clock }), createTimeout({ timeoutMs: 100, clock }))

    expect(await clock.runUntilSettled(policy.execute(answering(503, 503, 200)))).toEqual({ status: 200 })
    expect(clock.pendingTimers).toBe(0)
  })

  it('leaves an alternative to failures', async () => {
    const clock = new FakeClock()
    const fallback = createFallback({ alternatives: [{ name: 'none', answer: (): Answer => ({ status: 0 }) }] })
    const policy = compose<Answer, Answer>(fallback, createRetry({ clock, maxAttempts: 1, isRetryableResult: isBusy }))

    expect(await policy.execute(answering(503))).toEqual({ status: 503 })
    expect(await policy.execute(() => Promise.reject(new ConnectionError('away')))).toEqual({ status: 0 })
  })

  it('fails with what its rule throws', async () => {
    const broken = new TypeError('no status')
    const rule = (): never => {
      throw broken
    }

    expect(await outcomeOf(createRetry({ isRetryableResult: rule }).execute(answering(200)))).toBe(broken)
    expect(await outcomeOf(createRetry({ isRetryable: rule }).execute(() => Promise.reject(new ConnectionError('away'))))).toBe(broken)
    const bounded = compose(createTimeout({ timeoutMs: 1_000 }), createRetry({ isRetryable: rule }))
    expect(await outcomeOf(bounded.execute(() => Promise.reject(new ConnectionError('away'))))).toBe(broken)
  })

  it('is for work that answers with what it looks at', async () => {
    const retry = createRetry({ isRetryableResult: isBusy })

    // @ts-expect-error a number has no status
    expect(await retry.execute(async () => 7)).toBe(7)
    // @ts-expect-error nor has what a composition with it answers
    expect(await compose(createBreaker(), retry).execute(async () => 7)).toBe(7)
  })
})

describe('createBreaker, by results', () => {
  it('opens by results that speak against the other side, and hands them on', async () => {
    const breaker = createBreaker({ consecutiveFailures: 2, isFailureResult: isBusy, clock: new FakeClock() })

    expect(await breaker.execute(answering(503))).toEqual({ status: 503 })
    expect(await breaker.execute(answering(200))).toEqual({ status: 200 })
    await breaker.execute(answering(503))
    expect(breaker.state).toBe('closed')
    await breaker.execute(answering(503))

    expect(breaker.details).toMatchObject({ state: 'open', reason: 'consecutive_failures' })
  })

  it('counts them in its window, and takes a probe by them', async () => {
    const clock = new FakeClock()
    const breaker = createBreaker({ consecutiveFailures: Infinity, minimumCalls: 2, openMs: 100, slowCallMs: 50, isFailureResult: isBusy, clock })
    await breaker.execute(answering(200))
    await breaker.execute(answering(503))
    expect(breaker.details).toMatchObject({ state: 'open', reason: 'failure_rate' })

    await clock.advance(100)
    expect(await breaker.execute(answering(503))).toEqual({ status: 503 })
    expect(breaker.details).toMatchObject({ state: 'open', reason: 'probe_failed' })
    await clock.advance(100)
    await breaker.execute(answering(200))
    expect(breaker.state).toBe('closed')
  })

  it.each([
    ['results', { isFailureResult: (): never => { throw new TypeError('broken rule') } }, answering(200)], // prettier-ignore
    ['failures', { isFailure: (): never => { throw new TypeError('broken rule') } }, () => Promise.reject(new ConnectionError('away'))], // prettier-ignore
  ])('keeps no probe back when its rule for %s throws', async (_name, rule, work) => {
    const clock = new FakeClock()
    const breaker = createBreaker<Answer>({ openMs: 100, clock, ...rule })
    breaker.trip(100)
    await clock.advance(100)

    for (let probe = 0; probe < 3; probe++) expect(await outcomeOf(breaker.execute(work))).toMatchObject({ message: 'broken rule' })
    expect(breaker.state).toBe('half-open')
  })

  it('lets a retry around it see them as well', async () => {
    const clock = new FakeClock()
    const breaker = createBreaker({ consecutiveFailures: 2, isFailureResult: isBusy, clock })
    const work = answering(503)
    const policy = compose(createRetry({ clock, maxAttempts: 5, isRetryableResult: isBusy, budget: false }), breaker)

    expect(await clock.runUntilSettled(policy.execute(work, { deadlineAtMs: clock.monotonic() + 1_000 }).catch((error: unknown) => error))).toMatchObject({ code: 'ERR_CIRCUIT_OPEN' })
    expect(work.calls).toBe(2)
  })
})
