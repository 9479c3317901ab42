import { ConnectionError, type PolicyCall } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import {
  compose,
  constantBackoff,
  createRetry,
  createTimeout,
  exponentialBackoff,
  type GiveUpEvent,
  linearBackoff,
  outsideOfCalls,
  parseRetryAfter,
  RetryManager,
  withDeadline,
} from '../index.ts'

const away = new ConnectionError('away')
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

describe('retries in layers', () => {
  /** Three attempts within three attempts; how the inner one learns of the outer one differs. */
  async function callsMade(hand: (given: PolicyCall) => PolicyCall | undefined, outerOptions: object = {}, innerOptions: object = {}): Promise<number> {
    const clock = new FakeClock()
    const outer = createRetry({ clock, ...outerOptions })
    const inner = createRetry({ clock, ...innerOptions })
    let calls = 0
    const outcome = outcomeOf(
      outer.execute((context) =>
        inner.execute(async () => {
          calls += 1
          throw away
        }, hand(context)),
      ),
    )
    expect(await clock.runUntilSettled(outcome)).toBe(away)
    return calls
  }

  it('do not multiply when the context is handed on', async () => {
    expect(await callsMade((context) => context)).toBe(3)
  })

  it('do not multiply when only the signal is handed on', async () => {
    expect(await callsMade(({ signal }) => ({ signal }))).toBe(3)
  })

  it('do not multiply when nothing is handed on and the layer is ambient', async () => {
    expect(await callsMade(() => undefined, { ambient: true })).toBe(3)
    expect(await callsMade(() => undefined)).toBe(9)
  })

  it('do not multiply when a signal of somebody else is handed on and the layer is ambient', async () => {
    const { signal } = new AbortController()
    expect(await callsMade(() => ({ signal }), { ambient: true })).toBe(3)
    expect(await callsMade(() => ({ signal }))).toBe(9)
  })

  it('multiply when that is asked for', async () => {
    expect(await callsMade((context) => context, {}, { whenNested: 'retry' })).toBe(9)
  })

  it('do not multiply within one composition, nor through a policy of somebody else', async () => {
    const clock = new FakeClock()
    const foreign = { execute: <T>(work: (context: never) => Promise<T>, call?: PolicyCall) => work(call as never) }
    let calls = 0
    const policy = compose(createRetry({ clock }), createTimeout({ timeoutMs: 60_000, clock }), foreign, createRetry({ clock }))

    await clock.runUntilSettled(outcomeOf(policy.execute(async () => {
      calls += 1
      throw away
    })))

    expect(calls).toBe(3)
    expect(clock.pendingTimers).toBe(0)
  })

  it('tell why they made one attempt', async () => {
    const clock = new FakeClock()
    const events: GiveUpEvent[] = []
    const inner = new RetryManager({ clock, onGiveUp: (event) => events.push(event) })

    await clock.runUntilSettled(outcomeOf(createRetry({ clock, maxAttempts: 2 }).execute((context) => inner.attemptRetry(() => Promise.reject(away), context))))

    expect(events).toEqual(Array(2).fill({ attempts: 1, reason: 'nested', error: away }))
    expect(inner.trackAttempts()).toEqual({ executions: 2, retries: 0, recovered: 0, givenUp: { attempts: 0, budget: 0, deadline: 0, retry_after: 0, nested: 2 } })
  })

  it('keep what is not nested apart from it', async () => {
    const clock = new FakeClock()
    const retry = new RetryManager({ clock })
    let calls = 0

    await clock.runUntilSettled(
      retry.execute(async () => {
        calls += 1
        if (calls < 3) throw away
      }),
    )

    expect(retry.trackAttempts()).toMatchObject({ executions: 1, retries: 2, recovered: 1 })
  })
})

describe('what goes on by itself', () => {
  /** Begins a loop within a call; answers how often the loop's own retry tries once the call is over, or while it is not. */
  async function triesOfLoop(begin: (loop: () => void) => void, isCallOver: boolean): Promise<number> {
    const clock = new FakeClock()
    const retry = createRetry({ clock, maxAttempts: 3, budget: false })
    const [callEnds, loopGoesOn, loopEnds] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let tries = 0
    const call = createRetry({ clock, ambient: true }).execute(async () => {
      begin(() => {
        const trying = loopGoesOn.promise.then(() => retry.execute(async () => {
          tries += 1
          throw away
        }))
        trying.catch(() => loopEnds.resolve())
      })
      await callEnds.promise
    }, { deadlineAtMs: 100 })
    if (isCallOver) {
      callEnds.resolve()
      await call
    }
    loopGoesOn.resolve()
    await clock.runUntilSettled(loopEnds.promise)
    callEnds.resolve()
    await call
    return tries
  }

  it('belongs to no ambient call any more once that is over', async () => {
    expect(await triesOfLoop((loop) => loop(), true)).toBe(3)
  })

  it('belongs to an ambient call until that is over, and with outsideOfCalls never', async () => {
    expect(await triesOfLoop((loop) => loop(), false)).toBe(1)
    expect(await triesOfLoop((loop) => outsideOfCalls(loop), false)).toBe(3)
  })

  it('belongs to the ambient call around one that is over', async () => {
    const clock = new FakeClock()
    const innerIsOver = Promise.withResolvers<void>()
    let looking: Promise<number | undefined> | undefined

    await createRetry({ clock, ambient: true }).execute(
      async () => {
        await createRetry({ clock, ambient: true }).execute(async () => {
          looking = innerIsOver.promise.then(() => createTimeout({ timeoutMs: 1_000, clock }).execute(async ({ deadlineAtMs }) => deadlineAtMs))
        }, { deadlineAtMs: 50 })
        innerIsOver.resolve()
        expect(await looking).toBe(100)
      },
      { deadlineAtMs: 100 },
    )
  })

  it('is begun as it is where no call is ambient, with its answer and its error', () => {
    expect(outsideOfCalls(() => 7)).toBe(7)
    expect(() => outsideOfCalls(() => JSON.parse('{'))).toThrow(SyntaxError)
  })
})

