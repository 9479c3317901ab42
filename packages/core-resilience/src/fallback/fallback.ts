import { InfrastructureError, type MetricsSink, type PolicyCall, type PolicyContext, silentMetrics } from '@smart-whale/interfaces'
import { type FailedAlternative, FallbacksFailedError, optionError } from '../errors.ts'
import { chainOf, FusedPolicy } from '../executor/chain.ts'
import type { Run } from '../executor/run.ts'
import { Stage } from '../executor/stage.ts'
import { notify } from '../notify.ts'

/** What an alternative is told of the failure that it stands in for. */
export interface FallbackFailure {
  readonly error: unknown
  /** Alternatives before it and why they gave no answer. */
  readonly before: readonly FailedAlternative[]
}

/** One way to an answer when the work fails. */
export interface Alternative<F> {
  /** In events, metrics and errors. */
  readonly name: string
  /** Whether it fits the failure. @default any */
  readonly when?: ((failure: FallbackFailure) => boolean) | undefined
  /** Gives the answer; the context's signal and deadline are those of the call. */
  readonly answer: (failure: FallbackFailure, context: PolicyContext) => F | Promise<F>
}

/** An alternative answered in place of the work. */
export interface FallbackEvent {
  readonly fallback: string
  readonly alternative: string
  /** The work's own failure. */
  readonly error: unknown
  /** Alternatives before it and why they gave no answer. */
  readonly before: readonly FailedAlternative[]
}

/** What stands in for work that fails; see {@link FallbackManager}. */
export interface FallbackOptions<F> {
  /** Name in events and metrics. @default 'default' */
  name?: string | undefined
  /** Asked in this order until one answers. */
  alternatives: readonly Alternative<F>[]
  /** Which failures are stood in for. @default all but wrong input and what the caller aborted */
  isHandled?: ((error: unknown) => boolean) | undefined
  /** Told when an alternative answered. What it throws is ignored. @default nobody */
  onFallback?: ((event: FallbackEvent) => void) | undefined
  /** Where answers are counted, by alternative. @default silentMetrics */
  metrics?: MetricsSink | undefined
}

/** A policy whose answer may be another one than the work's. */
export interface FallbackPolicy<F> {
  execute<T>(work: (context: PolicyContext) => Promise<T>, call?: PolicyCall): Promise<T | F>
  /** What the alternatives answer; there for the type alone. */
  readonly alternativeType?: F
}

/** A policy that answers in another way when the work fails; see {@link FallbackManager}. */
export function createFallback<F>(options: FallbackOptions<F>): FallbackPolicy<F> {
  return new FallbackManager(options)
}

/**
 * Asks alternatives in their order when the work fails: a stale value, another region, an empty list. Each says which failures
 * it fits, is told why those before it gave no answer, and runs under what is left of the call's deadline. When none answers,
 * `FallbacksFailedError` (`ERR_FALLBACKS_FAILED`) tells what became of each, with the work's own failure as its cause.
 */
export class FallbackManager<F> extends FusedPolicy<F> implements FallbackPolicy<F> {
  readonly alternativeType?: F
  readonly #stage: FallbackStage<F>

  constructor(options: FallbackOptions<F>) {
    const stage = new FallbackStage(options)
    super(chainOf([stage]))
    this.#stage = stage
  }

  /** How often each alternative has answered, and how often none did. */
  get answers(): { readonly byAlternative: Readonly<Record<string, number>>; readonly none: number } {
    return this.#stage.answers
  }
}

class FallbackStage<F> extends Stage {
  override readonly isPassive = true
  readonly #name: string
  readonly #alternatives: readonly Alternative<F>[]
  readonly #isHandled: (error: unknown) => boolean
  readonly #answered: (event: FallbackEvent) => void
  readonly #byAlternative: Record<string, number> = {}
  #none = 0

  constructor(options: FallbackOptions<F>) {
    super()
    const { name = 'default', metrics = silentMetrics } = options
    const names = new Set(options.alternatives.map((alternative) => alternative.name))
    if (names.size === 0 || names.size < options.alternatives.length) throw optionError('alternatives', options.alternatives, 'one or more, each by a name of its own')
    this.#name = name
    this.#alternatives = options.alternatives
    this.#isHandled = options.isHandled ?? mayBeStoodInFor
    for (const alternative of names) this.#byAlternative[alternative] = 0
    const counter = metrics.counter({ name: 'smart_whale_fallbacks_total', help: 'Answers of an alternative in place of the work', labelNames: ['fallback', 'alternative'] })
    this.#answered = (event) => {
      counter.inc({ fallback: name, alternative: event.alternative })
      notify(options.onFallback, event)
    }
  }

  get answers(): { byAlternative: Readonly<Record<string, number>>; none: number } {
    return { byAlternative: { ...this.#byAlternative }, none: this.#none }
  }

  override failed(run: Run<unknown>, at: number, error: unknown): boolean {
    if (run.isCancelled || !this.#isHandled(error)) return false
    const standIn = {}
    run.note(at, standIn)
    run.standInAt(at)
    // The run may have been given up meanwhile: then what comes is dropped.
    const isAwaited = (): boolean => run.noteOf(at) === standIn
    this.#ask(error, run, isAwaited).then(
      (value) => isAwaited() && run.answer(at, value),
      (failure: unknown) => isAwaited() && run.refuse(at, failure),
    )
    return true
  }

  override abandoned(run: Run<unknown>, at: number): void {
    run.note(at, undefined)
  }

  async #ask(error: unknown, run: Run<unknown>, isAwaited: () => boolean): Promise<F> {
    const context = run.contextHere()
    const before: FailedAlternative[] = []
    for (const { name, when, answer } of this.#alternatives) {
      // Nobody waits any more: no further alternative is burdened, and the work's own failure is all there is to say.
      if (!isAwaited() || run.isCancelled) throw error
      const failure: FallbackFailure = { error, before: [...before] }
      try {
        if (when !== undefined && !when(failure)) {
          before.push({ name, outcome: 'not_applicable' })
          continue
        }
        const value = await answer(failure, context)
        if (!isAwaited()) return value
        this.#byAlternative[name]! += 1
        this.#answered({ fallback: this.#name, alternative: name, error, before: [...before] })
        return value
      } catch (failed) {
        before.push({ name, outcome: 'failed', error: failed })
      }
    }
    if (isAwaited()) this.#none += 1
    // None was for this failure: it is passed on as if there were no fallback.
    if (before.every(({ outcome }) => outcome === 'not_applicable')) throw error
    throw new FallbacksFailedError(error, before)
  }
}

function mayBeStoodInFor(error: unknown): boolean {
  if (!InfrastructureError.isInstance(error)) return true
  return error.code !== 'ERR_ABORTED' && error.status !== 400
}
