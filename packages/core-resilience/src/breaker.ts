import {
  type Clock,
  InfrastructureError,
  type MetricsSink,
  type Policy,
  type PolicyCall,
  type PolicyContext,
  silentMetrics,
  systemClock,
  TimeoutError,
} from '@smart-whale/interfaces'
import { contextOf, isCancelled, reasonOf } from './cancellation.ts'
import { countOption, durationOption, shareOption } from './check-options.ts'
import { BreakerOpenError } from './errors.ts'
import { notify } from './notify.ts'
import { SlidingCounts } from './sliding-counts.ts'

/** `closed` lets calls through, `open` none, `half-open` a few probes. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** A breaker went from one state to another. */
export interface BreakerEvent {
  readonly breaker: string
  readonly from: BreakerState
  readonly to: BreakerState
  /** What brought it about. */
  readonly reason: 'consecutive_failures' | 'failure_rate' | 'wait_over' | 'probe_failed' | 'probe_overdue' | 'probes_succeeded'
}

/** When a breaker opens and closes; see {@link createBreaker}. */
export interface BreakerOptions {
  /** Name in errors, events and metrics: what is protected. @default 'default' */
  name?: string | undefined
  /** Failures in a row that open it; `Infinity` for never. @default 5 */
  consecutiveFailures?: number | undefined
  /** Share of failures within `windowMs` that opens it; above 1 is refused, 1 means all. @default 0.5 */
  failureShare?: number | undefined
  /** Calls within `windowMs` below which the share says nothing; `Infinity` switches the share off. @default 20 */
  minimumCalls?: number | undefined
  /** Time over which the share of failures is taken. @default 10_000 */
  windowMs?: number | undefined
  /** How long it stays open before it lets a probe through. @default 10_000 */
  openMs?: number | undefined
  /** Probes at once while half-open. @default 1 */
  halfOpenProbes?: number | undefined
  /** Probes that must succeed before it closes. @default 1 */
  successesToClose?: number | undefined
  /** After this time an unanswered probe counts as failed. @default 30_000 */
  probeTimeoutMs?: number | undefined
  /** Which failures speak against the other side. @default retryable ones and those of unknown origin; wrong input doesn't */
  isFailure?: ((error: unknown) => boolean) | undefined
  /** Told of every change of state. What it throws is ignored. @default nobody */
  onStateChange?: ((event: BreakerEvent) => void) | undefined
  /** Where state and refusals are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** A policy that stops calling what keeps failing. */
export interface Breaker extends Policy {
  readonly name: string
  /** As of the last call: an open breaker turns half-open when a call comes, not by itself. */
  readonly state: BreakerState
}

/**
 * A circuit breaker (M. Nygard, "Release It!"): opens after `consecutiveFailures`, or when within `windowMs` at least
 * `failureShare` of at least `minimumCalls` failed; refuses calls for `openMs`; then lets `halfOpenProbes` at a time through,
 * closes when `successesToClose` of them succeeded and opens again when one failed.
 *
 * What the caller aborts counts neither way; what a deadline aborts is a failure. A call that began in an earlier state has no say in a later one. No timers.
 *
 * Its `execute` throws `BreakerOpenError` (`ERR_CIRCUIT_OPEN`) while no call is let through.
 */
export function createBreaker(options: BreakerOptions = {}): Breaker {
  return new CircuitBreaker(options)
}

class CircuitBreaker implements Breaker {
  readonly name: string
  readonly #settings: BreakerSettings
  readonly #window: SlidingCounts
  #state: BreakerState = 'closed'
  /** Grows with each change of state, so that late results can be told apart. */
  #era = 0
  #failuresInARow = 0
  #openedAtMs = 0
  #probesUnderWay = 0
  #probesSucceeded = 0
  #lastProbeAtMs = 0

  constructor(options: BreakerOptions) {
    this.#settings = settingsOf(options)
    this.name = this.#settings.name
    this.#window = new SlidingCounts(this.#settings.windowMs, this.#settings.clock)
    this.#settings.report('closed')
  }

  get state(): BreakerState {
    return this.#state
  }

  async execute<T>(work: (context: PolicyContext) => Promise<T>, call?: PolicyCall): Promise<T> {
    this.#letThrough()
    const era = this.#era
    try {
      const result = await work(contextOf(call))
      this.#succeeded(era)
      return result
    } catch (error) {
      this.#judge(error, call, era)
      throw error
    }
  }

  #judge(error: unknown, call: PolicyCall | undefined, era: number): void {
    // A deadline that passed further out tells of a slow server just as one further in does; a caller who left tells nothing.
    if (isCancelled(call)) return isTimeout(reasonOf(call)) ? this.#failed(era) : this.#saidNothing(era)
    if (isAbort(error)) return this.#saidNothing(era)
    if (this.#settings.isFailure(error)) return this.#failed(era)
    // An error that doesn't speak against the other side is an answer from it.
    this.#succeeded(era)
  }

