import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { recordingMetrics } from '../../test/recording-metrics.ts'
import { BreakerManager, createBreaker, exponentialRecovery, fixedRecovery, healthProbe, type StateChange, StateManager } from '../index.ts'

const away = new ConnectionError('away')
const failing = (): Promise<never> => Promise.reject(away)
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)
const flush = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('BreakerManager', () => {
  it('keeps a breaker for each key', async () => {
    const manager = new BreakerManager({ consecutiveFailures: 1, clock: new FakeClock() })

    await outcomeOf(manager.execute('a', failing))

    expect(await outcomeOf(manager.execute('a', async () => 1))).toMatchObject({ code: 'ERR_CIRCUIT_OPEN', context: { breaker: 'a' } })
    expect(await manager.execute('b', async () => 2)).toBe(2)
    expect(manager.checkState('a')).toMatchObject({ key: 'a', state: 'open', reason: 'consecutive_failures', timesOpened: 1, openUntilMs: 3_000 })
    expect(manager.checkState('a').history).toMatchObject([{ key: 'a', from: 'closed', to: 'open', reason: 'consecutive_failures' }])
    expect(manager.checkState('never used')).toMatchObject({ state: 'closed', history: [], timesOpened: 0 })
    expect(manager.keys).toEqual(['a', 'b'])
  })

  it('opens and closes by hand', async () => {
    const clock = new FakeClock()
    const changes: StateChange[] = []
    const manager = new BreakerManager({ clock, onTransition: (change) => changes.push(change) })

    manager.tripBreaker('a')
    await clock.advance(1_000_000)
    const refusal = await outcomeOf(manager.execute('a', async () => 1))
    expect(refusal).toMatchObject({ retryAfterMs: Infinity, message: expect.stringContaining('held so by hand') as string })
    manager.resetBreaker('a')
    expect(await manager.execute('a', async () => 1)).toBe(1)
    manager.tripBreaker('a', 500)
    await clock.advance(500)

    expect(await manager.execute('a', async () => 2)).toBe(2)
    expect(changes.map(({ to, reason }) => `${to}: ${reason}`)).toEqual(['open: tripped', 'closed: reset', 'open: tripped', 'half-open: wait_over', 'closed: probes_succeeded'])
    manager.resetBreaker('a')
    manager.resetBreaker('unknown')
    expect(changes).toHaveLength(5)
  })

  it('takes options by key', async () => {
    const manager = new BreakerManager({ consecutiveFailures: 5, optionsFor: (key) => (key === 'fragile' ? { consecutiveFailures: 1 } : {}) })

    await outcomeOf(manager.execute('fragile', failing))
    await outcomeOf(manager.execute('sturdy', failing))

    expect([manager.checkState('fragile').state, manager.checkState('sturdy').state]).toEqual(['open', 'closed'])
  })

  it('keeps no more keys than it may: the closed one that was unused for longest goes', async () => {
    const manager = new BreakerManager({ maxKeys: 3, consecutiveFailures: 1 })
    await outcomeOf(manager.execute('open', failing))
    for (const key of ['old', 'used', 'old', 'used']) await manager.execute(key, async () => 1)
    await manager.execute('old', async () => 1)

    await manager.execute('new', async () => 1)

    expect(manager.keys).toEqual(['open', 'old', 'new'])
    for (const key of ['x', 'y', 'z']) await outcomeOf(manager.execute(key, failing))
    expect(manager.keys).toHaveLength(3)
    expect(manager.states.keys).toHaveLength(3)
  })

  it('hears no late word of a breaker that had to go', async () => {
    const manager = new BreakerManager({ maxKeys: 1, consecutiveFailures: 1 })
    const late = Promise.withResolvers<never>()
    const running = outcomeOf(manager.execute('a', () => late.promise))
    await manager.execute('b', async () => 1)

    late.reject(away)
    await running

    expect(manager.states.keys).toEqual(['b'])
  })

  it('refuses everything once it is disposed of', async () => {
    const manager = new BreakerManager()
    await manager.execute('a', async () => 1)
    manager.dispose()

    expect(await outcomeOf(manager.execute('a', async () => 1))).toMatchObject({ code: 'ERR_RESILIENCE_DISPOSED', message: expect.stringContaining('breaker "a"') as string })
    expect(() => manager.breaker('b')).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_DISPOSED' }))
  })
})

