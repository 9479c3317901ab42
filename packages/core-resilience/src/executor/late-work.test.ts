import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { compose, constantBackoff, createBulkhead, createRetry, createTimeout } from '../index.ts'

describe('work that goes on though nobody waits for it', () => {
  it('holds its place until it has ended itself, whichever attempt it was', async () => {
    const clock = new FakeClock()
    const bulkhead = createBulkhead({ maxConcurrent: 3, clock })
    const policy = compose(createRetry({ clock, maxAttempts: 3, backoff: constantBackoff(10), isRetryable: () => true }), createTimeout({ timeoutMs: 10, clock }), bulkhead)
    const attempts: PromiseWithResolvers<string>[] = []
    const outcome = policy.execute(() => {
      attempts.push(Promise.withResolvers<string>())
      return attempts.at(-1)!.promise
    })
    await clock.advance(45)
    expect([attempts.length, bulkhead.underWay]).toEqual([3, 3])

    attempts[1]!.resolve('too late')
    await clock.advance(0)
    expect(bulkhead.underWay).toBe(2)
    attempts[0]!.reject(new Error('too late'))
    await clock.advance(0)
    expect(bulkhead.underWay).toBe(1)
    attempts[2]!.resolve('in time')

    expect(await outcome).toBe('in time')
    expect([bulkhead.underWay, clock.pendingTimers]).toEqual([0, 0])
  })

  it('gives the places of all bulkheads that it went through back', async () => {
    const clock = new FakeClock()
    const [outer, inner] = [createBulkhead({ maxConcurrent: 1, clock }), createBulkhead({ maxConcurrent: 1, clock })]
    const end = Promise.withResolvers<void>()
    const outcome = compose(createTimeout({ timeoutMs: 10, clock }), outer, inner).execute(() => end.promise).catch((error: { code: string }) => error.code)
    await clock.advance(10)
    expect([await outcome, outer.underWay, inner.underWay]).toEqual(['ERR_TIMEOUT', 1, 1])

    end.resolve()
    await clock.advance(0)

    expect([outer.underWay, inner.underWay]).toEqual([0, 0])
  })
})
