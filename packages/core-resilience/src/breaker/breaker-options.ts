import { type Clock, InfrastructureError, type MetricsSink, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { countOption, durationOption, shareOption } from '../check-options.ts'
import { optionError } from '../errors.ts'
import { type CallWindow, CountWindow, TimeWindow } from './call-windows.ts'
import { fixedRecovery, type RecoveryStrategy } from './recovery.ts'
import type { BreakerState, StateReason } from './state-manager.ts'

/** A breaker went from one state to another. */
export interface BreakerEvent {
  readonly breaker: string
  readonly from: BreakerState
  readonly to: BreakerState
  /** What brought it about. */
  readonly reason: StateReason
}

/** When a breaker opens and closes, by failures and by results of type `R`; see {@link createBreaker}. */
export interface BreakerOptions<R = unknown> {
  /** Name in errors, events and metrics: what is protected. @default 'default' */
  name?: string | undefined
  /** Failures in a row that open it; `Infinity` for never. @default 5 */
  consecutiveFailures?: number | undefined
  /** Share of failures within the window that opens it; above 1 is refused, 1 means all. @default 0.5 */
  failureShare?: number | undefined
  /** Calls within the window below which a share says nothing; `Infinity` switches shares off. @default 20 */
  minimumCalls?: number | undefined
  /** The window as time. @default 10_000 */
  windowMs?: number | undefined
  /** The window as a number of calls, in place of `windowMs`: for traffic that comes in bursts. @default the window is a time */
  windowCalls?: number | undefined
  /** A call that takes this long is slow, however it ends. @default Infinity: none is */
  slowCallMs?: number | undefined
  /** Share of slow calls within the window that opens it. @default 1 */
  slowShare?: number | undefined
  /** How long it stays open before it lets a probe through. @default 3_000 */
  openMs?: number | undefined
  /** How it finds its way back, in place of `openMs`: `exponentialRecovery()`, `healthProbe({ … })`, or one of your own. @default fixedRecovery(openMs) */
  recovery?: RecoveryStrategy | undefined
  /** Probes at once while half-open. @default 1 */
  halfOpenProbes?: number | undefined
  /** Probes that must succeed before it closes. @default 1 */
  successesToClose?: number | undefined
  /** After this time an unanswered probe counts as failed. @default 30_000 */
  probeTimeoutMs?: number | undefined
  /** Which failures speak against the other side. @default retryable ones and those of unknown origin; wrong input doesn't, nor does a limit of our own */
  isFailure?: ((error: unknown) => boolean) | undefined
  /** Which results speak against the other side, though nothing failed: they count as failures and are handed on as they are. @default none */
  isFailureResult?: ((result: R) => boolean) | undefined
  /** Told of every change of state. What it throws is ignored. @default nobody */
  onStateChange?: ((event: BreakerEvent) => void) | undefined
  /** Where state and refusals are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Checked and filled in: what a breaker goes by. */
export interface BreakerRules {
  readonly name: string
  readonly consecutiveFailures: number
  readonly failureShare: number
  readonly minimumCalls: number
  readonly slowCallMs: number
  readonly slowShare: number
  readonly halfOpenProbes: number
  readonly successesToClose: number
  readonly probeTimeoutMs: number
  readonly recovery: RecoveryStrategy
  readonly isFailure: (error: unknown) => boolean
  readonly isFailureResult: ((result: unknown) => boolean) | undefined
  readonly clock: Clock
  readonly onStateChange: ((event: BreakerEvent) => void) | undefined
  readonly metrics: MetricsSink
}

/** The rules that options make; an option that is wrong is refused by name. */
export function breakerRules<R>(options: BreakerOptions<R>): BreakerRules {
  return {
    name: options.name ?? 'default',
    consecutiveFailures: countOption('consecutiveFailures', options.consecutiveFailures ?? 5),
    failureShare: shareOption('failureShare', options.failureShare ?? 0.5),
    minimumCalls: countOption('minimumCalls', options.minimumCalls ?? 20),
    slowCallMs: options.slowCallMs === undefined ? Infinity : durationOption('slowCallMs', options.slowCallMs, 1),
    slowShare: shareOption('slowShare', options.slowShare ?? 1),
    halfOpenProbes: countOption('halfOpenProbes', options.halfOpenProbes ?? 1),
    successesToClose: countOption('successesToClose', options.successesToClose ?? 1),
    probeTimeoutMs: durationOption('probeTimeoutMs', options.probeTimeoutMs ?? 30_000, 1),
    recovery: options.recovery ?? fixedRecovery(options.openMs ?? 3_000),
    isFailure: options.isFailure ?? speaksAgainstTheOtherSide,
    // What the chain is made for is what its work answers: the types of `createBreaker` and `compose` see to it.
    isFailureResult: options.isFailureResult as ((result: unknown) => boolean) | undefined,
    clock: options.clock ?? systemClock,
    onStateChange: options.onStateChange,
    metrics: options.metrics ?? silentMetrics,
  }
}

/** The window that options ask for; undefined when no share can open the breaker. */
export function breakerWindow(options: Pick<BreakerOptions, 'windowMs' | 'windowCalls' | 'minimumCalls'>): CallWindow | undefined {
  const windowMs = durationOption('windowMs', options.windowMs ?? 10_000, 1)
  const minimumCalls = options.minimumCalls ?? 20
  const { windowCalls } = options
  if (windowCalls === undefined) return minimumCalls === Infinity ? undefined : new TimeWindow(windowMs)
  if (countOption('windowCalls', windowCalls) > MOST_CALLS) throw optionError('windowCalls', windowCalls, `a whole number from 1 to ${MOST_CALLS}`)
  if (minimumCalls !== Infinity && minimumCalls > windowCalls && options.minimumCalls !== undefined) {
    throw optionError('minimumCalls', minimumCalls, `at most windowCalls (${windowCalls}): so many never lie in the window`)
  }
  return minimumCalls === Infinity ? undefined : new CountWindow(windowCalls)
}

/** A byte each: more would be a leak by configuration. */
const MOST_CALLS = 1_000_000

/** What a limit of ours refused never reached the other side. */
const OUR_OWN: ReadonlySet<string> = new Set(['ERR_BULKHEAD_FULL', 'ERR_RATE_LIMITED', 'ERR_CONCURRENCY_LIMITED', 'ERR_CIRCUIT_OPEN'])

function speaksAgainstTheOtherSide(error: unknown): boolean {
  return !InfrastructureError.isInstance(error) || error.retryable
}

/** Whether an error tells nothing at all about the other side. */
export function saysNothing(error: unknown): boolean {
  if (!InfrastructureError.isInstance(error)) return false
  return error.code === 'ERR_ABORTED' || OUR_OWN.has(error.code)
}

