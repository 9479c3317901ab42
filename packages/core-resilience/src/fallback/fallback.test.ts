import { ConnectionError, OperationError, ValidationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { recordingMetrics } from '../../test/recording-metrics.ts'
import { compose, createBreaker, createFallback, createTimeout, Degradation, type FallbackEvent, FallbackManager, FallbacksFailedError, type LevelChange } from '../index.ts'

const away = new ConnectionError('away')
const failing = (): Promise<never> => Promise.reject(away)
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

describe('FallbackManager', () => {
  it('asks alternatives in their order and says which answered, and why those before it did not', async () => {
    const events: FallbackEvent[] = []
    const { metrics, counted } = recordingMetrics()
    const broken = new OperationError('replica is broken')
    const manager = new FallbackManager<string>({
      name: 'price',
      alternatives: [
        { name: 'other region', when: () => false, answer: () => 'never' },
        { name: 'replica', answer: () => Promise.reject(broken) },
        { name: 'last known', answer: ({ error, before }) => `${(error as Error).message}, ${before.length} before` },
        { name: 'nothing', answer: () => 'never' },
      ],
      metrics,
      onFallback: (event) => events.push(event),
    })

    expect(await manager.execute(failing)).toBe('away, 2 before')
    expect(events).toEqual([
      {
        fallback: 'price',
        alternative: 'last known',
        error: away,
        before: [
          { name: 'other region', outcome: 'not_applicable' },
          { name: 'replica', outcome: 'failed', error: broken },
        ],
      },
    ])
    expect(counted).toEqual([{ name: 'smart_whale_fallbacks_total', fallback: 'price', alternative: 'last known' }])
    expect(manager.answers).toEqual({ byAlternative: { 'other region': 0, replica: 0, 'last known': 1, nothing: 0 }, none: 0 })
  })

  it('passes an answer of the work on and asks nobody', async () => {
    expect(await createFallback({ alternatives: [{ name: 'x', answer: () => Promise.reject(away) }] }).execute(async () => 'work')).toBe('work')
  })

  it('tells what became of each when none answers', async () => {
    const manager = new FallbackManager({ alternatives: [{ name: 'a', when: () => false, answer: () => 1 }, { name: 'b', answer: failing }] })

    const error = await outcomeOf(manager.execute(failing))

    expect(FallbacksFailedError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({
      code: 'ERR_FALLBACKS_FAILED',
      cause: away,
      retryable: true,
      context: { alternatives: [{ name: 'a', outcome: 'not_applicable' }, { name: 'b', outcome: 'failed' }] },
      message: expect.stringContaining('a (not for this failure), b (failed)') as string,
    })
    expect((error as FallbacksFailedError).alternatives[1]).toEqual({ name: 'b', outcome: 'failed', error: away })
    expect(manager.answers.none).toBe(1)
  })

  it('passes the failure on when no alternative is for it', async () => {
    expect(await outcomeOf(createFallback({ alternatives: [{ name: 'a', when: () => false, answer: () => 1 }] }).execute(failing))).toBe(away)
  })

  it.each([
    ['wrong input', new ValidationError('id is missing'), false],
    ['what the caller aborted', new OperationError('aborted', { code: 'ERR_ABORTED' }), false],
    ['an error of unknown origin', new TypeError('x'), true],
    ['a refusal', new OperationError('no'), true],
  ])('stands in for %s or not', async (_name, error, standsIn) => {
    const fallback = createFallback({ alternatives: [{ name: 'a', answer: () => 'stand-in' }] })

    expect(await outcomeOf(fallback.execute(() => Promise.reject(error)))).toBe(standsIn ? 'stand-in' : error)
  })

  it('lets its owner say what is stood in for', async () => {
    const fallback = createFallback({ isHandled: (error) => error !== away, alternatives: [{ name: 'a', answer: () => 'stand-in' }] })

    expect(await outcomeOf(fallback.execute(failing))).toBe(away)
  })

  it('answers within the deadline of the call, or not at all', async () => {
    const clock = new FakeClock()
    let signal: AbortSignal | undefined
    const policy = compose(
      createTimeout({ timeoutMs: 100, clock }),
      createFallback<string>({ alternatives: [{ name: 'slow', answer: (_failure, context) => ((signal = context.signal), new Promise(() => {})) }] }),
    )
    const outcome = outcomeOf(policy.execute(failing))

    await clock.advance(100)

    expect(await outcome).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(signal?.aborted).toBe(true)
  })

  it('asks no further alternative when nobody waits any more', async () => {
    const clock = new FakeClock()
    const asked: string[] = []
    const events: FallbackEvent[] = []
    const slowly = async (name: string, fails: boolean): Promise<string> => {
      asked.push(name)
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 100))
      return fails ? failing() : name
    }
    const alternatives = [
      { name: 'slow', answer: () => slowly('slow', true) },
      { name: 'next', answer: () => slowly('next', false) },
    ]
    const manager = new FallbackManager<string>({ alternatives, onFallback: (event) => events.push(event) })
    const caller = new AbortController()

    const bounded = outcomeOf(compose<string>(createTimeout({ timeoutMs: 50, clock }), manager).execute(failing))
    const unbounded = outcomeOf(manager.execute(failing, { signal: caller.signal }))
    await clock.advance(50)
    caller.abort()
    await clock.advance(200)

    expect(await bounded).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(await unbounded).toBe(away)
    expect(asked).toEqual(['slow', 'slow'])
    expect(events).toEqual([])
    expect(manager.answers).toEqual({ byAlternative: { slow: 0, next: 0 }, none: 0 })
  })

  it('answers for an open breaker', async () => {
    const breaker = createBreaker()
    breaker.trip()
    const policy = compose(createFallback<number>({ alternatives: [{ name: 'zero', answer: () => 0 }] }), breaker)

    expect(await policy.execute(async () => 'answer')).toBe(0)
  })

  it.each([[[]], [[{ name: 'a', answer: () => 1 }, { name: 'a', answer: () => 2 }]]])('refuses alternatives without names of their own', (alternatives) => {
    expect(() => createFallback({ alternatives })).toThrow(expect.objectContaining({ context: { option: 'alternatives' } }))
  })
})

