import type { Policy, PolicyCall, PolicyContext } from '@smart-whale/interfaces'
import { chainOf, FusedPolicy } from '../executor/chain.ts'
import type { ResultPolicy } from '../result-policy.ts'
import { retryAfterOf } from './retry-after.ts'
import { type RetryOptions, retryRules } from './retry-options.ts'
import { RetryStage, type RetryStatistics } from './retry-stage.ts'

/**
 * A policy that runs work again when it fails in a way that may pass.
 *
 * Unless `backoff` says otherwise, waits have full jitter: a random time up to `baseDelayMs` × 2ⁿ, at most `maxDelayMs`.
 * A failure that carries `context.retryAfterMs` is waited for at least that long. No wait is begun that would end after the caller's
 * deadline. Inside another retrying layer it makes one attempt and leaves the rest to that layer: it knows of it by the context or
 * the signal that the layer handed down, or by itself when the layer is `ambient`. The last failure is passed on as it is.
 *
 * `isRetryableResult` makes it go by what the work answers as well: such a result is tried again under the same rules, and the last one
 * is handed on as it is. The policy then is for work that answers with that type. Inside another retrying layer that layer has to judge it.
 */
export function createRetry(options?: RetryOptions): Policy
export function createRetry<R>(options: RetryOptions<R>): ResultPolicy<R>
export function createRetry<R>(options: RetryOptions<R> = {}): ResultPolicy<R> {
  return new RetryManager(options)
}

/** The policy of {@link createRetry} with its figures and its arithmetic open to view. */
export class RetryManager<R = unknown> extends FusedPolicy implements ResultPolicy<R> {
  readonly #stage: RetryStage

  constructor(options: RetryOptions<R> = {}) {
    const stage = new RetryStage(retryRules(options))
    super(chainOf([stage]))
    this.#stage = stage
  }

  /** Runs work, again if need be; the same as `execute`. */
  attemptRetry<T extends R>(work: (context: PolicyContext) => Promise<T>, call?: PolicyCall): Promise<T> {
    return this.execute(work, call)
  }

  /** How long it would wait after an attempt that failed with this error. @param previousDelayMs what it waited before that attempt */
  calculateDelay(attempt: number, error?: unknown, previousDelayMs = 0): number {
    return this.#stage.delayMs(attempt, retryAfterOf(error), previousDelayMs)
  }

  /** What became of all executions so far. */
  trackAttempts(): RetryStatistics {
    return this.#stage.statistics
  }
}
