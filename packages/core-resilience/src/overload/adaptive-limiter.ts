import { type Clock, InfrastructureError, type MetricsSink, type Policy, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { countOption, durationOption } from '../check-options.ts'
import { OverloadError, withoutStack } from '../errors.ts'
import type { Run } from '../executor/run.ts'
import { notify } from '../notify.ts'
import { AimdLimit, type ConcurrencyLimit, GradientLimit } from './concurrency-limits.ts'
import { PlacePolicy } from './place-policy.ts'
import { type PlaceOutcome, PlaceStage } from './place-stage.ts'

/** The limit moved. */
export interface LimitChange {
  readonly limiter: string
  readonly from: number
  readonly to: number
}

/** How an adaptive limit finds its way; see {@link createAdaptiveLimiter}. */
export interface AdaptiveLimiterOptions {
  /** Name in errors, events and metrics. @default 'default' */
  name?: string | undefined
  /** `gradient` goes by the time that calls take, `aimd` by failures alone; or a rule of your own. @default 'gradient' */
  algorithm?: 'gradient' | 'aimd' | ConcurrencyLimit | undefined
  /** Calls at once to begin with. @default 20 */
  initialLimit?: number | undefined
  /** The limit never falls below. @default 1 */
  minLimit?: number | undefined
  /** The limit never rises above. @default 1_000 */
  maxLimit?: number | undefined
  /** Least time between two changes of the limit. @default 100 */
  windowMs?: number | undefined
  /** Calls that must have ended between two changes. @default 10 */
  windowCalls?: number | undefined
  /** Calls that wait for a place; the next one is refused. @default 0 */
  maxQueued?: number | undefined
  /** How long a call waits at most; less when its deadline is nearer. @default 1_000 */
  maxWaitMs?: number | undefined
  /** Which failures speak of overload. @default retryable ones and those of unknown origin */
  isOverload?: ((error: unknown) => boolean) | undefined
  /** Told when the limit, as a whole number, changes. What it throws is ignored. @default nobody */
  onLimitChange?: ((event: LimitChange) => void) | undefined
  /** Where the limit and refusals are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** A policy that finds out by itself how many calls at once the other side bears. */
export interface AdaptiveLimiter extends Policy {
  readonly name: string
  /** Calls at once as of now. */
  readonly limit: number
  readonly underWay: number
  readonly queued: number
  /** Refuses who waits and who comes from now on, with `ERR_RESILIENCE_DISPOSED`. */
  dispose(): void
}

/** Bounds calls at once by what the other side bears, as {@link ConcurrencyLimit} finds out. Its `execute` throws `OverloadError` (`ERR_CONCURRENCY_LIMITED`). */
export function createAdaptiveLimiter(options: AdaptiveLimiterOptions = {}): AdaptiveLimiter {
  return new LearningLimiter(options.name ?? 'default', new AdaptiveStage(options))
}

class LearningLimiter extends PlacePolicy<AdaptiveStage> implements AdaptiveLimiter {
  get limit(): number {
    return this.stage.wholeLimit
  }
}

class AdaptiveStage extends PlaceStage {
  readonly #name: string
  readonly #clock: Clock
  readonly #rule: ConcurrencyLimit
  readonly #bounds: { readonly min: number; readonly max: number; readonly windowMs: number; readonly windowCalls: number }
  readonly #isOverload: (error: unknown) => boolean
  readonly #refused: () => void
  readonly #moved: (from: number, to: number) => void
  /** The limit with its fraction: small steps add up. */
  #exact: number
  #windowBeganMs = -Infinity
  #ended = 0
  #succeeded = 0
  #totalMs = 0
  #mostUnderWay = 0
  #wasOverloaded = false

  constructor(options: AdaptiveLimiterOptions) {
    const { name = 'default', clock = systemClock, metrics = silentMetrics, algorithm = 'gradient' } = options
    const min = countOption('minLimit', options.minLimit ?? 1)
    const max = countOption('maxLimit', options.maxLimit ?? 1_000, min)
    const initial = Math.min(max, Math.max(min, countOption('initialLimit', options.initialLimit ?? 20)))
    const maxQueued = countOption('maxQueued', options.maxQueued ?? 0, 0)
    super({ what: `adaptive limiter "${name}"`, limit: initial, maxQueued, maxWaitMs: durationOption('maxWaitMs', options.maxWaitMs ?? 1_000), clock })
    this.#name = name
    this.#clock = clock
    this.#exact = initial
    this.#rule = algorithm === 'gradient' ? new GradientLimit() : algorithm === 'aimd' ? new AimdLimit() : algorithm
    this.#bounds = { min, max, windowMs: durationOption('windowMs', options.windowMs ?? 100), windowCalls: countOption('windowCalls', options.windowCalls ?? 10) }
    this.#isOverload = options.isOverload ?? speaksOfOverload
    const refusals = metrics.counter({ name: 'smart_whale_concurrency_refusals_total', help: 'Calls above the adaptive limit', labelNames: ['limiter'] })
    const gauge = metrics.gauge({ name: 'smart_whale_concurrency_limit', help: 'Calls at once, as found out', labelNames: ['limiter'] })
    gauge.set({ limiter: name }, initial)
    this.#refused = () => refusals.inc({ limiter: name })
    this.#moved = (from, to) => {
      gauge.set({ limiter: name }, to)
      notify(options.onLimitChange, { limiter: name, from, to })
    }
  }

  get wholeLimit(): number {
    return this.limit
  }

  protected override admitted(run: Run<unknown>, at: number): void {
    run.note(at, run.reading.on(this.#clock))
    this.#mostUnderWay = Math.max(this.#mostUnderWay, this.underWay)
  }

  protected override ended(note: unknown, outcome: PlaceOutcome, error: unknown): void {
    if (outcome === 'unknown') return
    const nowMs = this.#clock.monotonic()
    if (this.#windowBeganMs === -Infinity) this.#windowBeganMs = note as number
    this.#ended += 1
    if (outcome === 'failed') this.#wasOverloaded ||= this.#isOverload(error)
    else {
      this.#succeeded += 1
      this.#totalMs += nowMs - (note as number)
    }
    if (this.#ended >= this.#bounds.windowCalls && nowMs - this.#windowBeganMs >= this.#bounds.windowMs) this.#adjust(nowMs)
  }

  protected override refusal(): OverloadError {
    this.#refused()
    const message = `adaptive limiter "${this.#name}" lets ${this.limit} calls through at once and has no room; the other side is at its limit: come back later`
    return withoutStack(() => new OverloadError(message, { code: 'ERR_CONCURRENCY_LIMITED', limiter: this.#name }))
  }

  #adjust(nowMs: number): void {
    // Failures alone tell nothing of the time that calls take.
    const meanMs = this.#succeeded === 0 ? 0 : this.#totalMs / this.#succeeded
    if (this.#succeeded > 0 || this.#wasOverloaded) {
      const wanted = this.#rule.next(this.#exact, { meanMs, mostUnderWay: this.#mostUnderWay, wasOverloaded: this.#wasOverloaded })
      this.#exact = Math.min(this.#bounds.max, Math.max(this.#bounds.min, wanted))
    }
    const from = this.limit
    this.limit = Math.max(this.#bounds.min, Math.floor(this.#exact + ROUNDING))
    this.#windowBeganMs = nowMs
    this.#ended = 0
    this.#succeeded = 0
    this.#totalMs = 0
    this.#mostUnderWay = this.underWay
    this.#wasOverloaded = false
    if (this.limit !== from) this.#moved(from, this.limit)
  }
}

/** Sums of fractions fall a little short of what they should be. */
const ROUNDING = 1e-9

function speaksOfOverload(error: unknown): boolean {
  return !InfrastructureError.isInstance(error) || error.retryable
}
