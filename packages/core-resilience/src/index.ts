// Composition
export { compose } from './compose.ts'

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

// Time
export { sleep, type SleepOptions } from './sleep.ts'

// Errors
export { BreakerOpenError, type ResilienceErrorCode } from './errors.ts'
