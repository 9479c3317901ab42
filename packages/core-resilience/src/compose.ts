import type { Policy } from '@smart-whale/interfaces'
import { fuse, FusedPolicy } from './executor/chain.ts'
import type { FallbackPolicy } from './fallback/fallback.ts'
import type { ResultPolicy } from './result-policy.ts'

/**
 * One policy out of several; the first is the outermost.
 *
 * The usual order is `compose(createTimeout(total), createRetry(), createBreaker(), createTimeout(attempt))`: the caller waits
 * no longer than `total`, each attempt asks the breaker, and each attempt that is too slow counts as a failure.
 *
 * Policies of this package are fused into one executor, also those of a composition within; any other is called as it is.
 * With a fallback among them the answer may be of the fallback's type. With one that looks at results (`isRetryableResult`,
 * `isFailureResult`) the composition is for work that answers with what that looks at.
 */
export function compose(...policies: readonly Policy[]): Policy
export function compose<F>(...policies: readonly (Policy | FallbackPolicy<F>)[]): FallbackPolicy<F>
export function compose<R>(...policies: readonly (Policy | ResultPolicy<R>)[]): ResultPolicy<R>
export function compose<R, F>(...policies: readonly (Policy | ResultPolicy<R> | FallbackPolicy<F>)[]): ResultPolicy<R, F>
export function compose(...policies: readonly Policy[]): Policy {
  return new FusedPolicy(fuse(policies))
}
