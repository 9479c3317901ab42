import type { Run } from '../executor/run.ts'
import { Stage } from '../executor/stage.ts'
import { TimerEntry, wheelOf } from '../executor/timer-wheel.ts'
import { retryAfterOf } from './retry-after.ts'
import { WindowBudget } from './retry-budget.ts'
import type { GiveUpReason, RetryRules } from './retry-options.ts'

/** What became of everything that a retry was asked to run. */
export interface RetryStatistics {
  /** Executions, nested ones included. */
  readonly executions: number
  /** Further attempts that were made. */
  readonly retries: number
  /** Executions that succeeded after at least one failure. */
  readonly recovered: number
  /** Retryable failures that were passed on, by reason. */
  readonly givenUp: Readonly<Record<GiveUpReason, number>>
}

/** Runs what is below it again when it fails in a way that may pass. */
export class RetryStage extends Stage {
  override readonly retries = true
  override readonly judgesResults: boolean
  override readonly isAmbient: boolean
  readonly #rules: RetryRules
  readonly #windowBudget: WindowBudget | undefined
  #executions = 0
  #retries = 0
  #recovered = 0
  readonly #givenUp: Record<GiveUpReason, number> = { attempts: 0, budget: 0, deadline: 0, retry_after: 0, nested: 0 }

  constructor(rules: RetryRules) {
    super()
    this.#rules = rules
    this.isAmbient = rules.isAmbient
    this.judgesResults = rules.isRetryableResult !== undefined
    // One that reads the clock that the executor has read already needn't read it again.
    this.#windowBudget = rules.budget instanceof WindowBudget && rules.budget.clock === rules.clock ? rules.budget : undefined
  }

  get statistics(): RetryStatistics {
    return { executions: this.#executions, retries: this.#retries, recovered: this.#recovered, givenUp: { ...this.#givenUp } }
  }

  override enter(run: Run<unknown>, at: number): undefined {
    this.#executions += 1
    const above = run.retryAttempt
    run.note(at, above > 0 ? above : undefined)
    run.retryAttempt = 1
    // What a layer above tries again is that layer's retry, and has been taken out of its budget.
    if (above > 1 || this.#rules.budget === false) return
    if (this.#windowBudget !== undefined) this.#windowBudget.recordAttemptAt(run.reading.on(this.#rules.clock))
    else this.#rules.budget.recordAttempt()
  }

  override succeeded(run: Run<unknown>, at: number): void {
    if (typeof run.noteOf(at) === 'object') this.#recovered += 1
  }

  override judged(run: Run<unknown>, at: number, result: unknown): boolean {
    const { isRetryableResult, retryAfterOfResult } = this.#rules
    if (isRetryableResult === undefined || run.isCancelled || !isRetryableResult(result)) return super.judged(run, at, result)
    return this.#goesOn(run, at, { error: undefined, result, retryAfterMs: retryAfterOfResult(result) })
  }

  override failed(run: Run<unknown>, at: number, error: unknown): boolean {
    if (run.isCancelled || !this.#rules.isRetryable(error)) return this.#passOn(run, aboveOf(run.noteOf(at) as Note))
    return this.#goesOn(run, at, { error, result: undefined, retryAfterMs: retryAfterOf(error) })
  }

  override abandoned(run: Run<unknown>, at: number): void {
    const note = run.noteOf(at)
    if (note instanceof Attempts) wheelOf(this.#rules.clock).remove(note)
  }

  delayMs(attempt: number, retryAfterMs: number, waitedMs: number): number {
    return retryAfterMs + this.#rules.backoff.delayMs(attempt, waitedMs, this.#rules.random)
  }

  /** Whether another attempt follows. */
  #goesOn(run: Run<unknown>, at: number, flop: Flop): boolean {
    const note = run.noteOf(at) as Note
    const before = note instanceof Attempts ? note : undefined
    const above = aboveOf(note)
    const attempt = before?.attempt ?? 1
    const { error, result, retryAfterMs } = flop
    const delayMs = this.delayMs(attempt, retryAfterMs, before?.waitedMs ?? 0)
    const reason = this.#reasonToGiveUp(run, { attempt, delayMs, retryAfterMs, above })
    if (reason !== undefined) {
      this.#givenUp[reason] += 1
      this.#rules.givingUp({ attempts: attempt, reason, error, result })
      return this.#passOn(run, above)
    }
    this.#retries += 1
    this.#rules.retrying({ attempt, delayMs, error, result })
    if (!run.isSettled) this.#wait(run, at, before ?? new Attempts(run, at, above), delayMs)
    return true
  }

  #wait(run: Run<unknown>, at: number, attempts: Attempts, delayMs: number): void {
    const nowMs = run.reading.on(this.#rules.clock)
    attempts.attempt += 1
    attempts.waitedMs = delayMs
    run.note(at, attempts)
    wheelOf(this.#rules.clock).add(attempts, nowMs + delayMs, nowMs)
    run.waitAt(at)
  }

  #passOn(run: Run<unknown>, above: number): boolean {
    run.retryAttempt = above
    return false
  }

  #reasonToGiveUp(run: Run<unknown>, { attempt, delayMs, retryAfterMs, above }: NextAttempt): GiveUpReason | undefined {
    const { maxAttempts, backoff, budget, clock, whenNested } = this.#rules
    if (above > 0 && whenNested === 'once') return 'nested'
    if (attempt >= maxAttempts) return 'attempts'
    if (retryAfterMs > backoff.maxDelayMs) return 'retry_after'
    if (run.deadlineAtMs !== undefined && run.reading.on(clock) + delayMs >= run.deadlineAtMs) return 'deadline'
    // Asked last: what it grants is taken out of the budget.
    if (budget !== false && !budget.tryRetry()) return 'budget'
    return undefined
  }
}

/** An attempt that failed, or whose result won't do. */
interface Flop {
  readonly error: unknown
  readonly result: unknown
  /** What it asks to be waited; 0 when it doesn't. */
  readonly retryAfterMs: number
}

/** The attempt that would follow. */
interface NextAttempt {
  readonly attempt: number
  readonly delayMs: number
  readonly retryAfterMs: number
  readonly above: number
}

/** The attempt of the layer above, if there is one; from the first failure on, the attempts. */
type Note = number | Attempts | undefined

const aboveOf = (note: Note): number => (note instanceof Attempts ? note.above : (note ?? 0))

/** The attempts of one run, from its first failure on; waits in the wheel between them. */
class Attempts extends TimerEntry {
  /** The attempt of the layer above; 0 for none. */
  readonly above: number
  attempt = 1
  waitedMs = 0
  readonly #run: Run<unknown>
  readonly #at: number

  constructor(run: Run<unknown>, at: number, above: number) {
    super()
    this.#run = run
    this.#at = at
    this.above = above
  }

  expire(): void {
    this.#run.retryAttempt = this.attempt
    this.#run.goOn(this.#at)
  }
}
