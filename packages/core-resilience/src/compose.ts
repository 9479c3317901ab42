import type { Policy, PolicyCall, PolicyContext } from '@smart-whale/interfaces'
import { contextOf } from './cancellation.ts'

/**
 * One policy out of several; the first is the outermost.
 *
 * The usual order is `compose(createTimeout(total), createRetry(), createBreaker(), createTimeout(attempt))`: the caller waits
 * no longer than `total`, each attempt asks the breaker, and each attempt that is too slow counts as a failure.
 */
export function compose(...policies: readonly Policy[]): Policy {
  return { execute: (work, call) => executeFrom(0, policies, work, call) }
}

async function executeFrom<T>(
  index: number,
  policies: readonly Policy[],
  work: (context: PolicyContext) => Promise<T>,
  call: PolicyCall | undefined,
): Promise<T> {
  const policy = policies[index]
  if (policy === undefined) return work(contextOf(call))
  if (index === policies.length - 1) return policy.execute(work, call)
  return policy.execute((context) => executeFrom(index + 1, policies, work, context), call)
}
