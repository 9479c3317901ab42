import { ConnectionError, type Policy } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { compose, createBreaker, createRetry, createTimeout } from './index.ts'

const away = new ConnectionError('the server is away')

/** A policy of somebody else: knows only the signal. */
const noting = (name: string, notes: string[]): Policy => ({
  execute: async (work, call) => {
    notes.push(`${name} in`)
    const result = await work({ signal: call?.signal ?? new AbortController().signal })
    notes.push(`${name} out`)
    return result
  },
})

describe('compose', () => {
  it('runs the first policy outermost', async () => {
    const notes: string[] = []

    await compose(noting('outer', notes), noting('inner', notes)).execute(async () => notes.push('work'))

    expect(notes).toEqual(['outer in', 'inner in', 'work', 'inner out', 'outer out'])
  })

  it('keeps the order of policies within compositions, also around one of somebody else', async () => {
    const notes: string[] = []
    const inner = compose(compose(noting('first', notes)), noting('second', notes))
    const after = { execute: (work, call) => noting('last', notes).execute(work, call) } satisfies Policy

    const answer = await compose(createRetry(), inner, createBreaker(), after).execute(async () => notes.push('work'))

    expect(answer).toBe(4)
    expect(notes).toEqual(['first in', 'second in', 'last in', 'work', 'last out', 'second out', 'first out'])
  })

  it('says of the outermost policy that has a name for it what was aborted', async () => {
    const clock = new FakeClock()
    const named = compose(compose(), createTimeout({ timeoutMs: 100, clock, what: 'the price' }), createTimeout({ timeoutMs: 50, clock, what: 'one attempt' }))
    const abort = new AbortController()
    const outcome = named.execute(() => new Promise(() => {}), { signal: abort.signal }).catch((error: Error) => error.message)

    abort.abort()

    expect(await outcome).toContain('the price')
  })

  it('passes over no policy of an inner composition that has something to do for each call', async () => {
    const clock = new FakeClock()
    const breaker = createBreaker({ clock, consecutiveFailures: 1 })
    const policy = compose(compose(createRetry({ clock, maxAttempts: 1 })), compose(breaker))

    await policy.execute(() => Promise.reject(away)).catch(() => {})

    expect(breaker.state).toBe('open')
    await expect(policy.execute(async () => 1)).rejects.toMatchObject({ code: 'ERR_CIRCUIT_OPEN' })
  })

  it('runs the work as it is without any policy, under the caller’s signal', async () => {
    const { signal } = new AbortController()

    expect(await compose().execute(async (context) => context.signal, { signal })).toBe(signal)
    expect(await compose().execute(async (context) => context.signal.aborted)).toBe(false)
  })

  it('carries the caller’s signal through every layer', async () => {
    const clock = new FakeClock()
    const abort = new AbortController()
    const policy = compose(createTimeout({ timeoutMs: 1000, clock }), createRetry({ clock }), createBreaker({ clock }), createTimeout({ timeoutMs: 500, clock }))
    let heard = false
    const running = policy.execute(
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            heard = true
            reject(signal.reason as Error)
          })
        }),
      { signal: abort.signal },
    )

    abort.abort('closing')

    await expect(running).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'closing' })
    expect(heard).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('gives each attempt its own deadline and the whole another', async () => {
    const clock = new FakeClock()
    let attempts = 0
    const policy = compose(
      createTimeout({ timeoutMs: 1000, clock }),
      createRetry({ clock, maxAttempts: 10, baseDelayMs: 1, maxDelayMs: 1, random: () => 0.5 }),
      createTimeout({ timeoutMs: 300, clock }),
    )
    const running = policy.execute(() => {
      attempts += 1
      return new Promise(() => {})
    })

    await expect(clock.runUntilSettled(running)).rejects.toMatchObject({ code: 'ERR_TIMEOUT', context: { timeoutMs: 1000 } })
    expect(attempts).toBe(4)
    expect(clock.monotonic()).toBe(1000)
    expect(clock.pendingTimers).toBe(0)
  })

  it('lets a retry outlast an open breaker by waiting as long as it asks', async () => {
    const clock = new FakeClock()
    let healthyAt = 700
    const breaker = createBreaker({ clock, consecutiveFailures: 1, openMs: 500 })
    const policy = compose(createRetry({ clock, maxAttempts: 5, baseDelayMs: 1, random: () => 0 }), breaker)

    const answer = clock.runUntilSettled(
      policy.execute(async () => {
        if (clock.monotonic() < healthyAt) throw away
        healthyAt = 0
        return 'answer'
      }),
    )

    expect(await answer).toBe('answer')
    expect(clock.monotonic()).toBe(1000)
    expect(breaker.state).toBe('closed')
  })

  it('leaves nothing behind after a success', async () => {
    const clock = new FakeClock()
    const policy = compose(createTimeout({ timeoutMs: 1000, clock }), createRetry({ clock }), createBreaker({ clock }), createTimeout({ timeoutMs: 500, clock }))

    expect(await policy.execute(async () => 'answer')).toBe('answer')
    expect(clock.pendingTimers).toBe(0)
  })
})
