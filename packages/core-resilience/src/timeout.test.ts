import { TimeoutError, ValidationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { recordingMetrics } from '../test/recording-metrics.ts'
import { createTimeout, sleep, withDeadline } from './index.ts'

const never = (): Promise<never> => new Promise(() => {})

describe('withDeadline', () => {
  it('passes the result of work that is in time on and leaves no timer', async () => {
    const clock = new FakeClock()

    expect(await withDeadline(async () => 'answer', { timeoutMs: 1000, clock })).toBe('answer')
    expect(clock.pendingTimers).toBe(0)
  })

  it('passes the failure of work on as it is, also one thrown before the first await', async () => {
    const clock = new FakeClock()
    const failure = new TypeError('broken')
    const work = (): Promise<never> => {
      throw failure
    }

    await expect(withDeadline(work, { timeoutMs: 1000, clock })).rejects.toBe(failure)
    expect(clock.pendingTimers).toBe(0)
  })

  it('rejects at the deadline even if the work takes no notice, and says what was too slow', async () => {
    const clock = new FakeClock()
    const running = withDeadline(never, { timeoutMs: 1000, clock, what: 'query 17' })
    const outcome = running.catch((error: unknown) => error)

    await clock.advance(1000)

    const error = await outcome
    expect(TimeoutError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', retryable: true, context: { timeoutMs: 1000 } })
    expect((error as Error).message).toContain('query 17')
  })

  it('aborts the work’s signal at the deadline, with the error as reason', async () => {
    const clock = new FakeClock()
    let signal: AbortSignal | undefined
    const running = withDeadline(
      (context) => {
        signal = context.signal
        return never()
      },
      { timeoutMs: 5, clock },
    )
    const outcome = running.catch((error: unknown) => error)

    await clock.advance(5)

    expect(signal?.aborted).toBe(true)
    expect(signal?.reason).toBe(await outcome)
  })

  it('shows an aborted signal to work that asks for it only after the deadline', async () => {
    const clock = new FakeClock()
    let readLater: (() => AbortSignal) | undefined
    const running = withDeadline(
      (context) => {
        readLater = () => context.signal
        return never()
      },
      { timeoutMs: 5, clock },
    ).catch(() => {})
    await clock.advance(5)
    await running

    expect(readLater?.().aborted).toBe(true)
  })

  it('ends with the caller’s signal, hands its reason to the work and takes its listener off', async () => {
    const clock = new FakeClock()
    const abort = new AbortController()
    let reason: unknown
    const running = withDeadline(
      (context) => {
        context.signal.addEventListener('abort', () => (reason = context.signal.reason))
        return never()
      },
      { timeoutMs: 1000, clock, signal: abort.signal },
    )

    abort.abort('enough')

    await expect(running).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough', status: 499 })
    expect(reason).toBe('enough')
    expect(clock.pendingTimers).toBe(0)
  })

  it('does not begin for a caller that has already given up', async () => {
    let began = false
    const work = async (): Promise<void> => {
      began = true
    }

    await expect(withDeadline(work, { timeoutMs: 10, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(began).toBe(false)
  })

  it('drops what the work says after the deadline', async () => {
    const clock = new FakeClock()
    const work = async (): Promise<never> => {
      await sleep(20, { clock })
      throw new TypeError('too late to matter')
    }
    const outcome = withDeadline(work, { timeoutMs: 10, clock }).catch((error: unknown) => error)

    await clock.advance(30)

    expect(await outcome).toMatchObject({ code: 'ERR_TIMEOUT' })
  })

  it('tells the work its deadline, the earlier one when deadlines nest', async () => {
    const clock = new FakeClock()
    const outer = createTimeout({ timeoutMs: 100, clock })
    const inner = createTimeout({ timeoutMs: 500, clock })
    await clock.advance(7)

    expect(await outer.execute((context) => inner.execute(async ({ deadlineAtMs }) => deadlineAtMs, context))).toBe(107)
  })

  it('says when the time that it had was cut short from above', async () => {
    const clock = new FakeClock()
    const failureOf = async (deadlineAtMs: number | undefined): Promise<unknown> => {
      const failing = createTimeout({ timeoutMs: 1000, clock, what: 'query 17' }).execute(never, { deadlineAtMs }).catch((error: unknown) => error)
      await clock.advance(1000)
      return failing
    }

    expect(await failureOf(clock.monotonic() + 10)).toMatchObject({ code: 'ERR_TIMEOUT', message: expect.stringContaining('a part of'), context: { timeoutMs: 1000 } })
    expect(await failureOf(clock.monotonic() + 2000)).toMatchObject({ message: expect.stringContaining('longer than 1000 ms') })
    expect(await failureOf(undefined)).toMatchObject({ message: expect.stringContaining('longer than 1000 ms') })
  })

  it('counts what took too long, and tells of it', async () => {
    const clock = new FakeClock()
    const { metrics, counted } = recordingMetrics()
    const heard: unknown[] = []
    const policy = createTimeout({ timeoutMs: 10, what: 'query 17', clock, metrics, onTimeout: (event) => heard.push(event) })
    const outcome = policy.execute(never).catch(() => {})
    await policy.execute(async () => 'in time')

    await clock.advance(10)
    await outcome

    expect(counted).toEqual([{ name: 'smart_whale_timeouts_total', what: 'query 17' }])
    expect(heard).toEqual([{ what: 'query 17', timeoutMs: 10 }])
  })

  it('leaves no inner timer when an outer deadline passes', async () => {
    const clock = new FakeClock()
    const outer = createTimeout({ timeoutMs: 100, clock })
    const inner = createTimeout({ timeoutMs: 500, clock })
    const outcome = outer.execute((context) => inner.execute(never, context)).catch((error: unknown) => error)

    await clock.advance(100)

    expect(await outcome).toMatchObject({ context: { timeoutMs: 100 } })
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([0, -1, Number.NaN, Infinity, 2 ** 31, '5' as unknown as number])('refuses timeoutMs %s by name', async (timeoutMs) => {
    const refusal = await withDeadline(never, { timeoutMs }).catch((error: unknown) => error)

    expect(ValidationError.isInstance(refusal)).toBe(true)
    expect(refusal).toMatchObject({ issues: [{ path: ['timeoutMs'] }] })
    expect(() => createTimeout({ timeoutMs })).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_CONFIGURATION' }))
  })
})

describe('sleep', () => {
  it('waits as long as it is told', async () => {
    const clock = new FakeClock()
    let awake = false
    const sleeping = sleep(100, { clock }).then(() => (awake = true))

    await clock.advance(99)
    expect(awake).toBe(false)
    await clock.advance(1)
    expect(awake).toBe(true)
    await sleeping
  })

  it('ends early with the signal and leaves no timer', async () => {
    const clock = new FakeClock()
    const abort = new AbortController()
    const sleeping = sleep(100, { clock, signal: abort.signal })

    abort.abort()

    await expect(sleeping).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('does not begin under an aborted signal', async () => {
    const clock = new FakeClock()

    await expect(sleep(100, { clock, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('refuses what is no duration', async () => {
    await expect(sleep(-1)).rejects.toMatchObject({ code: 'ERR_VALIDATION', issues: [{ path: ['ms'] }] })
  })
})
