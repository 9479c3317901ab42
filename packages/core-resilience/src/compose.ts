import type { Policy } from '@smart-whale/interfaces'
import { fuse, FusedPolicy } from './executor/chain.ts'
import type { FallbackPolicy } from './fallback/fallback.ts'

/**
 * One policy out of several; the first is the outermost.
 *
 * The usual order is `compose(createTimeout(total), createRetry(), createBreaker(), createTimeout(attempt))`: the caller waits
 * no longer than `total`, each attempt asks the breaker, and each attempt that is too slow counts as a failure.
 *
 * Policies of this package are fused into one executor, also those of a composition within; any other is called as it is.
 * With a fallback among them the answer may be of the fallback's type.
 */
export function compose(...policies: readonly Policy[]): Policy
export function compose<F>(...policies: readonly (Policy | FallbackPolicy<F>)[]): FallbackPolicy<F>
export function compose(...policies: readonly Policy[]): Policy {
  return new FusedPolicy(fuse(policies))
}
