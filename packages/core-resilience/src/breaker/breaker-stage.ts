import { TimeoutError } from '@smart-whale/interfaces'
import { BreakerOpenError, disposedError, withoutStack } from '../errors.ts'
import type { Run } from '../executor/run.ts'
import { Stage } from '../executor/stage.ts'
import { withDeadline } from '../timeout.ts'
import { type BreakerRules, saysNothing } from './breaker-options.ts'
import type { CallWindow } from './call-windows.ts'
import { observeBreaker } from './observe-breaker.ts'
import type { ManagedState, StateManager, StateReason } from './state-manager.ts'

/** The breaker's rule. Where its state is kept and what may follow upon what is the state manager's affair. */
export class BreakerStage extends Stage {
  override readonly judgesResults: boolean
  readonly #rules: BreakerRules
  readonly #window: CallWindow | undefined
  readonly #states: StateManager
  readonly #managed: ManagedState
  readonly #refused: () => void
  readonly #stopObserving: () => void
  readonly #needsTime: boolean
  readonly #ended = new AbortController()
  /** The era that the counts below belong to. */
  #era = -1
  /** The latest time seen. A success is counted at it, which lies between its beginning and its end and costs no look at the clock. */
  #seenMs = 0
  #failuresInARow = 0
  #probesUnderWay = 0
  #probesSucceeded = 0
  #lastProbeAtMs = 0
  #isChecking = false
  #isDisposed = false
  #lastRefusal: BreakerOpenError | undefined = undefined

  constructor(rules: BreakerRules, window: CallWindow | undefined, states: StateManager) {
    super()
    this.#rules = rules
    this.judgesResults = rules.isFailureResult !== undefined
    this.#window = window
    this.#states = states
    this.#managed = states.manageState(rules.name)
    this.#needsTime = window?.needsTime === true || rules.slowCallMs !== Infinity || states.isShared
    const { refused, stop } = observeBreaker(rules, states)
    this.#refused = refused
    this.#stopObserving = stop
  }

  get managed(): ManagedState {
    return this.#managed
  }

  /** Calls that are under way as probes. */
  get probesUnderWay(): number {
    return this.#probesUnderWay
  }

