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

/** What a record is made of. */
export interface TargetFacts<T> {
  readonly name: string
  readonly target: T
  readonly weight: number
  readonly decayMs: number
  /** The time of the choice that is being made: read once, however many records are looked at. */
  readonly nowMs: () => number
}

/** What is known of one target. */
export class TargetRecord<T> implements Candidate {
  readonly name: string
  readonly target: T
  readonly weight: number
  underWay = 0
  ejectedUntilMs = -Infinity
  /** How often it was taken out without having done well in between. */
  timesEjected = 0
  readonly #rules: OutlierRules
  readonly #window: SlidingCounts
  readonly #decayMs: number
  readonly #nowMs: () => number
  /** As of the last answer. */
  #measuredMs = 0
  #measuredAtMs = 0
  /** Calls that have not been answered, and since when it has been silent though it owes answers. */
  #unanswered = 0
  #silentSinceMs = 0
  #failuresInARow = 0

  constructor({ name, target, weight, decayMs, nowMs }: TargetFacts<T>, rules: OutlierRules) {
    this.name = name
    this.target = target
    this.weight = weight
    this.#decayMs = decayMs
    this.#nowMs = nowMs
    this.#rules = rules
    this.#window = new SlidingCounts(rules.windowMs)
  }

  /**
   * What was measured, less the longer ago it was: one that once was slow would never be asked again otherwise, as long as another is free.
   * While it owes answers it is as slow as it has been silent, at least: what hangs doesn't get better by hanging.
   */
  get latencyMs(): number {
    if (this.#measuredMs === 0) return 0
    const nowMs = this.#nowMs()
    const decayedMs = this.#measuredMs * this.#weightAt(nowMs)
    return this.#unanswered > 0 ? Math.max(decayedMs, nowMs - this.#silentSinceMs) : decayedMs
  }

  /** Notes that a call goes to it. */
  began(nowMs: number): void {
    this.underWay += 1
    this.#unanswered += 1
    if (this.#unanswered === 1) this.#silentSinceMs = nowMs
  }

  /** Notes an answer, which may go on for long. A slower one counts at once, a faster one by and by. */
  answered(tookMs: number, nowMs: number): void {
    const weight = this.#weightAt(nowMs)
    this.#measuredMs = tookMs >= this.#measuredMs ? tookMs : this.#measuredMs * weight + tookMs * (1 - weight)
    this.#measuredAtMs = nowMs
    this.#spoke(nowMs)
  }

  /** Notes that a call failed before there was an answer: a failure is quick, what it took says something only if it was slow as well. */
  failedToAnswer(tookMs: number, nowMs: number): void {
    if (tookMs > this.#measuredMs) this.answered(tookMs, nowMs)
    else this.#spoke(nowMs)
  }

  /** Notes that nobody waits for an answer any more. */
  givenUp(): void {
    this.#unanswered -= 1
  }

  /** Notes that a call has ended. */
  ended(): void {
    this.underWay -= 1
  }

  /** Notes a call that succeeded. */
  succeeded(nowMs: number): void {
    this.#failuresInARow = 0
    this.#window.add(1, 0, 0, nowMs)
    // A whole window without falling out again, and it is as good as any other.
    if (this.timesEjected > 0 && nowMs >= this.ejectedUntilMs + this.#rules.windowMs) this.timesEjected = 0
  }

  /** Notes a call that failed; whether it should be taken out for that. */
  failed(nowMs: number): boolean {
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

  #spoke(nowMs: number): void {
    this.#unanswered -= 1
    this.#silentSinceMs = nowMs
  }

  #weightAt(nowMs: number): number {
    return Math.exp((this.#measuredAtMs - nowMs) / this.#decayMs)
  }
}
