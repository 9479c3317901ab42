import { abortedError, type Clock, InfrastructureError, type MetricsSink, type Policy, type PolicyCall, type PolicyContext, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { countOption, durationOption } from '../check-options.ts'
import { contextOf, earlier, isCancelled, layersAbove, onCancelled, Scope } from '../executor/scope.ts'
import { TimerEntry, wheelOf } from '../executor/timer-wheel.ts'
import { notify } from '../notify.ts'
import type { RetryBudget } from '../retry/retry-budget.ts'

/** A further try was begun beside those under way. */
export interface HedgeEvent {
  readonly hedge: string
  /** Which try it is; the first is 1, the first further one 2. */
  readonly attempt: number
  /** Why: time passed, or all tries before had failed. */
  readonly reason: 'slow' | 'failed'
}

/** When a further try is made; see {@link createHedge}. */
export interface HedgeOptions {
  /** Name in events and metrics. @default 'default' */
  name?: string | undefined
  /** How long a try may take before another one is begun beside it: about the 95th percentile of the time that calls take. A function is asked for each call. */
  delayMs: number | (() => number)
  /** Tries in all. @default 2 */
  maxAttempts?: number | undefined
  /** Bounds further tries to a share of the traffic; `false` for no bound. @default false */
  budget?: RetryBudget | false | undefined
  /** Which failures are waited out for another try's answer; any other ends all tries. @default retryable ones */
  isRetryable?: ((error: unknown) => boolean) | undefined
  /** Told of each further try. What it throws is ignored. @default nobody */
  onHedge?: ((event: HedgeEvent) => void) | undefined
  /** Where further tries and winners are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

interface HedgeRules {
  readonly delayMs: () => number
  readonly maxAttempts: number
  readonly budget: RetryBudget | false
  readonly isRetryable: (error: unknown) => boolean
  readonly clock: Clock
  readonly begun: (event: Omit<HedgeEvent, 'hedge'>) => void
  readonly won: (attempt: number) => void
}

/**
 * Begins a second try when the first is slow, and takes whichever answers first; the signals of the others abort
 * (J. Dean, L. A. Barroso, "The Tail at Scale", CACM 2013). For work that may safely run twice.
 * It fails with the first failure when all tries have failed.
 */
export function createHedge(options: HedgeOptions): Policy {
  const rules = hedgeRules(options)
  return { execute: (work, call) => new HedgedCall(rules, work, call).promise }
}

function hedgeRules(options: HedgeOptions): HedgeRules {
  const { name = 'default', metrics = silentMetrics, delayMs } = options
  const fixedMs = typeof delayMs === 'function' ? 0 : durationOption('delayMs', delayMs)
  const tries = metrics.counter({ name: 'smart_whale_hedges_total', help: 'Tries beside those under way', labelNames: ['hedge', 'reason'] })
  const wins = metrics.counter({ name: 'smart_whale_hedge_wins_total', help: 'Answers by the try that gave them', labelNames: ['hedge', 'attempt'] })
  return {
    delayMs: typeof delayMs === 'function' ? () => Math.max(0, delayMs() || 0) : () => fixedMs,
    maxAttempts: countOption('maxAttempts', options.maxAttempts ?? 2),
    budget: options.budget ?? false,
    isRetryable: options.isRetryable ?? ((error) => InfrastructureError.isInstance(error) && error.retryable),
    clock: options.clock ?? systemClock,
    begun: (event) => {
      tries.inc({ hedge: name, reason: event.reason })
      notify(options.onHedge, { hedge: name, ...event })
    },
    won: (attempt) => wins.inc({ hedge: name, attempt }),
  }
}

/** The tries of one call. Its timer is for the next one. */
class HedgedCall<T> extends TimerEntry {
  readonly promise: Promise<T>
  readonly #rules: HedgeRules
  readonly #work: (context: PolicyContext) => Promise<T>
  readonly #call: PolicyCall | undefined
  readonly #underWay = new Set<Scope>()
  readonly #stopFollowing: (() => void) | undefined = undefined
  #begun = 0
  #isSettled = false
  #firstFailure: { readonly error: unknown } | undefined = undefined
  #resolve!: (value: T) => void
  #reject!: (reason: unknown) => void

  constructor(rules: HedgeRules, work: (context: PolicyContext) => Promise<T>, call: PolicyCall | undefined) {
    super()
    this.#rules = rules
    this.#work = work
    this.#call = call
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (isCancelled(call)) {
      this.#settle(() => this.#reject(this.#callerGaveUp()))
      return
    }
    if (rules.budget !== false) rules.budget.recordAttempt()
    this.#stopFollowing = onCancelled(call, (reason) => this.#settle(() => this.#reject(this.#callerGaveUp()), reason))
    this.#orFail(() => this.#begin())
  }

  expire(): void {
    this.#orFail(() => this.#beginAnother('slow'))
  }

  #begin(): void {
    this.#begun += 1
    const attempt = this.#begun
    const above = layersAbove(this.#call)
    const scope = new Scope(earlier(this.#call?.deadlineAtMs, above?.deadlineAtMs), above?.retryAttempt ?? 0, undefined)
    this.#underWay.add(scope)
    this.#awaitNext()
    start(this.#work, scope).then(
      (value) => this.#answered(attempt, scope, value),
      (error: unknown) => this.#orFail(() => this.#failed(scope, error)),
    )
  }

  /** What a rule or a budget of the caller's throws is how the call fails: nobody else would hear of it. */
  #orFail(step: () => void): void {
    try {
      step()
    } catch (thrown) {
      this.#settle(() => this.#reject(thrown))
    }
  }

  #awaitNext(): void {
    if (this.#begun >= this.#rules.maxAttempts) return
    const nowMs = this.#rules.clock.monotonic()
    wheelOf(this.#rules.clock).add(this, nowMs + this.#rules.delayMs(), nowMs)
  }

  #beginAnother(reason: HedgeEvent['reason']): boolean {
    const { budget, maxAttempts } = this.#rules
    if (this.#isSettled || this.#begun >= maxAttempts || (budget !== false && !budget.tryRetry())) return false
    this.#rules.begun({ attempt: this.#begun + 1, reason })
    if (!this.#isSettled) this.#begin()
    return true
  }

  #answered(attempt: number, scope: Scope, value: T): void {
    this.#underWay.delete(scope)
    if (this.#isSettled) return
    this.#rules.won(attempt)
    this.#settle(() => this.#resolve(value))
  }

  #failed(scope: Scope, error: unknown): void {
    this.#underWay.delete(scope)
    if (this.#isSettled) return
    if (!this.#rules.isRetryable(error)) return this.#settle(() => this.#reject(error))
    this.#firstFailure ??= { error }
    if (this.#underWay.size > 0) return
    wheelOf(this.#rules.clock).remove(this)
    // Nothing is under way: there is nothing to wait for.
    if (!this.#beginAnother('failed')) this.#settle(() => this.#reject(this.#firstFailure?.error))
  }

  #settle(settle: () => void, reason: unknown = undefined): void {
    if (this.#isSettled) return
    this.#isSettled = true
    wheelOf(this.#rules.clock).remove(this)
    this.#stopFollowing?.()
    settle()
    for (const scope of this.#underWay) scope.cancel(reason ?? anotherAnswered)
    this.#underWay.clear()
  }

  #callerGaveUp(): Error {
    return abortedError('the hedged operation', contextOf(this.#call).signal)
  }
}

/** The reason of the signals of tries that are no longer needed. */
const anotherAnswered = new DOMException('another try has answered', 'AbortError')

/** Work that throws before its first `await` fails like any other. */
async function start<T>(work: (context: PolicyContext) => Promise<T>, context: PolicyContext): Promise<T> {
  return work(context)
}
