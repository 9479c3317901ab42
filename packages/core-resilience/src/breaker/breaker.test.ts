import { ConnectionError, type MetricsSink, OperationError, ValidationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { type Breaker, type BreakerEvent, BreakerOpenError, type BreakerOptions, createBreaker, createTimeout } from '../index.ts'

const away = new ConnectionError('the server is away')

function breakerUnderTest(options: BreakerOptions = {}): { breaker: Breaker; clock: FakeClock; events: BreakerEvent[] } {
  const clock = new FakeClock()
  const events: BreakerEvent[] = []
  const breaker = createBreaker({ name: 'store', clock, onStateChange: (event) => events.push(event), ...options })
  return { breaker, clock, events }
}

const succeed = (breaker: Breaker): Promise<unknown> => breaker.execute(async () => 'answer')
const fail = (breaker: Breaker, error: unknown = away): Promise<unknown> =>
  breaker
    .execute(async () => {
      throw error
    })
    .catch((caught: unknown) => caught)

/** A call that ends when the test says so. */
function hold(breaker: Breaker): { finish: (error?: unknown) => Promise<unknown> } {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const outcome = breaker.execute(() => promise).catch((error: unknown) => error)
  return {
    finish: (error) => {
      if (error === undefined) resolve('answer')
      else reject(error as Error)
      return outcome
    },
  }
}

async function failTimes(breaker: Breaker, times: number): Promise<void> {
  for (let count = 0; count < times; count++) await fail(breaker)
}

describe('createBreaker, closed', () => {
  it('passes results and failures on as they are', async () => {
    const { breaker } = breakerUnderTest()

    expect(await succeed(breaker)).toBe('answer')
    expect(await fail(breaker)).toBe(away)
    expect(breaker.state).toBe('closed')
  })

  it('opens after so many failures in a row', async () => {
    const { breaker, events } = breakerUnderTest({ consecutiveFailures: 3 })

    await failTimes(breaker, 2)
    expect(breaker.state).toBe('closed')
    await fail(breaker)

    expect(breaker.state).toBe('open')
    expect(events).toEqual([{ breaker: 'store', from: 'closed', to: 'open', reason: 'consecutive_failures' }])
  })

  it('begins to count anew after a success', async () => {
    const { breaker } = breakerUnderTest({ consecutiveFailures: 3 })

    await failTimes(breaker, 2)
    await succeed(breaker)
    await failTimes(breaker, 2)

    expect(breaker.state).toBe('closed')
  })

  it('opens when too large a share of enough calls failed, though never in a row', async () => {
    const { breaker, events } = breakerUnderTest({ failureShare: 0.5, minimumCalls: 10 })
    for (let round = 0; round < 4; round++) {
      await succeed(breaker)
      await fail(breaker)
    }
    await succeed(breaker)
    expect(breaker.state).toBe('closed')

    await fail(breaker)

    expect(breaker.state).toBe('open')
    expect(events[0]?.reason).toBe('failure_rate')
  })

  it('forgets failures that are older than the window', async () => {
    const { breaker, clock } = breakerUnderTest({ consecutiveFailures: Infinity, minimumCalls: 4, windowMs: 1000 })
    await failTimes(breaker, 3)

    await clock.advance(1000)
    await fail(breaker)

    expect(breaker.state).toBe('closed')
  })

  it.each([
    ['wrong input', new ValidationError('id is missing')],
    ['a refusal that will not pass', new OperationError('no such table')],
  ])('takes %s for an answer, not for a failure', async (_name, refusal) => {
    const { breaker } = breakerUnderTest({ consecutiveFailures: 2 })

    await fail(breaker)
    await fail(breaker, refusal)
    await fail(breaker)

    expect(breaker.state).toBe('closed')
  })

  it('counts an error of unknown origin', async () => {
    const { breaker } = breakerUnderTest({ consecutiveFailures: 1 })

    await fail(breaker, new TypeError('x is undefined'))

    expect(breaker.state).toBe('open')
  })

  it('lets the owner decide what a failure is', async () => {
    const { breaker } = breakerUnderTest({ consecutiveFailures: 1, isFailure: (error) => error === 'mine' })

    await fail(breaker)
    expect(breaker.state).toBe('closed')
    await fail(breaker, 'mine')
    expect(breaker.state).toBe('open')
  })

  it('does not count what the caller aborted', async () => {
    const { breaker } = breakerUnderTest({ consecutiveFailures: 1 })
    const abort = new AbortController()
    const running = breaker.execute(
      ({ signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new TypeError('socket closed')))),
      { signal: abort.signal },
    )

    abort.abort()

    await expect(running).rejects.toThrow('socket closed')
    expect(breaker.state).toBe('closed')
  })

  it('counts what an outer deadline aborted', async () => {
    const { breaker, clock } = breakerUnderTest({ consecutiveFailures: 1 })
    const timeout = createTimeout({ timeoutMs: 100, clock })
    const work = ({ signal }: { signal: AbortSignal }): Promise<never> =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new TypeError('socket closed'))))

    await expect(clock.runUntilSettled(timeout.execute((context) => breaker.execute(work, context)))).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
    await clock.advance(0)

    expect(breaker.state).toBe('open')
  })
})