describe('StateManager', () => {
  it.each([
    ['closed', 'half-open', []],
    ['closed', 'closed', []],
    ['half-open', 'half-open', ['open', 'half-open']],
  ] as const)('refuses to go from %s to %s', (_from, to, way) => {
    const states = new StateManager()
    for (const state of way) states.transition('key', state, 'tripped')

    expect(() => states.transition('key', to, 'reset')).toThrow(
      expect.objectContaining({ code: 'ERR_ILLEGAL_TRANSITION', context: { key: 'key', from: way.at(-1) ?? 'closed', to } }),
    )
    expect(states.history('key')).toHaveLength(way.length)
  })

  it('takes a breaker that is open and is tripped for held open, and not for changed', async () => {
    const clock = new FakeClock()
    const heard: string[] = []
    const { metrics, counted } = recordingMetrics()
    const breaker = createBreaker({ consecutiveFailures: 1, openMs: 100, clock, metrics, onStateChange: ({ to, reason }) => heard.push(`${to}: ${reason}`) })
    await outcomeOf(breaker.execute(failing))
    const { sinceMs } = breaker.details

    breaker.trip()
    await clock.advance(1_000)

    expect(breaker.details).toMatchObject({ state: 'open', reason: 'tripped', sinceMs, openUntilMs: Infinity, timesOpened: 1 })
    expect(await outcomeOf(breaker.execute(async () => 1))).toMatchObject({ code: 'ERR_CIRCUIT_OPEN' })
    expect(heard).toEqual(['open: consecutive_failures'])
    expect(counted.filter((entry) => (entry as { name: string }).name === 'smart_whale_breaker_changes_total')).toHaveLength(1)
  })

  it('does not let in what a health check finds that began before it was held open', async () => {
    const clock = new FakeClock()
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const breaker = createBreaker({ consecutiveFailures: 1, clock, recovery: healthProbe({ isHealthy: () => promise, everyMs: 100 }) })
    await outcomeOf(breaker.execute(failing))
    await clock.advance(100)
    await outcomeOf(breaker.execute(async () => 1))

    breaker.trip()
    resolve(true)
    await clock.advance(0)

    expect(breaker.state).toBe('open')
  })

  it('forgets what it counted when it is reset by hand, also while it is closed', async () => {
    const breaker = createBreaker({ consecutiveFailures: 2, minimumCalls: Infinity })
    await outcomeOf(breaker.execute(failing))

    breaker.reset()
    await outcomeOf(breaker.execute(failing))
    expect(breaker.state).toBe('closed')
    await outcomeOf(breaker.execute(failing))

    expect(breaker.state).toBe('open')
  })

  it('remembers so many changes of a key', () => {
    const clock = new FakeClock()
    const states = new StateManager({ historySize: 2, clock })
    states.transition('key', 'open', 'tripped', { openMs: 100 })
    states.transition('key', 'half-open', 'wait_over')
    states.storeHistory({ key: 'key', from: 'half-open', to: 'closed', reason: 'shared', atMs: 1 })

    expect(states.history('key').map(({ to }) => to)).toEqual(['half-open', 'closed'])
    expect(states.history('other')).toEqual([])
    expect(states.manageState('key')).toEqual({ key: 'key', state: 'half-open', reason: 'wait_over', sinceMs: clock.now(), openUntilMs: 0, timesOpened: 1, era: 2 })
  })

  it('tells who subscribed, of one key or of all, until they have enough', () => {
    const states = new StateManager()
    const heard: string[] = []
    const stopAll = states.subscribe(({ key, to }) => heard.push(`all: ${key} ${to}`))
    states.subscribe(({ key, to }) => heard.push(`a: ${key} ${to}`), 'a')
    states.subscribe(() => {
      throw new TypeError('listener')
    })

    states.transition('a', 'open', 'tripped')
    states.transition('b', 'open', 'tripped')
    stopAll()
    states.transition('a', 'closed', 'reset')

    expect(heard).toEqual(['a: a open', 'all: a open', 'all: b open', 'a: a closed'])
  })

  it('keeps no more keys than it may', () => {
    const states = new StateManager({ maxKeys: 2 })
    states.transition('open', 'open', 'tripped')
    states.manageState('closed')
    states.manageState('new')
    expect(states.keys).toEqual(['open', 'new'])
    states.transition('new', 'open', 'tripped')
    states.manageState('newer')
    expect(states.keys).toEqual(['new', 'newer'])
    states.forget('newer')
    expect(states.keys).toEqual(['new'])
  })
})

