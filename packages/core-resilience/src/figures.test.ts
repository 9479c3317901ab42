import { describe, expect, it } from 'vitest'
import { deadDependency } from '../test/figures/dead-dependency.ts'
import { halfOpenPermits } from '../test/figures/half-open-permits.ts'
import { retryBurst } from '../test/figures/retry-burst.ts'

/** Numbers that look like chance and are the same each time. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe('a dependency that is dead for a minute at 200 requests a second', () => {
  it.each([
    ['refuses', true],
    ['black hole', true],
    ['refuses', false],
  ] as const)('%s, breaker %s: is called at most 1.25 times for each request, and in use again within 5 s of its return', async (death, withBreaker) => {
    const figures = await deadDependency(death, withBreaker, seeded(1))

    expect(figures.successBefore).toBe(1)
    expect(figures.callsPerRequest).toBeLessThanOrEqual(withBreaker ? 0.05 : 1.25)
    expect(figures.successAfterReturn).toBeGreaterThanOrEqual(0.95)
  })
})

describe('1,000 callers that fail within one millisecond', () => {
  it('come back evenly: at no time more than three times the mean', async () => {
    const { retries, peakAgainstMean } = await retryBurst(seeded(1))

    expect(retries).toBe(1_000)
    expect(peakAgainstMean).toBeLessThanOrEqual(3)
  })
})

describe('1,000 callers of a half-open breaker', () => {
  it.each([1, 3, 10])('are let through %i at a time', async (permits) => {
    expect(await halfOpenPermits(permits)).toEqual({ mostAtOnce: permits, refused: 1_000 - permits, state: 'closed' })
  })
})
