import { SlidingCounts } from '../sliding-counts.ts'
import type { Candidate } from './strategies.ts'

/** When a target is taken out for a while; see {@link BalancerOptions}. */
export interface OutlierOptions {
  /** Failures in a row; `Infinity` for never. @default 5 */
  consecutiveFailures?: number | undefined
  /** Share of failures within `windowMs`. @default 0.5 */
  failureShare?: number | undefined
  /** Calls within `windowMs` below which the share says nothing. @default 20 */
  minimumCalls?: number | undefined
  /** Time over which the share is taken. @default 10_000 */
  windowMs?: number | undefined
  /** How long it stays out the first time; as many times as long each time it is out again soon. @default 10_000 */
  ejectMs?: number | undefined
  /** Longest time that it stays out. @default 300_000 */
  maxEjectMs?: number | undefined
  /** Share of the targets that may be out at once; one always may, unless it is the only one. @default 0.5 */
  maxEjectedShare?: number | undefined
}

/** The options of outliers, all of them. */
export type OutlierRules = { readonly [Key in keyof OutlierOptions]-?: number }

/** What is known of one target. */
export class TargetRecord<T> implements Candidate {
  readonly name: string
  readonly target: T
  readonly weight: number
  underWay = 0
  latencyMs = 0
  ejectedUntilMs = -Infinity
  /** How often it was taken out without having done well in between. */
  timesEjected = 0
  readonly #rules: OutlierRules
  readonly #window: SlidingCounts
  readonly #decayMs: number
  #latencyAtMs = 0
  #failuresInARow = 0

  constructor(options: { name: string; target: T; weight: number; decayMs: number }, rules: OutlierRules) {
    this.name = options.name
    this.target = options.target
    this.weight = options.weight
    this.#decayMs = options.decayMs
    this.#rules = rules
    this.#window = new SlidingCounts(rules.windowMs)
  }

  /** Notes a call that succeeded. */
  succeeded(tookMs: number, nowMs: number): void {
    this.#noteLatency(tookMs, nowMs)
    this.#failuresInARow = 0
    this.#window.add(1, 0, 0, nowMs)
    // A whole window without falling out again, and it is as good as any other.
    if (this.timesEjected > 0 && nowMs >= this.ejectedUntilMs + this.#rules.windowMs) this.timesEjected = 0
  }

  /** Notes a call that failed; whether it should be taken out for that. */
  failed(tookMs: number, nowMs: number): boolean {
    // A failure is quick: what it took says something only if it was slow as well.
    if (tookMs > this.latencyMs) this.#noteLatency(tookMs, nowMs)
    this.#failuresInARow += 1
    this.#window.add(1, 1, 0, nowMs)
    if (this.#failuresInARow >= this.#rules.consecutiveFailures) return true
    return this.#window.all >= this.#rules.minimumCalls && this.#window.marked >= this.#window.all * this.#rules.failureShare
  }

  eject(nowMs: number): void {
    this.timesEjected += 1
    this.ejectedUntilMs = nowMs + Math.min(this.#rules.maxEjectMs, this.#rules.ejectMs * this.timesEjected)
    this.#failuresInARow = 0
    this.#window.clear()
  }

  /** A slower call counts at once, a faster one by and by. */
  #noteLatency(tookMs: number, nowMs: number): void {
    if (tookMs >= this.latencyMs) this.latencyMs = tookMs
    else {
      const weight = Math.exp(-(nowMs - this.#latencyAtMs) / this.#decayMs)
      this.latencyMs = this.latencyMs * weight + tookMs * (1 - weight)
    }
    this.#latencyAtMs = nowMs
  }
}
