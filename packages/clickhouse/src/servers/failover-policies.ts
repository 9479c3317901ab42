import { compose, createHedge, createRetry, createRetryBudget, exponentialBackoff } from '@smart-whale/core-resilience'
import { type Clock, InfrastructureError, type MetricsSink, type Policy } from '@smart-whale/interfaces'
import type { ClickHouseConfig } from '../clickhouse-config.ts'
import { neverArrived } from '../map-error.ts'

/** How often and where a call is sent again. */
export interface FailoverPolicies {
  /** What may run twice, and a second try beside a slow first one where that is wanted. */
  readonly reads: Policy
  /** What may run twice, anywhere. */
  readonly repeatable: Policy
  /** What must not run twice, anywhere: sent again only when nothing of it arrived. */
  readonly unsent: Policy
  /** What may run twice, on one server. */
  readonly pinned: Policy
  /** What must not run twice, on one server. */
  readonly pinnedUnsent: Policy
}

/** Makes the policies; `retry.maxAttempts` counts how often each server is asked at most. */
export function failoverPolicies(config: ClickHouseConfig, metrics: MetricsSink, clock: Clock): FailoverPolicies {
  const { maxAttempts: rounds, baseDelayMs, maxDelayMs } = config.getRetryConfig()
  const servers = config.getServers().length
  const waits = exponentialBackoff({ baseMs: baseDelayMs, maxMs: maxDelayMs })
  const budget = createRetryBudget({ clock })
  // Another server is asked at once; only when each was asked there is something to wait for.
  const elsewhere = { ...waits, delayMs: (attempt: number, previousMs: number, random: () => number) => (attempt < servers ? 0 : waits.delayMs(attempt - servers + 1, previousMs, random)) }
  // A layer above that tries again doesn't know of the servers: it must not keep a call from the next one.
  const shared = { name: 'clickhouse servers', whenNested: 'retry', budget, metrics, clock } as const
  const anywhere = { ...shared, maxAttempts: servers * rounds, backoff: elsewhere }
  const here = { ...shared, maxAttempts: rounds, backoff: waits }
  const repeatable = createRetry({ ...anywhere, isRetryable: mayPass })
  const { hedgeAfterMs } = config.getBalancingConfig()
  return {
    repeatable,
    reads: hedgeAfterMs === false ? repeatable : compose(repeatable, createHedge({ name: 'clickhouse servers', delayMs: hedgeAfterMs, budget, isRetryable: mayPass, metrics, clock })),
    unsent: createRetry({ ...anywhere, isRetryable: mayPassUnsent }),
    pinned: createRetry({ ...here, isRetryable: mayPass }),
    pinnedUnsent: createRetry({ ...here, isRetryable: mayPassUnsent }),
  }
}

/** When no server is there, nothing is gained by asking again: the caller is told at once. */
const mayPass = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.retryable && error.code !== 'ERR_CLICKHOUSE_CIRCUIT_OPEN'

const mayPassUnsent = (error: unknown): boolean => mayPass(error) && neverArrived(error)
