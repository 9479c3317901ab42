import { ConnectionError, ValidationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import {
  AimdLimit,
  type BulkheadRefusal,
  compose,
  type ConcurrencyLimit,
  createAdaptiveLimiter,
  createBulkhead,
  createRateLimiter,
  createRetry,
  createTimeout,
  GradientLimit,
  type LimitChange,
  OverloadError,
  type RateRefusal,
  sleep,
} from '../index.ts'
import { recordingMetrics } from '../../test/recording-metrics.ts'

const away = new ConnectionError('away')
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

describe('createBulkhead', () => {
  it('runs so many at once, lets so many wait, and refuses the next one', async () => {
    const clock = new FakeClock()
    const refusals: BulkheadRefusal[] = []
    const bulkhead = createBulkhead({ name: 'store', maxConcurrent: 1, maxQueued: 1, clock, onRefused: (event) => refusals.push(event) })
    const first = Promise.withResolvers<string>()

    const running = bulkhead.execute(() => first.promise)
    const waiting = bulkhead.execute(async () => 'second')
    const refused = await outcomeOf(bulkhead.execute(async () => 'third'))

    expect(refused).toMatchObject({ code: 'ERR_BULKHEAD_FULL', retryable: true, status: 503, context: { limiter: 'store' } })
    expect(OverloadError.isInstance(refused)).toBe(true)
    expect((refused as Error).message).toContain('bulkhead "store" has no room left')
    expect([bulkhead.name, bulkhead.underWay, bulkhead.queued]).toEqual(['store', 1, 1])
    first.resolve('first')
    expect(await Promise.all([running, waiting])).toEqual(['first', 'second'])
    expect([bulkhead.underWay, bulkhead.queued, clock.pendingTimers]).toEqual([0, 0, 0])
    expect(refusals).toEqual([{ bulkhead: 'store', reason: 'full' }])
  })

  it('gives the place of a call that failed to the next one', async () => {
    const bulkhead = createBulkhead({ maxConcurrent: 1, maxQueued: 5 })
    const order: number[] = []

    const results = [1, 2, 3].map((number) =>
      outcomeOf(
        bulkhead.execute(async () => {
          order.push(number)
          throw away
        }),
      ),
    )

    expect(await Promise.all(results)).toEqual([away, away, away])
    expect(order).toEqual([1, 2, 3])
  })

  it('lets nobody wait longer than allowed, or than its deadline', async () => {
    const clock = new FakeClock()
    const bulkhead = createBulkhead({ maxConcurrent: 1, maxQueued: 5, maxWaitMs: 100, clock })
    void bulkhead.execute(() => new Promise(() => {}))
    const patient = outcomeOf(bulkhead.execute(async () => 'never'))
    const hurried = outcomeOf(bulkhead.execute(async () => 'never', { deadlineAtMs: 40 }))

    await clock.advance(40)
    expect(await hurried).toMatchObject({ code: 'ERR_BULKHEAD_FULL' })
    expect(bulkhead.queued).toBe(1)
    await clock.advance(60)

    const error = await patient
    expect((error as Error).message).toContain('had no room in time')
    expect([bulkhead.queued, clock.pendingTimers]).toEqual([0, 0])
  })

  it('lets a caller leave the queue', async () => {
    const clock = new FakeClock()
    const bulkhead = createBulkhead({ maxConcurrent: 1, maxQueued: 5, clock })
    const abort = new AbortController()
    const first = Promise.withResolvers<void>()
    const running = bulkhead.execute(() => first.promise)
    const leaving = outcomeOf(bulkhead.execute(async () => 'never', { signal: abort.signal }))
    const staying = bulkhead.execute(async () => 'answer')

    abort.abort('bored')

    expect(await leaving).toMatchObject({ code: 'ERR_ABORTED', cause: 'bored' })
    first.resolve()
    await running
    expect(await staying).toBe('answer')
    expect(clock.pendingTimers).toBe(0)
  })

  it('holds the place of work that goes on although nobody waits for it', async () => {
    const clock = new FakeClock()
    const bulkhead = createBulkhead({ maxConcurrent: 1, clock })
    const policy = compose(createTimeout({ timeoutMs: 10, clock }), bulkhead)
    const stubborn = Promise.withResolvers<void>()
    const outcome = outcomeOf(policy.execute(() => stubborn.promise))

    await clock.advance(10)

    expect(await outcome).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(bulkhead.underWay).toBe(1)
    expect(await outcomeOf(policy.execute(async () => 1))).toMatchObject({ code: 'ERR_BULKHEAD_FULL' })
    stubborn.resolve()
    await clock.advance(0)
    expect(bulkhead.underWay).toBe(0)
  })

  it('refuses who waits and who comes once it is disposed of', async () => {
    const clock = new FakeClock()
    const bulkhead = createBulkhead({ maxConcurrent: 1, maxQueued: 5, clock })
    const first = Promise.withResolvers<string>()
    const running = bulkhead.execute(() => first.promise)
    const waiting = outcomeOf(bulkhead.execute(async () => 'never'))

    bulkhead.dispose()

    expect(await waiting).toMatchObject({ code: 'ERR_RESILIENCE_DISPOSED', message: expect.stringContaining('bulkhead "default"') as string })
    expect(await outcomeOf(bulkhead.execute(async () => 1))).toMatchObject({ code: 'ERR_RESILIENCE_DISPOSED' })
    first.resolve('ended by itself')
    expect(await running).toBe('ended by itself')
    expect(clock.pendingTimers).toBe(0)
  })

  it('counts refusals in metrics', async () => {
    const { metrics, counted } = recordingMetrics()
    const bulkhead = createBulkhead({ name: 'b', maxConcurrent: 1, metrics })
    void bulkhead.execute(() => new Promise(() => {}))

    await outcomeOf(bulkhead.execute(async () => 1))

    expect(counted).toEqual([{ name: 'smart_whale_bulkhead_refusals_total', bulkhead: 'b', reason: 'full' }])
  })

  it.each([
    ['maxConcurrent', { maxConcurrent: 0 }],
    ['maxQueued', { maxConcurrent: 1, maxQueued: -1 }],
    ['maxWaitMs', { maxConcurrent: 1, maxWaitMs: Number.NaN }],
  ])('refuses a wrong %s by name', (option, options) => {
    expect(() => createBulkhead(options)).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_CONFIGURATION', context: { option } }))
  })
})

describe('createRateLimiter', () => {
  it('refuses what is too much and says when to come back', async () => {
    const clock = new FakeClock()
    const refusals: RateRefusal[] = []
    const { metrics, counted } = recordingMetrics()
    const limiter = createRateLimiter({ name: 'api', limit: 2, clock, metrics, onRefused: (event) => refusals.push(event) })

    expect(await Promise.all([limiter.execute(async () => 1), limiter.execute(async () => 2)])).toEqual([1, 2])
    const refused = await outcomeOf(limiter.execute(async () => 3))

    expect(refused).toMatchObject({ code: 'ERR_RATE_LIMITED', status: 429, retryAfterMs: 500, context: { limiter: 'api', retryAfterMs: 500 } })
    expect(refusals).toEqual([{ limiter: 'api', retryAfterMs: 500 }])
    expect(counted).toEqual([{ name: 'smart_whale_rate_limit_refusals_total', limiter: 'api' }])
    await clock.advance(500)
    expect(await limiter.execute(async () => 4)).toBe(4)
  })

  it('lets a retry around it wait as long as it says', async () => {
    const clock = new FakeClock()
    const policy = compose(createRetry({ clock, random: () => 0 }), createRateLimiter({ limit: 1, clock }))
    await policy.execute(async () => 1)

    expect(await clock.runUntilSettled(policy.execute(async () => clock.monotonic()))).toBe(1000)
  })

  it('gives the room of the last one that left its turn to who comes next', async () => {
    const clock = new FakeClock()
    const limiter = createRateLimiter({ limit: 1, maxWaitMs: 1500, clock })
    const abort = new AbortController()
    await limiter.execute(async () => 1)
    const leaving = outcomeOf(limiter.execute(async () => 2, { signal: abort.signal }))
    expect(limiter.tryTake()).toBe(2000)

    abort.abort()

    expect(await leaving).toMatchObject({ code: 'ERR_ABORTED' })
    expect(await clock.runUntilSettled(limiter.execute(async () => clock.monotonic()))).toBe(1000)
    expect(clock.pendingTimers).toBe(0)
  })

  it('does not put two at one time when one in the middle leaves', async () => {
    const clock = new FakeClock()
    const limiter = createRateLimiter({ limit: 1, maxWaitMs: 5000, clock })
    const abort = new AbortController()
    await limiter.execute(async () => 1)
    const leaving = outcomeOf(limiter.execute(async () => 2, { signal: abort.signal }))
    const staying = limiter.execute(async () => clock.monotonic())
    abort.abort()
    await leaving
    const next = limiter.execute(async () => clock.monotonic())

    await clock.advance(5000)

    expect(await Promise.all([staying, next])).toEqual([2000, 3000])
  })

  it('lets nobody wait past the deadline', async () => {
    const clock = new FakeClock()
    const limiter = createRateLimiter({ limit: 1, maxWaitMs: 5000, clock })
    await limiter.execute(async () => 1)

    expect(await outcomeOf(limiter.execute(async () => 2, { deadlineAtMs: 1000 }))).toMatchObject({ code: 'ERR_RATE_LIMITED' })
  })

  it('takes room without a call', async () => {
    const clock = new FakeClock()
    const limiter = createRateLimiter({ limit: 10, burst: 2, clock })

    expect([limiter.tryTake(), limiter.tryTake(), limiter.tryTake()]).toEqual([0, 0, 100])
    await clock.advance(99)
    expect(limiter.tryTake()).toBe(1)
    await clock.advance(1)
    expect([limiter.tryTake(), limiter.name]).toEqual([0, 'default'])
  })

  it('refuses who waits and who comes once it is disposed of', async () => {
    const clock = new FakeClock()
    const limiter = createRateLimiter({ limit: 1, maxWaitMs: 5000, clock })
    await limiter.execute(async () => 1)
    const waiting = outcomeOf(limiter.execute(async () => 2))

    limiter.dispose()

    expect(await waiting).toMatchObject({ code: 'ERR_RESILIENCE_DISPOSED', message: expect.stringContaining('rate limiter "default"') as string })
    expect(await outcomeOf(limiter.execute(async () => 3))).toMatchObject({ code: 'ERR_RESILIENCE_DISPOSED' })
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([
    ['limit', { limit: 0 }],
    ['perMs', { limit: 1, perMs: 0 }],
    ['burst', { limit: 1, burst: 0 }],
    ['maxWaitMs', { limit: 1, maxWaitMs: -1 }],
  ])('refuses a wrong %s by name', (option, options) => {
    expect(() => createRateLimiter(options)).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_CONFIGURATION', context: { option } }))
  })
})

describe('createAdaptiveLimiter', () => {
  /** A server that does `capacity` calls at once in `serviceMs` each and lets the others queue. */
  function server(clock: FakeClock, capacity: number, serviceMs: number) {
    const busyUntil = new Array<number>(capacity).fill(0)
    return async (): Promise<void> => {
      const slot = busyUntil.indexOf(Math.min(...busyUntil))
      const begin = Math.max(clock.monotonic(), busyUntil[slot]!)
      busyUntil[slot] = begin + serviceMs
      await sleep(begin + serviceMs - clock.monotonic(), { clock })
    }
  }

  async function drive(algorithm: 'gradient' | 'aimd', capacity: number, failing = false) {
    const clock = new FakeClock()
    const changes: LimitChange[] = []
    const limiter = createAdaptiveLimiter({ algorithm, initialLimit: 20, maxLimit: 200, clock, onLimitChange: (change) => changes.push(change) })
    const work = server(clock, capacity, 20)
    for (let tick = 0; tick < 600; tick++) {
      for (let call = 0; call < 30; call++) {
        void outcomeOf(limiter.execute(async () => {
          await work()
          if (failing) throw away
        }))
      }
      await clock.advance(10)
    }
    await clock.advance(5000)
    return { limiter, changes, clock }
  }

  it('rises while the other side keeps up', async () => {
    const { limiter, changes } = await drive('gradient', 1_000)

    expect(limiter.limit).toBeGreaterThan(30)
    expect(changes[0]).toMatchObject({ limiter: 'default', from: 20 })
  })

  it('stays near what the other side can bear', async () => {
    const { limiter, clock } = await drive('gradient', 10)

    expect(limiter.limit).toBeGreaterThan(8)
    expect(limiter.limit).toBeLessThan(60)
    expect([limiter.underWay, limiter.queued, clock.pendingTimers]).toEqual([0, 0, 0])
  })

  it('falls when calls fail', async () => {
    expect((await drive('aimd', 1_000, true)).limiter.limit).toBe(1)
    expect((await drive('aimd', 1_000)).limiter.limit).toBeGreaterThan(30)
  })

  it('refuses what is above the limit and counts it', async () => {
    const { metrics, counted, gauges } = recordingMetrics()
    const limiter = createAdaptiveLimiter({ name: 'db', initialLimit: 1, metrics })
    void limiter.execute(() => new Promise(() => {}))

    const refused = await outcomeOf(limiter.execute(async () => 1))

    expect(refused).toMatchObject({ code: 'ERR_CONCURRENCY_LIMITED', context: { limiter: 'db' }, message: expect.stringContaining('lets 1 calls through') as string })
    expect(counted).toEqual([{ name: 'smart_whale_concurrency_refusals_total', limiter: 'db' }])
    expect(gauges).toEqual([{ name: 'smart_whale_concurrency_limit', limiter: 'db', value: 1 }])
  })

  it('learns nothing from calls whose caller left', async () => {
    const clock = new FakeClock()
    const limiter = createAdaptiveLimiter({ algorithm: 'aimd', windowCalls: 1, windowMs: 0, clock })
    const abort = new AbortController()
    const leaving = outcomeOf(limiter.execute(({ signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(away))), { signal: abort.signal }))
    abort.abort()
    await leaving

    expect(limiter.limit).toBe(20)
    await outcomeOf(limiter.execute(async () => Promise.reject(new ValidationError('x'))))
    expect(limiter.limit).toBe(20)
    await outcomeOf(limiter.execute(async () => Promise.reject(away)))
    expect(limiter.limit).toBe(18)
  })

  it('learns again how long calls take once a slow time is over', () => {
    const gradient = new GradientLimit()
    const next = (meanMs: number): number => gradient.next(10, { meanMs, mostUnderWay: 10, wasOverloaded: false })
    next(1_000)
    for (let window = 0; window < 200; window++) next(10)

    // By the long run of the slow time a hundred milliseconds would still be quick.
    expect(next(100)).toBeLessThan(10)
  })

  it('takes no wait for a place for a part of the call', async () => {
    const clock = new FakeClock()
    const means: number[] = []
    const algorithm: ConcurrencyLimit = {
      next: (limit, { meanMs }) => {
        means.push(meanMs)
        return limit
      },
    }
    const limiter = createAdaptiveLimiter({ clock, algorithm, initialLimit: 1, maxQueued: 1, windowCalls: 1, windowMs: 0 })
    const taking = (ms: number) => limiter.execute(() => new Promise<void>((resolve) => clock.setTimeout(resolve, ms)))

    const both = [taking(100), taking(30)]
    await clock.advance(130)
    await Promise.all(both)

    expect(means).toEqual([100, 30])
  })

  it('keeps no place back when its rule throws', async () => {
    const clock = new FakeClock()
    const broken = new TypeError('broken rule')
    const isOverload = (): never => {
      throw broken
    }
    const limiter = createAdaptiveLimiter({ clock, initialLimit: 1, maxQueued: 1, isOverload })
    const bounded = compose(createTimeout({ timeoutMs: 50, clock }), limiter)
    const { promise, resolve } = Promise.withResolvers<void>()

    expect(await outcomeOf(limiter.execute(() => Promise.reject(new ConnectionError('away'))))).toBe(broken)
    const left = outcomeOf(bounded.execute(() => promise))
    await clock.advance(50)
    const next = limiter.execute(async () => 'next')
    resolve()

    expect(await left).toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(await next).toBe('next')
    expect(limiter.underWay).toBe(0)
  })

  it('is disposed of like a bulkhead', async () => {
    const limiter = createAdaptiveLimiter({ initialLimit: 1, maxQueued: 1 })
    limiter.dispose()

    expect(await outcomeOf(limiter.execute(async () => 1))).toMatchObject({ code: 'ERR_RESILIENCE_DISPOSED', message: expect.stringContaining('adaptive limiter "default"') as string })
    expect(limiter.name).toBe('default')
  })

  it('follows the rules of its sources', () => {
    const busy = { meanMs: 10, mostUnderWay: 20, wasOverloaded: false }
    const gradient = new GradientLimit()
    expect(gradient.next(20, busy)).toBeCloseTo(20.8)
    expect(gradient.next(20, { ...busy, mostUnderWay: 9 })).toBe(20)
    // Three times as slow: half of the limit at most, a fifth of the way at once.
    expect(gradient.next(20, { ...busy, meanMs: 100 })).toBeCloseTo(16 + (10 + 4) * 0.2)
    expect(gradient.next(20, { ...busy, wasOverloaded: true })).toBe(18)
    const aimd = new AimdLimit()
    expect([aimd.next(20, busy), aimd.next(20, { ...busy, mostUnderWay: 9 }), aimd.next(20, { ...busy, wasOverloaded: true })]).toEqual([21, 20, 18])
  })

  it.each([
    ['initialLimit', { initialLimit: 0 }],
    ['minLimit', { minLimit: 0 }],
    ['maxLimit', { minLimit: 5, maxLimit: 4 }],
    ['windowMs', { windowMs: -1 }],
    ['windowCalls', { windowCalls: 0 }],
  ])('refuses a wrong %s by name', (option, options) => {
    expect(() => createAdaptiveLimiter(options)).toThrow(expect.objectContaining({ context: { option } }))
  })
})
