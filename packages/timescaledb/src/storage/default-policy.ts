import { compose, createBreaker, createRetry } from '@smart-whale/core-resilience'
import { type Clock, InfrastructureError, type MetricsSink, type Policy } from '@smart-whale/interfaces'
import type { TimescaleDBErrorCode } from '../errors.ts'

/**
 * Failures after which nothing was done: the statement never ran, or the server rolled it back.
 * A connection that broke in the middle of a write is none of them: the write may have happened.
 */
const NOTHING_WAS_DONE: ReadonlySet<string> = new Set<TimescaleDBErrorCode>([
  'ERR_TIMESCALEDB_CONNECTION',
  'ERR_TIMESCALEDB_RESOURCES',
  'ERR_TIMESCALEDB_CONFLICT',
  'ERR_TIMESCALEDB_LOCKED',
])

/** Failures after which a read may be asked again. */
const READ_AGAIN: ReadonlySet<string> = new Set<string>([...NOTHING_WAS_DONE, 'ERR_TIMESCALEDB_CONNECTION_LOST' satisfies TimescaleDBErrorCode])

/** A restarted server is ready within seconds, and asking whether it is there costs it little. */
const OPEN_MS = 2_000

/** How calls are guarded, by what may be repeated. */
export interface StoragePolicies {
  readonly reads: Policy
  readonly writes: Policy
}

/** Three attempts for what is known to be harmless, behind a breaker that opens when the server stays away. */
export function createDefaultPolicies({ metrics, clock }: { metrics?: MetricsSink | undefined; clock?: Clock | undefined } = {}): StoragePolicies {
  const breaker = createBreaker({ name: 'timescaledb', openMs: OPEN_MS, isFailure: isServerAway, metrics, clock })
  const retrying = (codes: ReadonlySet<string>, name: string): Policy =>
    compose(createRetry({ name, metrics, clock, isRetryable: (error) => InfrastructureError.isInstance(error) && error.retryable && codes.has(error.code) }), breaker)
  return { reads: retrying(READ_AGAIN, 'timescaledb-reads'), writes: retrying(NOTHING_WAS_DONE, 'timescaledb-writes') }
}

/** Only what speaks against the server as a whole: a slow statement or a full pool is the caller's own affair. */
function isServerAway(error: unknown): boolean {
  return InfrastructureError.isInstance(error) && (error.code === 'ERR_TIMESCALEDB_CONNECTION' || error.code === 'ERR_TIMESCALEDB_CONNECTION_LOST')
}
