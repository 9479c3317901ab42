import { bulkhead, circuitBreaker, ConsecutiveBreaker, ExponentialBackoff, fallback, handleAll, type IPolicy, retry, timeout, TimeoutStrategy, wrap } from 'cockatiel'
import CircuitBreaker from 'opossum'

/** Cockatiel's five policies in the order in which its documentation wraps them. */
export function cockatielFive(work: () => Promise<number>): () => Promise<number> {
  const policy = wrap(
    fallback(handleAll, 0),
    timeout(1_000, TimeoutStrategy.Aggressive),
    retry(handleAll, { maxAttempts: 3, backoff: new ExponentialBackoff() }),
    circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) }),
    bulkhead(10, 10),
  )
  return () => policy.execute(work)
}

/** One policy of cockatiel around work. */
export function cockatielOne(policy: IPolicy, work: () => Promise<number>): () => Promise<number> {
  return () => policy.execute(work) as Promise<number>
}

/** Opossum's breaker with its timeout. */
export function opossumWithTimeout(work: () => Promise<number>): { fire: () => Promise<number>; breaker: CircuitBreaker<[], number> } {
  const breaker = new CircuitBreaker(work, { timeout: 1_000 })
  return { fire: () => breaker.fire(), breaker }
}
