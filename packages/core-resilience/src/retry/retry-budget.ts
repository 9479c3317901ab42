import { type Clock, systemClock } from '@smart-whale/interfaces'
import { durationOption, rateOption, shareOption } from '../check-options.ts'
import { SlidingCounts } from '../sliding-counts.ts'

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
  return new WindowBudget(options)
}

/** A budget that a stage can tell the time that it has read already. */
export class WindowBudget implements RetryBudget {
  readonly clock: Clock
  readonly #share: number
  readonly #reserve: number
  readonly #counts: SlidingCounts

  constructor(options: RetryBudgetOptions) {
    const windowMs = durationOption('windowMs', options.windowMs ?? 10_000)
    this.clock = options.clock ?? systemClock
    this.#share = shareOption('share', options.share ?? 0.2)
    this.#reserve = (rateOption('minimumPerSecond', options.minimumPerSecond ?? 10) * windowMs) / 1000
    this.#counts = new SlidingCounts(windowMs)
  }

  recordAttempt(): void {
    this.recordAttemptAt(this.clock.monotonic())
  }

  recordAttemptAt(nowMs: number): void {
    this.#counts.addOne(nowMs)
  }

  tryRetry(): boolean {
    const nowMs = this.clock.monotonic()
    if (this.#remainingAt(nowMs) < 1) return false
    this.#counts.add(0, 1, 0, nowMs)
    return true
  }

  get remaining(): number {
    return this.#remainingAt(this.clock.monotonic())
  }

  #remainingAt(nowMs: number): number {
    this.#counts.forget(nowMs)
    const { all, marked } = this.#counts
    return Math.max(0, Math.floor(all * this.#share + this.#reserve - marked + ROUNDING))
  }
}

/** 5 × 0.2 is to be a whole retry, whatever binary fractions make of it. */
const ROUNDING = 1e-9
