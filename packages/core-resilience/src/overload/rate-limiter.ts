import { type Clock, type MetricsSink, type Policy, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { countOption, durationOption } from '../check-options.ts'
import { disposedError, OverloadError, withoutStack } from '../errors.ts'
import { chainOf, FusedPolicy } from '../executor/chain.ts'
import type { Run } from '../executor/run.ts'
import { Stage, WAITING } from '../executor/stage.ts'
import { TimerEntry, wheelOf } from '../executor/timer-wheel.ts'
import { notify } from '../notify.ts'

/** A call came before its time. */
export interface RateRefusal {
  readonly limiter: string
  /** When there would be room for it. */
  readonly retryAfterMs: number
}

/** How many calls there may be in a time; see {@link createRateLimiter}. */
export interface RateLimiterOptions {
  /** Name in errors, events and metrics. @default 'default' */
  name?: string | undefined
  /** Calls within `perMs`, evenly spread but for the burst. */
  limit: number
  /** The time that `limit` is for. @default 1_000 */
  perMs?: number | undefined
  /** Calls that may come at once after a quiet time. @default limit */
  burst?: number | undefined
  /** How long a call waits for its turn; less when its deadline is nearer. @default 0: it is refused at once */
  maxWaitMs?: number | undefined
  /** Told of every refusal. What it throws is ignored. @default nobody */
  onRefused?: ((event: RateRefusal) => void) | undefined
  /** Where refusals are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** A policy that bounds how many calls there are in a time. */
export interface RateLimiter extends Policy {
  readonly name: string
  /** Takes the room of one call without making one; 0 when it was there, else the milliseconds until there is room, and nothing taken. */
  tryTake(): number
  /** Refuses who waits and who comes from now on, with `ERR_RESILIENCE_DISPOSED`. */
  dispose(): void
}

/**
 * Lets `limit` calls through in any `perMs`, up to `burst` of them at once. The rule is the generic cell rate algorithm
 * (ITU-T I.371): one number, the time at which the next call would be on time, and no timer but for calls that wait.
 *
 * Its `execute` throws `OverloadError` (`ERR_RATE_LIMITED`) with `retryAfterMs`.
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  return new CellRateLimiter(options)
}

class CellRateLimiter extends FusedPolicy implements RateLimiter {
  readonly name: string
  readonly #stage: RateLimitStage

  constructor(options: RateLimiterOptions) {
    const stage = new RateLimitStage(options)
    super(chainOf([stage]))
    this.name = options.name ?? 'default'
    this.#stage = stage
  }

  tryTake(): number {
    return this.#stage.tryTake()
  }

  dispose(): void {
    this.#stage.dispose()
  }
}

class RateLimitStage extends Stage {
  readonly #name: string
  readonly #clock: Clock
  readonly #spacingMs: number
  readonly #toleranceMs: number
  readonly #maxWaitMs: number
  readonly #waiting = new Set<Turn>()
  readonly #refused: (retryAfterMs: number) => void
  /** When the next call would be on time if calls came evenly. */
  #nextOnTimeMs = -Infinity
  #isDisposed = false

  constructor(options: RateLimiterOptions) {
    super()
    const { name = 'default', metrics = silentMetrics, clock = systemClock } = options
    const limit = countOption('limit', options.limit)
    this.#name = name
    this.#clock = clock
    this.#spacingMs = durationOption('perMs', options.perMs ?? 1_000, 1) / limit
    this.#toleranceMs = this.#spacingMs * (countOption('burst', options.burst ?? limit) - 1)
    this.#maxWaitMs = durationOption('maxWaitMs', options.maxWaitMs ?? 0)
    const refusals = metrics.counter({ name: 'smart_whale_rate_limit_refusals_total', help: 'Calls that came before their time', labelNames: ['limiter'] })
    this.#refused = (retryAfterMs) => {
      refusals.inc({ limiter: name })
      notify(options.onRefused, { limiter: name, retryAfterMs })
    }
  }

  override enter(run: Run<unknown>, at: number): typeof WAITING | Error | undefined {
    run.note(at, undefined)
    if (this.#isDisposed) return disposedError(`rate limiter "${this.#name}"`)
    const nowMs = run.reading.on(this.#clock)
    const waitMs = this.#waitAt(nowMs)
    if (waitMs <= 0) {
      this.#take(nowMs)
      return undefined
    }
    if (waitMs > this.#maxWaitMs || (run.deadlineAtMs !== undefined && nowMs + waitMs >= run.deadlineAtMs)) return this.#refusal(waitMs)
    // Its room is taken now: who comes later gets a later turn.
    this.#take(nowMs)
    const turn = new Turn(this.#waiting, run, at)
    this.#waiting.add(turn)
    run.note(at, turn)
    wheelOf(this.#clock).add(turn, nowMs + waitMs, nowMs)
    return WAITING
  }

  override abandoned(run: Run<unknown>, at: number): void {
    const turn = run.noteOf(at)
    if (!(turn instanceof Turn) || !this.#waiting.delete(turn)) return
    wheelOf(this.#clock).remove(turn)
    // The last one's room is free again. Those behind another one keep their turns, and giving away its room would put two at one time.
    const lastTurnMs = this.#nextOnTimeMs - this.#spacingMs - this.#toleranceMs
    if (turn.dueAtMs > lastTurnMs - ROUNDING_MS) this.#nextOnTimeMs -= this.#spacingMs
  }

  tryTake(): number {
    const nowMs = this.#clock.monotonic()
    const waitMs = this.#waitAt(nowMs)
    if (waitMs <= 0) this.#take(nowMs)
    return Math.max(0, waitMs)
  }

  dispose(): void {
    this.#isDisposed = true
    for (const turn of [...this.#waiting]) {
      this.#waiting.delete(turn)
      wheelOf(this.#clock).remove(turn)
      turn.run.refuse(turn.at, disposedError(`rate limiter "${this.#name}"`))
    }
  }

  #waitAt(nowMs: number): number {
    const waitMs = this.#nextOnTimeMs - this.#toleranceMs - nowMs
    // Fractions of a spacing add up to a little more or less than they should.
    return waitMs < ROUNDING_MS ? 0 : waitMs
  }

  #take(nowMs: number): void {
    this.#nextOnTimeMs = Math.max(nowMs, this.#nextOnTimeMs) + this.#spacingMs
  }

  #refusal(retryAfterMs: number): OverloadError {
    this.#refused(retryAfterMs)
    return withoutStack(
      () =>
        new OverloadError(`rate limiter "${this.#name}" has no room now; come back in ${Math.ceil(retryAfterMs)} ms`, {
          code: 'ERR_RATE_LIMITED',
          limiter: this.#name,
          retryAfterMs,
        }),
    )
  }
}

const ROUNDING_MS = 1e-6

/** A run that waits for its time. */
class Turn extends TimerEntry {
  readonly run: Run<unknown>
  readonly at: number
  readonly #waiting: Set<Turn>

  constructor(waiting: Set<Turn>, run: Run<unknown>, at: number) {
    super()
    this.#waiting = waiting
    this.run = run
    this.at = at
  }

  expire(): void {
    this.#waiting.delete(this)
    this.run.goOn(this.at)
  }
}
