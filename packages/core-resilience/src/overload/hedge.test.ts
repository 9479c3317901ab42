import { ConnectionError, OperationError, type PolicyContext } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import {
  compose,
  createHedge,
  createRetry,
  createRetryBudget,
  createTimeout,
  type HedgeEvent,
  sleep,
} from '../index.ts'
import { recordingMetrics } from '../../test/recording-metrics.ts'

const away = new ConnectionError('away')
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

describe('createHedge', () => {
  const tries = (clock: FakeClock, tookMs: readonly number[], signals: AbortSignal[] = []) => async ({ signal }: PolicyContext): Promise<number> => {
    const number = signals.push(signal)
    await sleep(tookMs[number - 1]!, { clock })
    return number
  }

  it('begins a second try when the first is slow and takes the faster answer', async () => {
    const clock = new FakeClock()
    const events: HedgeEvent[] = []
    const { metrics, counted } = recordingMetrics()
    const signals: AbortSignal[] = []
    const hedge = createHedge({ name: 'read', delayMs: 50, clock, metrics, onHedge: (event) => events.push(event) })

    expect(await clock.runUntilSettled(hedge.execute(tries(clock, [500, 20], signals)))).toBe(2)
    expect(clock.monotonic()).toBe(70)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(signals[0]!.reason).toMatchObject({ name: 'AbortError' })
    expect(events).toEqual([{ hedge: 'read', attempt: 2, reason: 'slow' }])
    expect(counted).toEqual([
      { name: 'smart_whale_hedges_total', hedge: 'read', reason: 'slow' },
      { name: 'smart_whale_hedge_wins_total', hedge: 'read', attempt: 2 },
    ])
  })

  it('fails with what its rules throw, and leaves nothing under way', async () => {
    const clock = new FakeClock()
    const broken = new TypeError('broken rule')
    const breaks = (): never => {
      throw broken
    }
    const failing = (): Promise<never> => Promise.reject(new ConnectionError('away'))
    let delays = 0
    const second = (): number => (delays++ === 0 ? 10 : breaks())

    expect(await outcomeOf(createHedge({ delayMs: 10, clock, isRetryable: breaks }).execute(failing))).toBe(broken)
    expect(await outcomeOf(createHedge({ delayMs: breaks, clock }).execute(failing))).toBe(broken)
    const slow = outcomeOf(createHedge({ delayMs: second, maxAttempts: 3, clock }).execute(() => new Promise(() => {})))
    await clock.advance(10)

    expect(await slow).toBe(broken)
    expect(clock.pendingTimers).toBe(0)
  })

  it('makes one try when it is fast enough', async () => {
    const clock = new FakeClock()
    const signals: AbortSignal[] = []

    expect(await clock.runUntilSettled(createHedge({ delayMs: 50, clock }).execute(tries(clock, [20], signals)))).toBe(1)
    expect([signals.length, clock.pendingTimers]).toEqual([1, 0])
  })

  it('does not hedge beyond its budget', async () => {
    const clock = new FakeClock()
    const signals: AbortSignal[] = []
    const budget = createRetryBudget({ share: 0, minimumPerSecond: 0, clock })

    expect(await clock.runUntilSettled(createHedge({ delayMs: () => 50, budget, clock }).execute(tries(clock, [500, 20], signals)))).toBe(1)
    expect(signals).toHaveLength(1)
  })

  it('asks anew how long to wait for each call, and counts first tries and hedges alike in its budget', async () => {
    const clock = new FakeClock()
    const delays = [30, -5, Number.NaN]
    const asked = { attempts: 0, retries: 0 }
    const budget = { recordAttempt: () => void asked.attempts++, tryRetry: () => asked.retries++ < 10, remaining: 10 }
    const hedge = createHedge({ delayMs: () => delays.shift()!, budget, clock })
    const tookMs: number[] = []

    for (let call = 0; call < 3; call++) {
      const beganMs = clock.monotonic()
      await clock.runUntilSettled(hedge.execute(tries(clock, [500, 20], [])))
      tookMs.push(clock.monotonic() - beganMs)
    }

    expect(tookMs).toEqual([50, 20, 20])
    expect(asked).toEqual({ attempts: 3, retries: 3 })
  })

  it('takes no notice of what its tries do after it has ended', async () => {
    const clock = new FakeClock()
    const { metrics, counted } = recordingMetrics()
    const hedge = createHedge({ delayMs: 10, maxAttempts: 2, clock, metrics })

    expect(await clock.runUntilSettled(hedge.execute(tries(clock, [100, 20], [])))).toBe(2)
    await clock.advance(1_000)

    expect(counted.filter((count) => JSON.stringify(count).includes('wins'))).toHaveLength(1)
  })

  it('ends at once with a failure that will not pass, and with the first one when all have failed', async () => {
    const clock = new FakeClock()
    const refusal = new OperationError('no such table')
    let calls = 0
    const failing = async (): Promise<never> => {
      calls += 1
      throw calls === 1 ? away : new ConnectionError('away again')
    }

    expect(await outcomeOf(createHedge({ delayMs: 50, clock }).execute(() => Promise.reject(refusal)))).toBe(refusal)
    expect(await outcomeOf(createHedge({ delayMs: 50, clock }).execute(failing))).toBe(away)
    expect([calls, clock.pendingTimers]).toEqual([2, 0])
  })

  it('ends all tries when the caller gives up, and begins none for one that has', async () => {
    const clock = new FakeClock()
    const abort = new AbortController()
    const signals: AbortSignal[] = []
    const hedge = createHedge({ delayMs: 10, clock })
    const outcome = outcomeOf(hedge.execute(tries(clock, [500, 500], signals), { signal: abort.signal }))
    await clock.advance(10)

    abort.abort('closing')

    expect(await outcome).toMatchObject({ code: 'ERR_ABORTED', cause: 'closing' })
    expect(signals.map(({ reason }) => reason as unknown)).toEqual(['closing', 'closing'])
    expect(await outcomeOf(hedge.execute(tries(clock, [1], signals), { signal: abort.signal }))).toMatchObject({ code: 'ERR_ABORTED' })
    expect(signals).toHaveLength(2)
  })

  it('tells its tries the deadline above and knows of the retrying layer', async () => {
    const clock = new FakeClock()
    let calls = 0
    const policy = compose(createTimeout({ timeoutMs: 100, clock }), createRetry({ clock, maxAttempts: 3 }), createHedge({ delayMs: 50, clock }))
    const inner = createRetry({ clock, maxAttempts: 3 })

    const deadline = await policy.execute(async ({ deadlineAtMs }) => deadlineAtMs)
    expect(deadline).toBe(100)
    await outcomeOf(clock.runUntilSettled(policy.execute((context) => inner.execute(async () => {
      calls += 1
      throw new ConnectionError('down')
    }, context), {})))
    // Three attempts of two tries each: the inner retry added none.
    expect(calls).toBeLessThanOrEqual(6)
  })

  it.each([
    ['delayMs', { delayMs: -1 }],
    ['maxAttempts', { delayMs: 1, maxAttempts: 0 }],
  ])('refuses a wrong %s by name', (option, options) => {
    expect(() => createHedge(options)).toThrow(expect.objectContaining({ context: { option } }))
  })
})