describe('createBreaker, open', () => {
  it('refuses calls with a typed error that says when to come back', async () => {
    const { breaker, clock } = breakerUnderTest({ consecutiveFailures: 1, openMs: 1000 })
    await fail(breaker)
    await clock.advance(400)
    let called = false

    const refusal = await breaker
      .execute(async () => {
        called = true
      })
      .catch((error: unknown) => error)

    expect(called).toBe(false)
    expect(BreakerOpenError.isInstance(refusal)).toBe(true)
    expect(ConnectionError.isInstance(refusal)).toBe(true)
    expect(refusal).toMatchObject({
      code: 'ERR_CIRCUIT_OPEN',
      retryable: true,
      status: 503,
      retryAfterMs: 600,
      context: { breaker: 'store', retryAfterMs: 600 },
    })
  })

  it('drops results of calls that began before it opened', async () => {
    const { breaker, clock } = breakerUnderTest({ consecutiveFailures: 2, openMs: 1000 })
    const slow = hold(breaker)
    await failTimes(breaker, 2)
    await clock.advance(1000)
    const probe = hold(breaker)

    await slow.finish()
    expect(breaker.state).toBe('half-open')
    await probe.finish()
    expect(breaker.state).toBe('closed')
  })
})

describe('createBreaker, half-open', () => {
  async function halfOpen(options: BreakerOptions = {}): Promise<ReturnType<typeof breakerUnderTest>> {
    const subject = breakerUnderTest({ consecutiveFailures: 1, openMs: 1000, ...options })
    await fail(subject.breaker)
    await subject.clock.advance(1000)
    return subject
  }

  it('closes when the probe succeeds', async () => {
    const { breaker, events } = await halfOpen()

    await succeed(breaker)

    expect(breaker.state).toBe('closed')
    expect(events.map((event) => [event.from, event.to, event.reason])).toEqual([
      ['closed', 'open', 'consecutive_failures'],
      ['open', 'half-open', 'wait_over'],
      ['half-open', 'closed', 'probes_succeeded'],
    ])
  })

  it('opens for another wait when the probe fails', async () => {
    const { breaker, clock } = await halfOpen()

    await fail(breaker)

    expect(breaker.state).toBe('open')
    await clock.advance(999)
    expect(await fail(breaker)).toMatchObject({ code: 'ERR_CIRCUIT_OPEN', retryAfterMs: 1 })
  })

  it('lets only so many probes through at once', async () => {
    const { breaker } = await halfOpen({ halfOpenProbes: 2, successesToClose: 2 })
    const first = hold(breaker)
    const second = hold(breaker)

    expect(await fail(breaker)).toMatchObject({ code: 'ERR_CIRCUIT_OPEN', retryAfterMs: 0 })
    await first.finish()
    expect(breaker.state).toBe('half-open')
    await second.finish()
    expect(breaker.state).toBe('closed')
  })

  it('gives the place of a probe that said nothing to the next', async () => {
    const { breaker } = await halfOpen()
    const abort = new AbortController()
    const left = breaker
      .execute(({ signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))), {
        signal: abort.signal,
      })
      .catch(() => {})
    abort.abort()
    await left

    expect(breaker.state).toBe('half-open')
    expect(await succeed(breaker)).toBe('answer')
    expect(breaker.state).toBe('closed')
  })

  it('does not wait forever for a probe that never answers', async () => {
    const { breaker, clock, events } = await halfOpen({ probeTimeoutMs: 5000 })
    const lost = hold(breaker)

    await clock.advance(5000)
    expect(await fail(breaker)).toMatchObject({ code: 'ERR_CIRCUIT_OPEN', retryAfterMs: 1000 })
    expect(events.at(-1)).toMatchObject({ to: 'open', reason: 'probe_overdue' })
    await clock.advance(1000)
    await succeed(breaker)
    expect(breaker.state).toBe('closed')

    await lost.finish(away)
    expect(breaker.state).toBe('closed')
  })

  it('keeps no timer in any state', async () => {
    const { clock } = await halfOpen()

    expect(clock.pendingTimers).toBe(0)
  })
})

describe('createBreaker, observed', () => {
  it('tells metrics its state, its changes and what it refused', async () => {
    const seen: unknown[] = []
    const metrics: MetricsSink = {
      counter: ({ name }) => ({ inc: (labels) => seen.push([name, labels]) }),
      gauge: ({ name }) => ({ set: (labels, value) => seen.push([name, labels, value]) }),
      histogram: () => ({ observe: () => {} }),
    }
    const { breaker } = breakerUnderTest({ consecutiveFailures: 1, metrics })

    await fail(breaker)
    await fail(breaker)

    expect(seen).toEqual([
      ['smart_whale_breaker_state', { breaker: 'store' }, 0],
      ['smart_whale_breaker_state', { breaker: 'store' }, 2],
      ['smart_whale_breaker_changes_total', { breaker: 'store', to: 'open', reason: 'consecutive_failures' }],
      ['smart_whale_breaker_refusals_total', { breaker: 'store' }],
    ])
  })

  it('is not disturbed by a listener that throws', async () => {
    const { breaker } = breakerUnderTest({
      consecutiveFailures: 1,
      onStateChange: () => {
        throw new TypeError('listener')
      },
    })

    expect(await fail(breaker)).toBe(away)
    expect(breaker.state).toBe('open')
  })

  it.each([
    ['consecutiveFailures', { consecutiveFailures: 0 }],
    ['failureShare', { failureShare: 1.1 }],
    ['minimumCalls', { minimumCalls: 0.5 }],
    ['windowMs', { windowMs: 0 }],
    ['openMs', { openMs: -1 }],
    ['halfOpenProbes', { halfOpenProbes: 0 }],
    ['successesToClose', { successesToClose: Number.NaN }],
    ['probeTimeoutMs', { probeTimeoutMs: 0 }],
  ])('refuses a wrong %s by name', (option, options) => {
    expect(() => createBreaker(options)).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_CONFIGURATION', context: { option } }))
  })
})
