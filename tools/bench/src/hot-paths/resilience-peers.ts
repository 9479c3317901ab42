import { bulkhead, circuitBreaker, ConsecutiveBreaker, ExponentialBackoff, fallback, handleAll, type IPolicy, retry, timeout, TimeoutStrategy, wrap } from 'cockatiel'
import CircuitBreaker from 'opossum'

/** Work that a contender guards. */
export type Work = () => Promise<number>

/** Cockatiel's policies, each as its documentation shows it. */
export const cockatiel = {
  breaker: (): IPolicy => circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
  bulkhead: (): IPolicy => bulkhead(10, 10),
  retry: (): IPolicy => retry(handleAll, { maxAttempts: 3, backoff: new ExponentialBackoff() }),
  timeout: (): IPolicy => timeout(1_000, TimeoutStrategy.Aggressive),
  five: () => wrap(fallback(handleAll, 0), cockatiel.timeout(), cockatiel.retry(), cockatiel.breaker(), cockatiel.bulkhead()),
}

/** Runs work through a policy of cockatiel. */
export function throughCockatiel(policy: Pick<IPolicy, 'execute'>, work: Work): Work {
  return () => policy.execute(work)
}

/** Opossum's breaker with its timeout around work. */
export function opossum(work: Work): CircuitBreaker<[], number> {
  return new CircuitBreaker(work, { timeout: 1_000, resetTimeout: 3_600_000 })
}
