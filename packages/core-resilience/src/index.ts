// Composition
export { compose } from './compose.ts'
export { type ResultPolicy } from './result-policy.ts'
export { outsideOfCalls } from './executor/scope.ts'

// Breaker
export { type BreakerEvent, type BreakerOptions } from './breaker/breaker-options.ts'
export { BreakerManager, type BreakerManagerOptions, type BreakerView } from './breaker/breaker-manager.ts'
export { type Breaker, createBreaker } from './breaker/create-breaker.ts'
export {
  type BreakerState,
  type ManagedState,
  type StateChange,
  StateManager,
  type StateManagerOptions,
  type StateReason,
  type TransitionOptions,
} from './breaker/state-manager.ts'
export { type SharedStateOptions } from './breaker/shared-states.ts'
export { exponentialRecovery, type ExponentialRecoveryOptions, fixedRecovery, healthProbe, type HealthProbeOptions, type RecoveryStrategy } from './breaker/recovery.ts'

// Retry
export { createRetry, RetryManager } from './retry/retry-manager.ts'
export { type GiveUpEvent, type GiveUpReason, type RetryEvent, type RetryOptions } from './retry/retry-options.ts'
export { type RetryStatistics } from './retry/retry-stage.ts'
export { type Backoff, type BackoffOptions, constantBackoff, exponentialBackoff, type Jitter, linearBackoff } from './retry/backoff.ts'
export { createRetryBudget, type RetryBudget, type RetryBudgetOptions } from './retry/retry-budget.ts'
export { parseRetryAfter } from './retry/retry-after.ts'

// Timeout
export { createTimeout, type DeadlineOptions, type TimeoutEvent, type TimeoutOptions, withDeadline } from './timeout.ts'

// Limits
export { type Bulkhead, type BulkheadOptions, type BulkheadRefusal, createBulkhead } from './overload/bulkhead.ts'
export { createRateLimiter, type RateLimiter, type RateLimiterOptions, type RateRefusal } from './overload/rate-limiter.ts'
export { type AdaptiveLimiter, type AdaptiveLimiterOptions, createAdaptiveLimiter, type LimitChange } from './overload/adaptive-limiter.ts'
export { AimdLimit, type ConcurrencyLimit, GradientLimit, type LimitSample } from './overload/concurrency-limits.ts'
export { createHedge, type HedgeEvent, type HedgeOptions } from './overload/hedge.ts'

// Less than everything
export { type Alternative, createFallback, type FallbackEvent, type FallbackFailure, FallbackManager, type FallbackOptions, type FallbackPolicy } from './fallback/fallback.ts'
export { Degradation, type DegradationOptions, type LevelChange, type LevelThreshold, type ServiceLevel } from './fallback/degradation.ts'

// Balancing
export { type AcquireOptions, type BalancedTarget, type Balancer, type BalancerOptions, createBalancer, type EjectionEvent, type TargetView } from './balance/balancer.ts'
export type { TargetLease, TargetOutcome } from './balance/target-lease.ts'
export { type OutlierOptions } from './balance/target-record.ts'
export {
  type BalancingStrategy,
  type Candidate,
  leastConnections,
  powerOfTwoChoices,
  randomChoice,
  rendezvousHash,
  roundRobin,
  weightedRoundRobin,
} from './balance/strategies.ts'

// Time
export { sleep, type SleepOptions } from './sleep.ts'

// Errors
export { BreakerOpenError, type FailedAlternative, FallbacksFailedError, OverloadError, type OverloadErrorCode, type ResilienceErrorCode } from './errors.ts'
