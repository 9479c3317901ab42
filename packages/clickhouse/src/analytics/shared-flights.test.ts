import { createRetry } from '@smart-whale/core-resilience'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { SharedFlights } from './shared-flights.ts'

/** A load that the test lands, and that tells whether it was aborted. */
function controlledLoad() {
  const state: { signal?: AbortSignal; starts: number } = { starts: 0 }
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const load = (signal: AbortSignal): Promise<string> => {
    state.signal = signal
    state.starts += 1
    return promise
  }
  return { load, state, land: resolve, crash: reject }
}

const passenger = { timeoutMs: 1000, what: 'the test' }

describe('loads that several callers want at once', () => {
  it('belong to none of them: neither the attempts of the first one count for it, nor its deadline', async () => {
    const clock = new FakeClock()
    const flights = new SharedFlights<string>(clock)
    const inner = createRetry({ name: 'inner', maxAttempts: 3, baseDelayMs: 1, isRetryable: () => true, clock })
    const outer = createRetry({ name: 'outer', maxAttempts: 2, ambient: true, isRetryable: () => true, clock })
    let attempts = 0
    const load = (): Promise<string> =>
      inner.execute(async () => {
        attempts += 1
        if (attempts < 3) throw new RangeError('not yet')
        return 'answer'
      })

    const first = outer.execute(() => flights.join('a', load, passenger).result)
    const second = flights.join('a', load, passenger)
    await clock.runUntilSettled(Promise.all([first, second.result]))

    expect(second.shared).toBe(true)
    expect([await first, await second.result, attempts]).toEqual(['answer', 'answer', 3])
  })

  it('run once, and everybody gets the result', async () => {
    const flights = new SharedFlights<string>()
    const { load, state, land } = controlledLoad()

    const joined = [1, 2, 3].map(() => flights.join('a', load, passenger))
    land('answer')

    expect(await Promise.all(joined.map(({ result }) => result))).toEqual(['answer', 'answer', 'answer'])
    expect(joined.map(({ shared }) => shared)).toEqual([false, true, true])
    expect(state.starts).toBe(1)
    expect(flights.size).toBe(0)
  })

  it('run apart when they are for different things', async () => {
    const flights = new SharedFlights<string>()
    const one = controlledLoad()
    const other = controlledLoad()

    const first = flights.join('a', one.load, passenger)
    const second = flights.join('b', other.load, passenger)

    expect(second.shared).toBe(false)
    expect(flights.size).toBe(2)
    one.land('of a')
    other.land('of b')
    expect(await Promise.all([first.result, second.result])).toEqual(['of a', 'of b'])
  })

  it('go on when one caller leaves, and end when the last one has left', async () => {
    const flights = new SharedFlights<string>()
    const { load, state } = controlledLoad()
    const [one, two] = [new AbortController(), new AbortController()]
    const first = flights.join('a', load, { ...passenger, signal: one.signal }).result
    const second = flights.join('a', load, { ...passenger, signal: two.signal }).result

    one.abort()
    await expect(first).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    const abortedAfterOne = state.signal?.aborted
    two.abort()
    await expect(second).rejects.toMatchObject({ code: 'ERR_ABORTED' })

    expect(abortedAfterOne).toBe(false)
    expect(state.signal?.aborted).toBe(true)
    expect(flights.size).toBe(0)
  })

  it('are not joined any more once they are being aborted', async () => {
    const flights = new SharedFlights<string>()
    const doomed = controlledLoad()
    const leaving = new AbortController()
    const left = flights.join('a', doomed.load, { ...passenger, signal: leaving.signal }).result
    leaving.abort()
    await expect(left).rejects.toMatchObject({ code: 'ERR_ABORTED' })

    const next = controlledLoad()
    const { shared, result } = flights.join('a', next.load, passenger)
    next.land('fresh')

    expect(shared).toBe(false)
    expect(await result).toBe('fresh')
  })

  it('let each caller wait only as long as it wants', async () => {
    const clock = new FakeClock()
    const flights = new SharedFlights<string>(clock)
    const { load, state, land } = controlledLoad()
    const hasty = flights.join('a', load, { ...passenger, timeoutMs: 10 }).result
    const patient = flights.join('a', load, { ...passenger, timeoutMs: 1000 }).result
    const outcome = expect(hasty).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })

    await clock.advance(10)
    await outcome
    land('late')

    expect(await patient).toBe('late')
    expect(state.signal?.aborted).toBe(false)
    expect(clock.pendingTimers).toBe(0)
  })

  it('fail for everybody, once', async () => {
    const flights = new SharedFlights<string>()
    const { load, crash } = controlledLoad()
    const joined = [1, 2].map(() => flights.join('a', load, passenger).result)

    crash(new TypeError('no'))

    expect((await Promise.allSettled(joined)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(flights.size).toBe(0)
  })
})
