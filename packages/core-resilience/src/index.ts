// Policies
export { type Breaker, type BreakerEvent, type BreakerOptions, type BreakerState, createBreaker } from './breaker.ts'
export { compose } from './compose.ts'
export { createRetry, type GiveUpEvent, type GiveUpReason, type RetryEvent, type RetryOptions } from './retry.ts'
export { createRetryBudget, type RetryBudget, type RetryBudgetOptions } from './retry-budget.ts'
export { createTimeout, type DeadlineOptions, type TimeoutOptions, withDeadline } from './with-deadline.ts'

// Time
export { sleep, type SleepOptions } from './sleep.ts'

// Errors
export { BreakerOpenError, type ResilienceErrorCode } from './errors.ts'
