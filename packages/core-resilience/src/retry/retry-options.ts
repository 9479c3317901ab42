import { type Clock, InfrastructureError, type MetricsSink, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { countOption, durationOption } from '../check-options.ts'
import { notify } from '../notify.ts'
import { type Backoff, exponentialBackoff } from './backoff.ts'
import { createRetryBudget, type RetryBudget } from './retry-budget.ts'

/** Why a retryable failure was passed on all the same; `nested`: a retrying layer above makes the further attempts. */
export type GiveUpReason = 'attempts' | 'budget' | 'deadline' | 'retry_after' | 'nested'

/** An attempt failed and another one follows. */
export interface RetryEvent {
  /** The attempt that failed; the first is 1. */
  readonly attempt: number
  /** How long is waited before the next one. */
  readonly delayMs: number
  /** What it failed with; undefined when it was its result that won't do. */
  readonly error: unknown
  /** The result that won't do; undefined when it failed. */
  readonly result: unknown
}

/** An attempt failed in a way that may pass, and no other one follows. */
export interface GiveUpEvent {
  /** Attempts that were made. */
  readonly attempts: number
  readonly reason: GiveUpReason
  /** What it failed with; undefined when it was its result that won't do. */
  readonly error: unknown
  /** The result that won't do and is handed on all the same; undefined when it failed. */
  readonly result: unknown
}

/** How failures are retried, and results of type `R` that won't do; see {@link createRetry}. */
export interface RetryOptions<R = unknown> {
  /** Name in metrics. @default 'default' */
  name?: string | undefined
  /** Attempts in all, the first one included; `Infinity` for no bound. @default 3 */
  maxAttempts?: number | undefined
  /** Upper bound of the first wait; doubles with each further one. @default 100 */
  baseDelayMs?: number | undefined
  /** Upper bound of any wait. A failure that asks for a longer one (`retryAfterMs`) is passed on at once. @default 10_000 */
  maxDelayMs?: number | undefined
  /** How waits grow, in place of `baseDelayMs` and `maxDelayMs`. @default exponentialBackoff with full jitter */
  backoff?: Backoff | undefined
  /** Bounds retries to a share of the traffic; `false` for no bound. @default a budget of its own: 20 % and 10 a second */
  budget?: RetryBudget | false | undefined
  /** What it does inside a retrying layer: `once` leaves further attempts to that layer, so that attempts don't multiply; `retry` takes no notice. @default 'once' */
  whenNested?: 'once' | 'retry' | undefined
  /** Whether calls below that are not handed its context or signal, but none or another, know of this layer all the same, by `AsyncLocalStorage`. Costs about 0.3 µs a call. @default false */
  ambient?: boolean | undefined
  /** Which failures may pass. @default those whose error says so: `InfrastructureError.retryable` */
  isRetryable?: ((error: unknown) => boolean) | undefined
  /** Which results won't do, though nothing failed: they are tried again like failures. When no attempt is left, the last one is handed on as it is. @default none */
  isRetryableResult?: ((result: R) => boolean) | undefined
  /** How long such a result asks to be waited at least, in milliseconds, as by its `Retry-After`. @default not at all */
  retryAfterOfResult?: ((result: R) => number | undefined) | undefined
  /** Told before each wait. What it throws is ignored. @default nobody */
  onRetry?: ((event: RetryEvent) => void) | undefined
  /** Told when a failure that may pass is passed on. What it throws is ignored. @default nobody */
  onGiveUp?: ((event: GiveUpEvent) => void) | undefined
  /** Where retries are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Numbers from 0 up to 1, for the jitter. @default Math.random */
  random?: (() => number) | undefined
}

/** Checked and filled in: what a retry goes by. */
export interface RetryRules {
  readonly maxAttempts: number
  readonly backoff: Backoff
  readonly budget: RetryBudget | false
  readonly whenNested: 'once' | 'retry'
  readonly isAmbient: boolean
  readonly isRetryable: (error: unknown) => boolean
  readonly isRetryableResult: ((result: unknown) => boolean) | undefined
  readonly retryAfterOfResult: (result: unknown) => number
  readonly clock: Clock
  readonly random: () => number
  readonly retrying: (event: RetryEvent) => void
  readonly givingUp: (event: GiveUpEvent) => void
}

/** The rules that options make; an option that is wrong is refused by name. */
export function retryRules<R>(options: RetryOptions<R>): RetryRules {
  const { name = 'default', clock = systemClock, metrics = silentMetrics } = options
  const retries = metrics.counter({ name: 'smart_whale_retries_total', help: 'Attempts after the first one', labelNames: ['policy'] })
  const givenUp = metrics.counter({
    name: 'smart_whale_retries_given_up_total',
    help: 'Retryable failures that were passed on, by reason',
    labelNames: ['policy', 'reason'],
  })
  const baseMs = durationOption('baseDelayMs', options.baseDelayMs ?? 100)
  const maxMs = durationOption('maxDelayMs', options.maxDelayMs ?? 10_000)
  return {
    maxAttempts: countOption('maxAttempts', options.maxAttempts ?? 3),
    backoff: options.backoff ?? exponentialBackoff({ baseMs, maxMs }),
    budget: options.budget ?? createRetryBudget({ clock }),
    whenNested: options.whenNested ?? 'once',
    isAmbient: options.ambient ?? false,
    isRetryable: options.isRetryable ?? saysRetryable,
    // What the chain is made for is what its work answers: the types of `createRetry` and `compose` see to it.
    isRetryableResult: options.isRetryableResult as ((result: unknown) => boolean) | undefined,
    retryAfterOfResult: (result) => options.retryAfterOfResult?.(result as R) ?? 0,
    clock,
    random: options.random ?? Math.random,
    retrying: (event) => {
      retries.inc({ policy: name })
      notify(options.onRetry, event)
    },
    givingUp: (event) => {
      givenUp.inc({ policy: name, reason: event.reason })
      notify(options.onGiveUp, event)
    },
  }
}

const saysRetryable = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.retryable