describe('Degradation', () => {
  function service(options: object = {}) {
    const clock = new FakeClock()
    const changes: LevelChange[] = []
    const recorded = recordingMetrics()
    const degradation = new Degradation({ name: 'shop', clock, metrics: recorded.metrics, onLevelChange: (change) => changes.push(change), ...options })
    return { clock, changes, degradation, gauges: recorded.gauges }
  }

  it('goes down when the pressure stays high, and up one step at a time when it stays low', async () => {
    const { clock, changes, degradation, gauges } = service()
    degradation.report('queue', 0.95)
    await clock.advance(999)
    expect(degradation.level).toBe('full')
    await clock.advance(1)
    expect(degradation.level).toBe('minimal')

    degradation.report('queue', 0.1)
    await clock.advance(10_000)
    expect(degradation.level).toBe('reduced')
    await clock.advance(10_000)

    expect(degradation.level).toBe('full')
    expect(changes).toEqual([
      { from: 'full', to: 'minimal', source: 'queue', pressure: 0.95 },
      { from: 'minimal', to: 'reduced', source: 'queue', pressure: 0.1 },
      { from: 'reduced', to: 'full', source: 'queue', pressure: 0.1 },
    ])
    expect(gauges.map((gauge) => (gauge as { value: number }).value)).toEqual([0, 2, 1, 0])
    degradation.dispose()
    expect(clock.pendingTimers).toBe(0)
  })

  it('does not flutter between its thresholds, nor for a moment', async () => {
    const { clock, changes, degradation } = service({ enterAfterMs: 100 })
    degradation.report('queue', 0.8)
    await clock.advance(50)
    degradation.report('queue', 0.2)
    await clock.advance(1_000)
    expect(changes).toEqual([])
    degradation.report('queue', 0.7)
    await clock.advance(100)
    for (let round = 0; round < 20; round++) {
      degradation.report('queue', round % 2 === 0 ? 0.55 : 0.69)
      await clock.advance(5_000)
    }

    expect(changes).toHaveLength(1)
    degradation.dispose()
  })

  it('tells features when they go off and on', async () => {
    const { degradation } = service({ enterAfterMs: 0, leaveAfterMs: 0 })
    const told: string[] = []
    degradation.subscribe('full', (isOn, { to }) => told.push(`recommendations ${isOn} at ${to}`))
    const stop = degradation.subscribe('reduced', (isOn) => told.push(`search ${isOn}`))
    degradation.subscribe('minimal', (isOn) => told.push(`checkout ${isOn}`))
    degradation.subscribe('full', () => {
      throw new TypeError('listener')
    })

    degradation.report('load', 0.75)
    expect([degradation.isOn('full'), degradation.isOn('reduced'), degradation.isOn('minimal')]).toEqual([false, true, true])
    degradation.report('load', 1)
    degradation.report('load', 0)
    stop()
    degradation.report('load', 1)

    expect(told).toEqual(['recommendations false at reduced', 'search false', 'search true', 'recommendations true at full', 'recommendations false at minimal'])
    degradation.dispose()
  })

  it('listens to the source under the highest pressure and forgets one that fell silent', async () => {
    const { clock, degradation } = service({ enterAfterMs: 0, leaveAfterMs: 0, forgetAfterMs: 1_000 })
    degradation.report('memory', 0.2)
    degradation.report('queue', 0.95)
    expect([degradation.level, degradation.pressure]).toEqual(['minimal', 0.95])

    await clock.advance(1_000)

    expect([degradation.level, degradation.pressure]).toEqual(['full', 0])
    expect(clock.pendingTimers).toBe(0)
  })

  it('takes what is no share for the worst or the nearest', () => {
    const { degradation } = service()
    const pressures = [Number.NaN, 7, -3].map((value) => {
      degradation.report('x', value)
      return degradation.pressure
    })

    expect(pressures).toEqual([1, 1, 0])
    degradation.dispose()
  })

  it('holds a level by hand', async () => {
    const { clock, changes, degradation } = service({ enterAfterMs: 0, leaveAfterMs: 10 })
    degradation.hold('minimal')
    degradation.report('queue', 0)
    await clock.advance(1_000)
    expect(degradation.level).toBe('minimal')

    degradation.hold(undefined)
    await clock.advance(20)

    expect(degradation.level).toBe('full')
    expect(changes[0]).toEqual({ from: 'full', to: 'minimal', source: undefined, pressure: 0 })
    degradation.dispose()
    expect(() => degradation.report('queue', 1)).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_DISPOSED' }))
  })

  it.each([
    ['reduced.leaveBelow', { reduced: { enterAt: 0.5, leaveBelow: 0.5 } }],
    ['reduced.enterAt', { reduced: { enterAt: 2, leaveBelow: 0.5 } }],
    ['minimal', { minimal: { enterAt: 0.7, leaveBelow: 0.5 } }],
    ['enterAfterMs', { enterAfterMs: -1 }],
    ['leaveAfterMs', { leaveAfterMs: -1 }],
    ['forgetAfterMs', { forgetAfterMs: 0 }],
  ])('refuses a wrong %s by name', (option, options) => {
    expect(() => new Degradation(options)).toThrow(expect.objectContaining({ context: { option } }))
  })
})
