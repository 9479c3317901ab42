import {
  abortedError,
  type Clock,
  InfrastructureError,
  type MetricsSink,
  type Policy,
  type PolicyCall,
  type PolicyContext,
  silentMetrics,
  systemClock,
} from '@smart-whale/interfaces'
import { contextOf, isCancelled } from './cancellation.ts'
import { countOption, durationOption } from './check-options.ts'
import { notify } from './notify.ts'
import { createRetryBudget, type RetryBudget } from './retry-budget.ts'
import { wait } from './sleep.ts'

/** Why a retryable failure was passed on all the same. */
export type GiveUpReason = 'attempts' | 'budget' | 'deadline' | 'retry_after'

/** An attempt failed and another one follows. */
export interface RetryEvent {
  /** The attempt that failed; the first is 1. */
  readonly attempt: number
  /** How long is waited before the next one. */
  readonly delayMs: number
  readonly error: unknown
}

/** An attempt failed in a way that may pass, and no other one follows. */
export interface GiveUpEvent {
  /** Attempts that were made. */
  readonly attempts: number
  readonly reason: GiveUpReason
  readonly error: unknown
}

/** How failures are retried; see {@link createRetry}. */
export interface RetryOptions {
  /** Name in metrics. @default 'default' */
  name?: string | undefined
  /** Attempts in all, the first one included. @default 3 */
  maxAttempts?: number | undefined
  /** Upper bound of the first wait; doubles with each further one. @default 100 */
  baseDelayMs?: number | undefined
  /** Upper bound of any wait. A failure that asks for a longer one (`retryAfterMs`) is passed on at once. @default 10_000 */
  maxDelayMs?: number | undefined
  /** Bounds retries to a share of the traffic; `false` for no bound. @default a budget of its own: 20 % and 10 a second */
  budget?: RetryBudget | false | undefined
  /** Which failures may pass. @default those whose error says so: `InfrastructureError.retryable` */
  isRetryable?: ((error: unknown) => boolean) | undefined
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

/**
 * A policy that runs work again when it fails in a way that may pass.
 *
 * Waits have full jitter: a random time up to `baseDelayMs` × 2ⁿ, at most `maxDelayMs` (M. Brooker, "Exponential Backoff
 * And Jitter", AWS Architecture Blog, 2015). A failure that carries `context.retryAfterMs` is waited for at least that long.
 * No wait is begun that would end after the caller's deadline. The last failure is passed on as it is.
 */
export function createRetry(options: RetryOptions = {}): Policy {
  const settings = settingsOf(options)
  return { execute: (work, call) => run(settings, work, call) }
}

interface RetrySettings {
  readonly maxAttempts: number
  readonly baseDelayMs: number
  readonly maxDelayMs: number
  readonly budget: RetryBudget | false
  readonly isRetryable: (error: unknown) => boolean
  readonly clock: Clock
  readonly random: () => number
  readonly retrying: (event: RetryEvent) => void
  readonly givingUp: (event: GiveUpEvent) => void
}

function settingsOf(options: RetryOptions): RetrySettings {
  const { name = 'default', clock = systemClock, metrics = silentMetrics } = options
  const retries = metrics.counter({ name: 'smart_whale_retries_total', help: 'Attempts after the first one', labelNames: ['policy'] })
  const givenUp = metrics.counter({
    name: 'smart_whale_retries_given_up_total',
    help: 'Retryable failures that were passed on, by reason',
    labelNames: ['policy', 'reason'],
  })
  return {
    maxAttempts: countOption('maxAttempts', options.maxAttempts ?? 3),
    baseDelayMs: durationOption('baseDelayMs', options.baseDelayMs ?? 100),
    maxDelayMs: durationOption('maxDelayMs', options.maxDelayMs ?? 10_000),
    budget: options.budget ?? createRetryBudget({ clock }),
    isRetryable: options.isRetryable ?? saysRetryable,
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

async function run<T>(settings: RetrySettings, work: (context: PolicyContext) => Promise<T>, call: PolicyCall | undefined): Promise<T> {
  const context = contextOf(call)
  if (isCancelled(context)) throw abortedError('the operation', context.signal)
  if (settings.budget) settings.budget.recordAttempt()

  for (let attempt = 1; ; attempt++) {
    try {
      return await work(context)
    } catch (error) {
      if (isCancelled(context) || !settings.isRetryable(error)) throw error
      const retry: RetryEvent = { attempt, delayMs: nextDelay(settings, attempt, error), error }
      const reason = reasonToGiveUp(settings, retry, call?.deadlineAtMs)
      if (reason !== undefined) {
        settings.givingUp({ attempts: attempt, reason, error })
        throw error
      }
      settings.retrying(retry)
      await wait(retry.delayMs, context, settings.clock, 'the wait for the next attempt')
    }
  }
}

function nextDelay(settings: RetrySettings, attempt: number, error: unknown): number {
  const ceiling = Math.min(settings.maxDelayMs, settings.baseDelayMs * 2 ** (attempt - 1))
  return retryAfterOf(error) + settings.random() * ceiling
}

function reasonToGiveUp(settings: RetrySettings, { attempt, delayMs, error }: RetryEvent, deadlineAtMs = Infinity): GiveUpReason | undefined {
  if (attempt >= settings.maxAttempts) return 'attempts'
  if (retryAfterOf(error) > settings.maxDelayMs) return 'retry_after'
  if (settings.clock.monotonic() + delayMs >= deadlineAtMs) return 'deadline'
  // Asked last: what it grants is taken out of the budget.
  if (settings.budget && !settings.budget.tryRetry()) return 'budget'
  return undefined
}

const saysRetryable = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.retryable

/** What the other side asked for, in milliseconds; 0 when it didn't. */
function retryAfterOf(error: unknown): number {
  if (!InfrastructureError.isInstance(error)) return 0
  const { retryAfterMs } = error.context
  return typeof retryAfterMs === 'number' && retryAfterMs > 0 ? retryAfterMs : 0
}