describe('recovery', () => {
  it('stays open for longer each time it opens again', async () => {
    const clock = new FakeClock()
    const breaker = createBreaker({ consecutiveFailures: 1, clock, recovery: exponentialRecovery({ baseMs: 100, maxMs: 300, jitter: 0 }) })
    const open: number[] = []
    for (let round = 0; round < 3; round++) {
      await outcomeOf(breaker.execute(failing))
      open.push(breaker.details.openUntilMs - clock.monotonic())
      await clock.advance(open.at(-1)!)
    }
    expect(open).toEqual([100, 200, 300])
    await breaker.execute(async () => 1)
    await outcomeOf(breaker.execute(failing))
    expect(breaker.details.openUntilMs - clock.monotonic()).toBe(100)
  })

  it('spreads the time by chance', () => {
    expect(exponentialRecovery({ baseMs: 1000, jitter: 0.5, random: () => 0.5 }).openMs(1)).toBe(750)
    expect(exponentialRecovery({ baseMs: 1000, factor: 3, random: () => 0 }).openMs(2)).toBe(2400)
    expect(fixedRecovery(70).openMs(9)).toBe(70)
  })

  it('asks whether the other side is well before it lets a call through', async () => {
    const clock = new FakeClock()
    let isWell = false
    const questions: AbortSignal[] = []
    const isHealthy = async (signal: AbortSignal): Promise<boolean> => {
      questions.push(signal)
      return isWell
    }
    const breaker = createBreaker({ consecutiveFailures: 1, clock, recovery: healthProbe({ isHealthy, everyMs: 100 }) })
    await outcomeOf(breaker.execute(failing))
    expect(clock.pendingTimers).toBe(0)

    await clock.advance(100)
    expect(await outcomeOf(breaker.execute(async () => 1))).toMatchObject({ code: 'ERR_CIRCUIT_OPEN', retryAfterMs: 0 })
    await flush()
    expect([breaker.state, breaker.details.openUntilMs, questions.length]).toEqual(['open', 200, 1])
    isWell = true
    await clock.advance(100)
    await outcomeOf(breaker.execute(async () => 1))
    await flush()

    expect(breaker.state).toBe('half-open')
    expect(breaker.details.reason).toBe('healthy')
    expect(await breaker.execute(async () => 'answer')).toBe('answer')
    expect(breaker.state).toBe('closed')
  })

  it('says for which key it asks', async () => {
    const clock = new FakeClock()
    const asked: string[] = []
    const recovery = healthProbe({ isHealthy: async (_signal, key) => asked.push(key) > 0 && key === 'b', everyMs: 100 })
    const manager = new BreakerManager({ consecutiveFailures: 1, clock, recovery })
    for (const key of ['a', 'b']) await outcomeOf(manager.execute(key, failing))
    await clock.advance(100)

    for (const key of ['a', 'b']) await outcomeOf(manager.execute(key, async () => 1))
    await flush()

    expect(asked).toEqual(['a', 'b'])
    expect(['a', 'b'].map((key) => manager.checkState(key).state)).toEqual(['open', 'half-open'])
  })

  it('asks once at a time, and takes silence for a no', async () => {
    const clock = new FakeClock()
    let questions = 0
    const isHealthy = (): Promise<boolean> => {
      questions += 1
      return new Promise(() => {})
    }
    const breaker = createBreaker({ consecutiveFailures: 1, clock, recovery: healthProbe({ isHealthy, everyMs: 100, checkTimeoutMs: 50 }) })
    await outcomeOf(breaker.execute(failing))
    await clock.advance(100)
    for (let call = 0; call < 3; call++) await outcomeOf(breaker.execute(async () => 1))
    expect(questions).toBe(1)

    await clock.advance(50)

    expect([breaker.state, breaker.details.openUntilMs, breaker.details.timesOpened]).toEqual(['open', 250, 2])
    expect(clock.pendingTimers).toBe(0)
  })

  it('leaves no question behind when it is disposed of', async () => {
    const clock = new FakeClock()
    let asked: AbortSignal | undefined
    const recovery = healthProbe({ isHealthy: (signal) => new Promise(() => (asked = signal)), everyMs: 100 })
    const breaker = createBreaker({ consecutiveFailures: 1, clock, recovery })
    await outcomeOf(breaker.execute(failing))
    await clock.advance(100)
    await outcomeOf(breaker.execute(async () => 1))

    breaker.dispose()
    await flush()

    expect([asked?.aborted, clock.pendingTimers, breaker.state]).toEqual([true, 0, 'open'])
    expect(await outcomeOf(breaker.execute(async () => 1))).toMatchObject({ code: 'ERR_RESILIENCE_DISPOSED' })
  })
})

