import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { exponentialBackoff } from './backoff.ts'
import { createRetryBudget } from './retry-budget.ts'
import { RetryManager } from './retry-manager.ts'
import type { RetryOptions } from './retry-options.ts'

const away = new ConnectionError('away')
const busyFor = (retryAfterMs: number): ConnectionError => new ConnectionError('busy', { context: { retryAfterMs } })

/** A retry, and the waits that it made. */
function retrying({ clock = new FakeClock(), ...options }: Partial<RetryOptions> & { clock?: FakeClock } = {}) {
  const waits: number[] = []
  const retry = new RetryManager({ clock, maxAttempts: 2, baseDelayMs: 10, random: () => 0.5, budget: false, onRetry: ({ delayMs }) => waits.push(delayMs), ...options })
  const run = (work: () => Promise<unknown>): Promise<unknown> => clock.runUntilSettled(retry.attemptRetry(work)).catch((error: unknown) => error)
  return { retry, waits, run }
}

describe('A retry', () => {
  it.each([['the same clock', true], ['another clock', false]])('earns what its budget grants by first attempts alone (%s)', async (_name, isSame) => {
    const clock = new FakeClock()
    const budget = createRetryBudget({ share: 0.5, minimumPerSecond: 0, clock: isSame ? clock : new FakeClock() })
    const { retry, run } = retrying({ clock, budget })

    await run(() => Promise.reject(away))
    expect(retry.trackAttempts()).toMatchObject({ retries: 0, givenUp: { budget: 1 } })
    for (let call = 0; call < 3; call++) await run(async () => 1)
    for (let call = 0; call < 5; call++) await run(() => Promise.reject(away))

    // Nine first attempts, half of which may be made again.
    expect(retry.trackAttempts()).toMatchObject({ executions: 9, retries: 4, givenUp: { budget: 2, attempts: 4 } })
  })

  it('counts as recovered what failed before it succeeded, and nothing else', async () => {
    const { retry, run } = retrying()
    let calls = 0

    await run(async () => 1)
    expect(retry.trackAttempts().recovered).toBe(0)
    await run(() => (++calls === 1 ? Promise.reject(away) : Promise.resolve(1)))

    expect(retry.trackAttempts()).toMatchObject({ executions: 2, retries: 1, recovered: 1 })
  })

  it('takes each wait from the one before, where its jitter asks for that', async () => {
    const backoff = exponentialBackoff({ baseMs: 10, maxMs: 10_000, jitter: 'decorrelated' })
    const { waits, run } = retrying({ maxAttempts: 4, backoff })

    await run(() => Promise.reject(away))

    expect(waits).toEqual([backoff.delayMs(1, 0, () => 0.5), backoff.delayMs(2, waits[0]!, () => 0.5), backoff.delayMs(3, waits[1]!, () => 0.5)])
    expect(new Set(waits).size).toBe(3)
  })

  it('waits as long as it is asked to, up to its longest wait', async () => {
    const { waits, run } = retrying({ maxDelayMs: 500, random: () => 0 })

    await run(() => Promise.reject(busyFor(500)))
    await run(() => Promise.reject(busyFor(501)))

    expect(waits).toEqual([500])
  })
})
