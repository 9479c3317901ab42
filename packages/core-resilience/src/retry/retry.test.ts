import { ConnectionError, InfrastructureError, OperationError, ValidationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRetry, createRetryBudget, createTimeout, type GiveUpEvent, type RetryEvent, RetryManager } from '../index.ts'

const passing = new ConnectionError('the server is away')

/** Work that fails with each error in turn, then answers. */
function failingWith(errors: readonly unknown[]): { work: () => Promise<string>; readonly calls: number } {
  let calls = 0
  return {
    work: async () => {
      if (calls < errors.length) throw errors[calls++]
      calls += 1
      return 'answer'
    },
    get calls() {
      return calls
    },
  }
}

describe('createRetry', () => {
  it('runs work again until it succeeds', async () => {
    const clock = new FakeClock()
    const { work } = failingWith([passing, passing])
    const retry = createRetry({ clock, maxAttempts: 3 })

    expect(await clock.runUntilSettled(retry.execute(work))).toBe('answer')
    expect(clock.pendingTimers).toBe(0)
  })

  it('passes the last failure on as it is when all attempts are used', async () => {
    const clock = new FakeClock()
    const failing = failingWith([passing, passing, passing])
    const events: GiveUpEvent[] = []
    const retry = createRetry({ clock, maxAttempts: 3, onGiveUp: (event) => events.push(event) })

    await expect(clock.runUntilSettled(retry.execute(failing.work))).rejects.toBe(passing)
    expect(failing.calls).toBe(3)
    expect(events).toEqual([{ attempts: 3, reason: 'attempts', error: passing }])
  })

  it.each([
    ['an error that says it is not retryable', new OperationError('no such table')],
    ['wrong input', new ValidationError('id is missing')],
    ['an error of unknown origin', new TypeError('x is undefined')],
    ['something that is no error', 'nope'],
  ])('does not retry %s', async (_name, failure) => {
    const clock = new FakeClock()
    const failing = failingWith([failure])

    await expect(createRetry({ clock }).execute(failing.work)).rejects.toBe(failure)
    expect(failing.calls).toBe(1)
  })

  it('treats work that throws before its first await like any other', async () => {
    const clock = new FakeClock()
    let calls = 0
    const work = (): Promise<number> => {
      calls += 1
      if (calls === 1) throw passing
      return Promise.resolve(calls)
    }

    expect(await clock.runUntilSettled(createRetry({ clock }).execute(work))).toBe(2)
  })

  it('waits a random time below a bound that doubles up to the maximum', async () => {
    const clock = new FakeClock()
    const delays: number[] = []
    const retry = createRetry({
      clock,
      maxAttempts: 6,
      baseDelayMs: 100,
      maxDelayMs: 500,
      random: () => 0.5,
      onRetry: (event) => delays.push(event.delayMs),
    })

    await clock.runUntilSettled(retry.execute(failingWith(Array<unknown>(5).fill(passing)).work))

    expect(delays).toEqual([50, 100, 200, 250, 250])
    expect(clock.monotonic()).toBe(850)
  })

  it('waits at least as long as the failure asks for', async () => {
    const clock = new FakeClock()
    const busy = new InfrastructureError('busy', { retryable: true, context: { retryAfterMs: 3000 } })
    const retry = createRetry({ clock, random: () => 0 })

    await clock.runUntilSettled(retry.execute(failingWith([busy]).work))

    expect(clock.monotonic()).toBe(3000)
  })

  it.each([['a text', '3000'], ['a time that is over', -5], ['nothing', null]])('takes no notice of a failure that asks for %s', (_name, retryAfterMs) => {
    const busy = new InfrastructureError('busy', { retryable: true, context: { retryAfterMs } })

    expect(new RetryManager({ random: () => 0.5 }).calculateDelay(1, busy)).toBe(50)
  })

  it('gives up at once when the failure asks for a longer wait than it may make', async () => {
    const clock = new FakeClock()
    const busy = new InfrastructureError('busy', { retryable: true, context: { retryAfterMs: 30_000 } })
    const events: GiveUpEvent[] = []
    const retry = createRetry({ clock, maxDelayMs: 10_000, onGiveUp: (event) => events.push(event) })

    await expect(retry.execute(failingWith([busy]).work)).rejects.toBe(busy)
    expect(events[0]?.reason).toBe('retry_after')
    expect(clock.monotonic()).toBe(0)
  })

  it('begins no wait that would end after the deadline', async () => {
    const clock = new FakeClock()
    const events: GiveUpEvent[] = []
    const retry = createRetry({ clock, baseDelayMs: 1000, random: () => 0.9, onGiveUp: (event) => events.push(event) })
    const timeout = createTimeout({ timeoutMs: 500, clock })

    await expect(timeout.execute((context) => retry.execute(failingWith([passing]).work, context))).rejects.toBe(passing)
    expect(events[0]?.reason).toBe('deadline')
    expect(clock.monotonic()).toBe(0)
  })

  it('stops in a wait when the caller gives up', async () => {
    const clock = new FakeClock()
    const abort = new AbortController()
    const failing = failingWith([passing])
    const running = createRetry({ clock, random: () => 0.9 }).execute(failing.work, { signal: abort.signal })
    await clock.advance(1)

    abort.abort(new Error('shutting down'))

    await expect(running).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: { message: 'shutting down' } })
    expect(failing.calls).toBe(1)
    expect(clock.pendingTimers).toBe(0)
  })

  it('begins nothing for a caller that has already given up', async () => {
    const failing = failingWith([])

    await expect(createRetry().execute(failing.work, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(failing.calls).toBe(0)
  })

  it('hands the caller’s own signal to the work', async () => {
    const { signal } = new AbortController()

    expect(await createRetry().execute(async (context) => context.signal, { signal })).toBe(signal)
  })

  it('is not disturbed by a listener that throws', async () => {
    const clock = new FakeClock()
    const onRetry = (): never => {
      throw new TypeError('listener')
    }

    expect(await clock.runUntilSettled(createRetry({ clock, onRetry }).execute(failingWith([passing]).work))).toBe('answer')
  })

  it('counts retries and what was given up in metrics', async () => {
    const clock = new FakeClock()
    const counted: unknown[] = []
    const metrics = {
      counter: ({ name }: { name: string }) => ({ inc: (labels?: object) => counted.push({ name, ...labels }) }),
      gauge: () => ({ set: () => {} }),
      histogram: () => ({ observe: () => {} }),
    }
    const retry = createRetry({ name: 'store', clock, maxAttempts: 2, metrics })

    await expect(clock.runUntilSettled(retry.execute(failingWith([passing, passing]).work))).rejects.toBe(passing)
    expect(counted).toEqual([
      { name: 'smart_whale_retries_total', policy: 'store' },
      { name: 'smart_whale_retries_given_up_total', policy: 'store', reason: 'attempts' },
    ])
  })

  it.each([
    ['maxAttempts', { maxAttempts: 0 }],
    ['maxAttempts', { maxAttempts: 1.5 }],
    ['baseDelayMs', { baseDelayMs: -1 }],
    ['maxDelayMs', { maxDelayMs: Number.NaN }],
    ['maxDelayMs', { maxDelayMs: '5s' as unknown as number }],
  ])('refuses a wrong %s by name', (name, options) => {
    expect(() => createRetry(options)).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_CONFIGURATION', context: { option: name } }))
  })

  it('behaves like its model for any course of failures', async () => {
    const failure = fc.record({
      retryable: fc.boolean(),
      retryAfterMs: fc.option(fc.integer({ min: 1, max: 2000 }), { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(failure, { maxLength: 8 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        async (failures, maxAttempts, timeoutMs, random) => {
          const clock = new FakeClock()
          const errors = failures.map(({ retryable, retryAfterMs }) => new InfrastructureError('x', { retryable, context: { retryAfterMs } }))
          const failing = failingWith(errors)
          const seen: RetryEvent[] = []
          const options = { clock, maxAttempts, baseDelayMs: 100, maxDelayMs: 1000, random: () => random }
          const retry = createRetry({ ...options, onRetry: (event) => seen.push(event) })

          const outcome = await clock.runUntilSettled(
            retry.execute(failing.work, { deadlineAtMs: timeoutMs }).catch((error: unknown) => error),
          )

          const expected = model(errors, maxAttempts, timeoutMs, random)
          expect(failing.calls).toBe(expected.calls)
          expect(outcome).toBe(expected.outcome)
          expect(clock.monotonic()).toBeCloseTo(expected.elapsedMs, 6)
          expect(clock.monotonic()).toBeLessThan(timeoutMs)
          expect(seen).toHaveLength(expected.calls - 1)
          expect(clock.pendingTimers).toBe(0)
        },
      ),
    )
  })
})

/** The rule once more, as arithmetic without time. */
function model(errors: readonly InfrastructureError[], maxAttempts: number, timeoutMs: number, random: number) {
  let elapsedMs = 0
  for (let calls = 1; ; calls++) {
    const error = errors[calls - 1]
    if (error === undefined) return { calls, outcome: 'answer', elapsedMs }
    const asked = (error.context['retryAfterMs'] as number | undefined) ?? 0
    const delay = asked + random * Math.min(1000, 100 * 2 ** (calls - 1))
    if (!error.retryable || calls === maxAttempts || asked > 1000 || elapsedMs + delay >= timeoutMs) return { calls, outcome: error, elapsedMs }
    elapsedMs += delay
  }
}

describe('createRetryBudget', () => {
  it('grants the reserve of the window to a quiet client', () => {
    const budget = createRetryBudget({ minimumPerSecond: 2, windowMs: 1000, clock: new FakeClock() })

    expect([budget.tryRetry(), budget.tryRetry(), budget.tryRetry()]).toEqual([true, true, false])
  })

  it('grants a share of the traffic on top', () => {
    const budget = createRetryBudget({ share: 0.2, minimumPerSecond: 0, clock: new FakeClock() })

    expect(budget.tryRetry()).toBe(false)
    for (let attempt = 0; attempt < 5; attempt++) budget.recordAttempt()
    expect(budget.remaining).toBe(1)
    expect([budget.tryRetry(), budget.tryRetry()]).toEqual([true, false])
  })

  it('forgets what is older than its window', async () => {
    const clock = new FakeClock()
    const budget = createRetryBudget({ share: 0, minimumPerSecond: 1, windowMs: 1000, clock })
    expect([budget.tryRetry(), budget.tryRetry()]).toEqual([true, false])

    await clock.advance(1000)

    expect(budget.tryRetry()).toBe(true)
  })

  it('ends retries with the last failure when it is used up', async () => {
    const clock = new FakeClock()
    const budget = createRetryBudget({ share: 0, minimumPerSecond: 1, windowMs: 1000, clock })
    const events: GiveUpEvent[] = []
    const retry = createRetry({ clock, budget, maxAttempts: 5, baseDelayMs: 1, onGiveUp: (event) => events.push(event) })

    await expect(clock.runUntilSettled(retry.execute(failingWith([passing, passing, passing]).work))).rejects.toBe(passing)
    expect(events).toEqual([{ attempts: 2, reason: 'budget', error: passing }])
  })

  it('never grants more than share × attempts + reserve in any window', async () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(300), attempts: fc.nat(20), retries: fc.nat(20) }), { maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(steps, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 5 }), async (course, share, minimumPerSecond) => {
        const clock = new FakeClock()
        const budget = createRetryBudget({ share, minimumPerSecond, windowMs: 1000, clock })
        const log: { at: number; attempts: number; granted: number }[] = []

        for (const { waitMs, attempts, retries } of course) {
          await clock.advance(waitMs)
          for (let count = 0; count < attempts; count++) budget.recordAttempt()
          let granted = 0
          for (let count = 0; count < retries; count++) if (budget.tryRetry()) granted += 1
          log.push({ at: clock.monotonic(), attempts, granted })
          if (granted === 0) continue
          // Slots are tenths of the window: retries of the last nine tenths stand against attempts of the whole.
          const retriesSeen = sum(log.filter((entry) => entry.at > clock.monotonic() - 900).map((entry) => entry.granted))
          const attemptsSeen = sum(log.filter((entry) => entry.at > clock.monotonic() - 1000).map((entry) => entry.attempts))
          expect(retriesSeen).toBeLessThanOrEqual(attemptsSeen * share + minimumPerSecond + 1e-6)
        }
      }),
      { numRuns: 50 },
    )
  })
})

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