  override enter(run: Run<unknown>, at: number): Error | undefined {
    const managed = this.#managed
    if (this.#needsTime) this.#seenMs = run.reading.on(this.#rules.clock)
    if (this.#states.isShared) this.#states.lookAtShared(managed, this.#seenMs)
    if (managed.state !== 'closed' || this.#isDisposed) {
      const refusal = this.#letThrough(run)
      if (refusal !== undefined) return refusal
    }
    if (managed.era !== this.#era) this.#beginEra()
    run.note(at, this.#rules.slowCallMs === Infinity ? this.#era : { era: this.#era, beganMs: this.#seenMs })
    return undefined
  }

  override succeeded(run: Run<unknown>, at: number): void {
    const note = run.noteOf(at) as number | TimedCall
    if (typeof note === 'number') return this.#answered(note, false)
    this.#answered(note.era, this.#wasSlow(note))
  }

  override judged(run: Run<unknown>, at: number, result: unknown): boolean {
    const { isFailureResult } = this.#rules
    const note = run.noteOf(at) as number | TimedCall
    const era = typeof note === 'number' ? note : note.era
    if (isFailureResult === undefined || !this.#asks(era, () => isFailureResult(result))) return super.judged(run, at, result)
    this.#failed(era, typeof note !== 'number' && this.#wasSlow(note))
    return false
  }

  override failed(run: Run<unknown>, at: number, error: unknown): boolean {
    const note = run.noteOf(at) as number | TimedCall
    const era = typeof note === 'number' ? note : note.era
    const isSlow = typeof note !== 'number' && this.#wasSlow(note)
    // A caller who left tells nothing, whatever the work made of it; a deadline further out tells of a slow server.
    if (run.isCancelled ? !isTimeout(run.cancelReason) : saysNothing(error)) this.#saidNothing(era)
    else if (run.isCancelled || this.#asks(era, () => this.#rules.isFailure(error))) this.#failed(era, isSlow)
    // An error that doesn't speak against the other side is an answer from it.
    else this.#answered(era, isSlow)
    return false
  }

  override abandoned(run: Run<unknown>, at: number, reason: unknown): void {
    const note = run.noteOf(at) as number | TimedCall
    const era = typeof note === 'number' ? note : note.era
    if (isTimeout(reason)) this.#failed(era, typeof note !== 'number' && this.#wasSlow(note))
    else this.#saidNothing(era)
  }

  dispose(): void {
    this.#isDisposed = true
    this.#ended.abort()
    this.#stopObserving()
  }

  #wasSlow({ beganMs }: TimedCall): boolean {
    this.#seenMs = this.#rules.clock.monotonic()
    return this.#seenMs - beganMs >= this.#rules.slowCallMs
  }

  /** Lets the call through as a probe, or refuses it. */
  #letThrough(run: Run<unknown>): Error | undefined {
    if (this.#isDisposed) return disposedError(`breaker "${this.#rules.name}"`)
    const nowMs = run.reading.on(this.#rules.clock)
    const { halfOpenProbes, probeTimeoutMs, recovery } = this.#rules
    if (this.#managed.era !== this.#era) this.#beginEra()

    const isOverdue = this.#probesUnderWay > 0 && nowMs - this.#lastProbeAtMs >= probeTimeoutMs
    if (this.#managed.state === 'half-open' && isOverdue) this.#open('probe_overdue')
    if (this.#managed.state === 'open') {
      const leftMs = this.#managed.openUntilMs - nowMs
      if (leftMs > 0) return this.#refusal(leftMs)
      if (recovery.isHealthy !== undefined) {
        this.#check(recovery.isHealthy)
        return this.#refusal(0)
      }
      this.#states.transition(this.#rules.name, 'half-open', 'wait_over')
      this.#beginEra()
    }
    if (this.#managed.state === 'closed') return undefined
    if (this.#probesUnderWay >= halfOpenProbes) return this.#refusal(0)
    this.#probesUnderWay += 1
    this.#lastProbeAtMs = nowMs
    return undefined
  }

  /** One object for all calls that are refused within a millisecond: they differ in nothing. */
  #refusal(leftMs: number): BreakerOpenError {
    this.#refused()
    const retryAfterMs = Math.ceil(leftMs)
    if (this.#lastRefusal?.retryAfterMs !== retryAfterMs) {
      this.#lastRefusal = withoutStack(() => new BreakerOpenError(this.#rules.name, retryAfterMs))
    }
    return this.#lastRefusal
  }

  #check(isHealthy: (signal: AbortSignal, key: string) => Promise<boolean>): void {
    if (this.#isChecking) return
    this.#isChecking = true
    const { era } = this.#managed
    const { name, clock, recovery } = this.#rules
    const options = { timeoutMs: recovery.checkTimeoutMs ?? 5_000, clock, signal: this.#ended.signal, what: `the health check of ${name}` }
    const conclude = (isWell: boolean): void => {
      this.#isChecking = false
      if (era !== this.#managed.era || this.#isDisposed) return
      if (isWell) this.#states.transition(name, 'half-open', 'healthy')
      else this.#states.prolong(name, recovery.openMs(this.#managed.timesOpened + 1))
    }
    withDeadline(({ signal }) => isHealthy(signal, name), options).then(
      (isWell) => conclude(isWell),
      () => conclude(false),
    )
  }

  #answered(era: number, isSlow: boolean): void {
    if (era !== this.#managed.era || this.#isDisposed) return
    if (this.#managed.state === 'half-open') return this.#probeAnswered(isSlow)
    this.#failuresInARow = 0
    if (this.#window === undefined) return
    this.#window.add(false, isSlow, this.#seenMs)
    if (isSlow) this.#judgeShares()
  }

  #probeAnswered(isSlow: boolean): void {
    if (isSlow) return this.#open('probe_failed')
    this.#probesUnderWay -= 1
    this.#probesSucceeded += 1
    if (this.#probesSucceeded < this.#rules.successesToClose) return
    this.#states.transition(this.#rules.name, 'closed', 'probes_succeeded')
  }

  #failed(era: number, isSlow: boolean): void {
    if (era !== this.#managed.era || this.#isDisposed) return
    if (this.#managed.state === 'half-open') return this.#open('probe_failed')
    this.#failuresInARow += 1
    if (this.#window !== undefined) {
      if (this.#window.needsTime) this.#seenMs = this.#rules.clock.monotonic()
      this.#window.add(true, isSlow, this.#seenMs)
    }
    if (this.#failuresInARow >= this.#rules.consecutiveFailures) return this.#open('consecutive_failures')
    this.#judgeShares()
  }

  #judgeShares(): void {
    const window = this.#window
    if (window === undefined || window.calls < this.#rules.minimumCalls) return
    if (window.failures > 0 && window.failures >= window.calls * this.#rules.failureShare) return this.#open('failure_rate')
    if (window.slow > 0 && window.slow >= window.calls * this.#rules.slowShare) this.#open('slow_calls')
  }

  /** What its owner's rule says. One that throws has told nothing: a probe gives its place back. */
  #asks(era: number, rule: () => boolean): boolean {
    try {
      return rule()
    } catch (thrown) {
      this.#saidNothing(era)
      throw thrown
    }
  }

  #saidNothing(era: number): void {
    if (era === this.#managed.era && this.#managed.state === 'half-open') this.#probesUnderWay -= 1
  }

  #open(reason: StateReason): void {
    const openMs = this.#rules.recovery.openMs(this.#managed.timesOpened + 1)
    this.#states.transition(this.#rules.name, 'open', reason, { openMs })
    this.#beginEra()
  }

  /** What was counted before the state changed says nothing about what comes after. */
  #beginEra(): void {
    this.#era = this.#managed.era
    this.#failuresInARow = 0
    this.#probesUnderWay = 0
    this.#probesSucceeded = 0
    this.#window?.clear()
  }
}

interface TimedCall {
  readonly era: number
  readonly beganMs: number
}

/** The error of this family, or what `AbortSignal.timeout` gives as its reason. */
const isTimeout = (reason: unknown): boolean => TimeoutError.isInstance(reason) || (reason instanceof Error && reason.name === 'TimeoutError')