  #letThrough(): void {
    if (this.#state === 'closed') return
    const now = this.#settings.clock.monotonic()
    const { openMs, halfOpenProbes, probeTimeoutMs } = this.#settings

    if (this.#state === 'half-open' && this.#probesUnderWay > 0 && now - this.#lastProbeAtMs >= probeTimeoutMs) this.#open('probe_overdue')
    if (this.#state === 'open') {
      const leftMs = this.#openedAtMs + openMs - now
      if (leftMs > 0) throw this.#refusal(leftMs)
      this.#moveTo('half-open', 'wait_over')
    }
    if (this.#probesUnderWay >= halfOpenProbes) throw this.#refusal(0)
    this.#probesUnderWay += 1
    this.#lastProbeAtMs = now
  }

  #refusal(retryAfterMs: number): BreakerOpenError {
    this.#settings.refused()
    return new BreakerOpenError(this.name, retryAfterMs)
  }

  #succeeded(era: number): void {
    if (era !== this.#era) return
    if (this.#state === 'half-open') {
      this.#probesUnderWay -= 1
      this.#probesSucceeded += 1
      if (this.#probesSucceeded >= this.#settings.successesToClose) this.#moveTo('closed', 'probes_succeeded')
      return
    }
    this.#failuresInARow = 0
    this.#window.add(1, 0)
  }

  #failed(era: number): void {
    if (era !== this.#era) return
    if (this.#state === 'half-open') return this.#open('probe_failed')
    this.#failuresInARow += 1
    this.#window.add(1, 1)
    if (this.#failuresInARow >= this.#settings.consecutiveFailures) return this.#open('consecutive_failures')
    const calls = this.#window.all
    if (calls >= this.#settings.minimumCalls && this.#window.marked >= calls * this.#settings.failureShare) this.#open('failure_rate')
  }

  #saidNothing(era: number): void {
    if (era === this.#era && this.#state === 'half-open') this.#probesUnderWay -= 1
  }

  #open(reason: BreakerEvent['reason']): void {
    this.#openedAtMs = this.#settings.clock.monotonic()
    this.#moveTo('open', reason)
  }

  #moveTo(to: BreakerState, reason: BreakerEvent['reason']): void {
    const from = this.#state
    this.#state = to
    this.#era += 1
    this.#failuresInARow = 0
    this.#probesUnderWay = 0
    this.#probesSucceeded = 0
    this.#window.clear()
    this.#settings.report(to)
    this.#settings.changed({ breaker: this.name, from, to, reason })
  }
}

interface BreakerSettings {
  readonly name: string
  readonly consecutiveFailures: number
  readonly failureShare: number
  readonly minimumCalls: number
  readonly windowMs: number
  readonly openMs: number
  readonly halfOpenProbes: number
  readonly successesToClose: number
  readonly probeTimeoutMs: number
  readonly isFailure: (error: unknown) => boolean
  readonly clock: Clock
  readonly report: (state: BreakerState) => void
  readonly changed: (event: BreakerEvent) => void
  readonly refused: () => void
}

const STATE_AS_NUMBER: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 }

function settingsOf(options: BreakerOptions): BreakerSettings {
  const { name = 'default', metrics = silentMetrics } = options
  const labels = { breaker: name }
  const labelNames = ['breaker']
  const state = metrics.gauge({ name: 'smart_whale_breaker_state', help: '0 closed, 1 half-open, 2 open', labelNames })
  const refusals = metrics.counter({ name: 'smart_whale_breaker_refusals_total', help: 'Calls refused while open', labelNames })
  const changes = metrics.counter({
    name: 'smart_whale_breaker_changes_total',
    help: 'Changes of state',
    labelNames: ['breaker', 'to', 'reason'],
  })
  return {
    name,
    consecutiveFailures: countOption('consecutiveFailures', options.consecutiveFailures ?? 5),
    failureShare: shareOption('failureShare', options.failureShare ?? 0.5),
    minimumCalls: countOption('minimumCalls', options.minimumCalls ?? 20),
    windowMs: durationOption('windowMs', options.windowMs ?? 10_000, 1),
    openMs: durationOption('openMs', options.openMs ?? 10_000),
    halfOpenProbes: countOption('halfOpenProbes', options.halfOpenProbes ?? 1),
    successesToClose: countOption('successesToClose', options.successesToClose ?? 1),
    probeTimeoutMs: durationOption('probeTimeoutMs', options.probeTimeoutMs ?? 30_000, 1),
    isFailure: options.isFailure ?? speaksAgainstTheOtherSide,
    clock: options.clock ?? systemClock,
    report: (current) => state.set(labels, STATE_AS_NUMBER[current]),
    changed: (event) => {
      changes.inc({ breaker: name, to: event.to, reason: event.reason })
      notify(options.onStateChange, event)
    },
    refused: () => refusals.inc(labels),
  }
}

const speaksAgainstTheOtherSide = (error: unknown): boolean => !InfrastructureError.isInstance(error) || error.retryable

const isAbort = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.code === 'ERR_ABORTED'

/** The error of this family, or what `AbortSignal.timeout` gives as its reason. */
const isTimeout = (reason: unknown): boolean => TimeoutError.isInstance(reason) || (reason instanceof Error && reason.name === 'TimeoutError')
