import { ConnectionError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { BreakerOpenError, createBreaker } from '../../src/index.ts'

/** How many of 1,000 callers a half-open breaker lets through at once, and what became of the others. */
export async function halfOpenPermits(permits: number): Promise<{ readonly mostAtOnce: number; readonly refused: number; readonly state: string }> {
  const clock = new FakeClock()
  const breaker = createBreaker({ consecutiveFailures: 1, openMs: 100, halfOpenProbes: permits, successesToClose: permits, clock })
  await breaker.execute(() => Promise.reject(new ConnectionError('away'))).catch(() => {})
  await clock.advance(100)
  let atOnce = 0
  let mostAtOnce = 0
  const { promise: answer, resolve } = Promise.withResolvers<void>()
  const callers = Array.from({ length: 1_000 }, () =>
    breaker.execute(async () => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce)
      await answer
      atOnce -= 1
    }),
  )
  resolve()
  const outcomes = await Promise.allSettled(callers)
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected' && BreakerOpenError.isInstance(outcome.reason)).length
  return { mostAtOnce, refused, state: breaker.state }
}