describe('deadlines in layers', () => {
  it.each([
    ['the context', (context: PolicyCall) => context],
    ['only the signal', ({ signal }: PolicyCall) => ({ signal })],
  ])('an inner one never exceeds an outer one of which it knows by %s', async (_name, hand) => {
    const clock = new FakeClock()
    const inner = createTimeout({ timeoutMs: 10_000, clock })
    const outer = createTimeout({ timeoutMs: 100, clock })

    const deadline = await outer.execute((context) => inner.execute(async ({ deadlineAtMs }) => deadlineAtMs, hand(context)))

    expect(deadline).toBe(100)
  })

  it('an inner retry begins no wait past an outer deadline of which it knows by the signal', async () => {
    const clock = new FakeClock()
    const inner = createRetry({ clock, backoff: constantBackoff(200) })

    expect(await outcomeOf(withDeadline(({ signal }) => inner.execute(() => Promise.reject(away), { signal }), { timeoutMs: 100, clock }))).toBe(away)
    expect(clock.monotonic()).toBe(0)
  })

  it('a deadline that a caller only names ends work all the same', async () => {
    const clock = new FakeClock()
    const outcome = outcomeOf(createTimeout({ timeoutMs: 1_000, clock }).execute(() => new Promise(() => {}), { deadlineAtMs: 50 }))

    await clock.advance(50)

    expect(await outcome).toMatchObject({ code: 'ERR_TIMEOUT' })
  })
})

describe('backoff', () => {
  const delays = (backoff: ReturnType<typeof exponentialBackoff>, random: number): number[] => {
    const waits: number[] = []
    for (let attempt = 1; attempt <= 5; attempt++) waits.push(backoff.delayMs(attempt, waits.at(-1) ?? 0, () => random))
    return waits
  }

  it.each([
    ['constant', constantBackoff(50), 0.5, [50, 50, 50, 50, 50]],
    ['constant with full jitter', constantBackoff(50, 'full'), 0.5, [25, 25, 25, 25, 25]],
    ['linear', linearBackoff({ baseMs: 100, maxMs: 350, jitter: 'none' }), 0.5, [100, 200, 300, 350, 350]],
    ['linear with equal jitter', linearBackoff({ baseMs: 100, maxMs: 350, jitter: 'equal' }), 0.5, [75, 150, 225, 262.5, 262.5]],
    ['exponential', exponentialBackoff({ baseMs: 100, maxMs: 1_000, jitter: 'none' }), 0.5, [100, 200, 400, 800, 1_000]],
    ['exponential by three', exponentialBackoff({ baseMs: 10, maxMs: 1_000, factor: 3, jitter: 'none' }), 0.5, [10, 30, 90, 270, 810]],
    ['exponential with full jitter', exponentialBackoff({ baseMs: 100, maxMs: 1_000 }), 0.5, [50, 100, 200, 400, 500]],
    ['exponential with decorrelated jitter', exponentialBackoff({ baseMs: 100, maxMs: 1_000, jitter: 'decorrelated' }), 0.5, [200, 350, 575, 912.5, 1_000]],
  ])('%s', (_name, backoff, random, expected) => {
    expect(delays(backoff, random)).toEqual(expected)
  })

  it('keeps decorrelated waits from the base to three times the one before', () => {
    const backoff = exponentialBackoff({ baseMs: 100, maxMs: 1_000, jitter: 'decorrelated' })

    expect([backoff.delayMs(1, 0, () => 0), backoff.delayMs(2, 300, () => 0), backoff.delayMs(2, 300, () => 0.999)]).toEqual([100, 100, expect.closeTo(899.2)])
  })

  it('is what a retry waits by, also for a given answer', () => {
    const retry = new RetryManager({ backoff: exponentialBackoff({ baseMs: 100, jitter: 'none' }) })
    const busy = new ConnectionError('busy', { context: { retryAfterMs: 3_000 } })

    expect([retry.calculateDelay(1), retry.calculateDelay(3), retry.calculateDelay(2, busy)]).toEqual([100, 400, 3_200])
  })

  it.each([
    ['delayMs', () => constantBackoff(-1)],
    ['baseMs', () => linearBackoff({ baseMs: Number.NaN })],
    ['maxMs', () => exponentialBackoff({ maxMs: -1 })],
    ['factor', () => exponentialBackoff({ factor: -2 })],
  ])('refuses a wrong %s by name', (option, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_CONFIGURATION', context: { option } }))
  })
})

describe('parseRetryAfter', () => {
  const now = Date.UTC(2026, 0, 1)

  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Thu, 01 Jan 2020 00:00:30 GMT', 0],
    ['x Thu, 01 Jan 2026 00:00:30 GMT', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['Soon, at noon', undefined],
    ['', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('reads %j', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected)
  })
})
