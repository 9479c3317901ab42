import { type Clock, systemClock } from '@smart-whale/interfaces'
import { durationOption, rateOption, shareOption } from './check-options.ts'
import { SlidingCounts } from './sliding-counts.ts'

/** How much may be retried; see {@link createRetryBudget}. */
export interface RetryBudgetOptions {
  /** Retries that may be made, as a share of the first attempts of the window. @default 0.2 */
  share?: number | undefined
  /** Retries a second that may be made whatever the traffic, so that a quiet client can retry at all. @default 10 */
  minimumPerSecond?: number | undefined
  /** How far back traffic is looked at. @default 10_000 */
  windowMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Limits retries to a share of the traffic. Share one between all policies that reach the same server. */
export interface RetryBudget {
  /** Notes a first attempt. */
  recordAttempt(): void
  /** Takes one retry out of the budget; `false` when there is none left. */
  tryRetry(): boolean
  /** Whole retries that may be made right now. */
  readonly remaining: number
}

/**
 * Keeps a failing server from being hit by a multiple of its traffic: within any window, retries are at most
 * `share` × first attempts + `minimumPerSecond` × the window's seconds.
 *
 * The rule and the default figures (20 %, 10 a second, 10 s) are those of Finagle's `RetryBudget`
 * (twitter.github.io/finagle, "Retry Budgets"); counted here over a sliding window rather than as expiring tokens.
 */
export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const share = shareOption('share', options.share ?? 0.2)
  const windowMs = durationOption('windowMs', options.windowMs ?? 10_000)
  const reserve = (rateOption('minimumPerSecond', options.minimumPerSecond ?? 10) * windowMs) / 1000
  const counts = new SlidingCounts(windowMs, options.clock ?? systemClock)
  const remaining = (): number => Math.max(0, Math.floor(counts.all * share + reserve - counts.marked + ROUNDING))

  return {
    recordAttempt: () => counts.add(1, 0),
    tryRetry: () => {
      if (remaining() < 1) return false
      counts.add(0, 1)
      return true
    },
    get remaining() {
      return remaining()
    },
  }
}

/** 5 × 0.2 is to be a whole retry, whatever binary fractions make of it. */
const ROUNDING = 1e-9
