import { ConnectionError, ValidationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { BreakerOpenError, createBulkhead, createFallback, createTimeout, FallbacksFailedError } from './index.ts'

describe('what an error says', () => {
  it.each([
    [250, 'breaker "db" is open after too many failures; the next probe is let through in 250 ms: try again then, or answer without it'],
    [0.2, 'breaker "db" is open after too many failures; the next probe is let through in 1 ms: try again then, or answer without it'],
    [0, 'breaker "db" is open after too many failures; a probe is under way: try again then, or answer without it'],
    [Infinity, 'breaker "db" is open and held so by hand until it is reset: try again then, or answer without it'],
  ])('of a breaker that opens in %s ms', (retryAfterMs, message) => {
    expect(new BreakerOpenError('db', retryAfterMs)).toMatchObject({ message, retryAfterMs })
  })

  it.each([
    [0, '0'],
    [null, 'null'],
    ['7', 'string'],
    [{ secret: 1 }, 'object'],
  ])('of an option that is %s', (timeoutMs, found) => {
    expect(() => createTimeout({ timeoutMs: timeoutMs as number })).toThrow(new RegExp(`^option timeoutMs must be .+, got ${found}$`))
  })
})

describe('FallbacksFailedError', () => {
  it.each([
    ['retryable when the work’s own failure is', new ConnectionError('away'), true],
    ['not retryable when that is not', new ValidationError('wrong', { issues: [] }), false],
    ['not retryable when nothing is known of it', new RangeError('of unknown origin'), false],
  ])('is %s', async (_what, failure, retryable) => {
    const fallback = createFallback({ isHandled: () => true, alternatives: [{ name: 'none', answer: () => Promise.reject(new Error('empty')) }] })
    const error: unknown = await fallback.execute(() => Promise.reject(failure)).catch((thrown: unknown) => thrown)

    expect(FallbacksFailedError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ retryable, cause: failure, alternatives: [{ name: 'none', outcome: 'failed' }] })
  })
})

describe('a refusal', () => {
  it('has no stack to walk, and leaves those of other errors as long as they were', async () => {
    const bulkhead = createBulkhead({ maxConcurrent: 1, clock: new FakeClock() })
    const release = Promise.withResolvers<void>()
    const first = bulkhead.execute(() => release.promise)
    const before = Error.stackTraceLimit

    const refusal = (await bulkhead.execute(async () => {}).catch((thrown: unknown) => thrown)) as Error
    release.resolve()
    await first

    expect(refusal.stack?.split('\n')).toHaveLength(1)
    expect(Error.stackTraceLimit).toBe(before)
  })
})