describe('createBreaker, windows', () => {
  it('judges by the last so many calls, whenever they were', async () => {
    const clock = new FakeClock()
    const breaker = createBreaker({ consecutiveFailures: Infinity, windowCalls: 4, minimumCalls: 4, failureShare: 0.5, clock })
    for (const fails of [true, false, false]) {
      await outcomeOf(breaker.execute(fails ? failing : async () => 1))
      await clock.advance(3_600_000)
    }
    await breaker.execute(async () => 1)
    await outcomeOf(breaker.execute(failing))
    expect(breaker.state).toBe('closed')

    await outcomeOf(breaker.execute(failing))

    expect(breaker.details).toMatchObject({ state: 'open', reason: 'failure_rate' })
  })

  it('opens when too many calls are slow, though they succeed', async () => {
    const clock = new FakeClock()
    const { metrics, counted, gauges } = recordingMetrics()
    const breaker = createBreaker({ name: 'b', slowCallMs: 100, slowShare: 0.5, minimumCalls: 4, clock, metrics })
    for (const ms of [10, 10, 100, 100]) {
      const running = breaker.execute(() => new Promise<void>((resolve) => clock.setTimeout(resolve, ms)))
      await clock.advance(ms)
      await running
    }

    expect(breaker.details).toMatchObject({ state: 'open', reason: 'slow_calls' })
    expect(counted).toEqual([{ name: 'smart_whale_breaker_changes_total', breaker: 'b', to: 'open', reason: 'slow_calls' }])
    expect(gauges.at(-1)).toEqual({ name: 'smart_whale_breaker_state', breaker: 'b', value: 2 })
  })

  it('takes no refusal of a limit of ours for a failure of the other side', async () => {
    const breaker = createBreaker({ consecutiveFailures: 1 })
    const inner = createBreaker({ name: 'inner' })
    inner.trip()

    await outcomeOf(breaker.execute((context) => inner.execute(async () => 1, context)))

    expect(breaker.state).toBe('closed')
  })

  it.each([
    ['windowCalls', { windowCalls: 0 }],
    ['windowCalls', { windowCalls: 2_000_000 }],
    ['minimumCalls', { windowCalls: 10, minimumCalls: 11 }],
    ['slowCallMs', { slowCallMs: 0 }],
    ['slowShare', { slowShare: 2 }],
    ['openMs', { openMs: -1 }],
  ])('refuses a wrong %s by name', (option, options) => {
    expect(() => createBreaker(options)).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_CONFIGURATION', context: { option } }))
  })
})
