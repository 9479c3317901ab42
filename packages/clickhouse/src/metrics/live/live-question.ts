import { type Backoff, type Bulkhead, outsideOfCalls } from '@smart-whale/core-resilience'
import { type Clock, InfrastructureError, type Logger, type TimerHandle } from '@smart-whale/interfaces'
import { OperationalError } from '../../operational-errors.ts'
import { QuotaExceededError } from '../../access/access-errors.ts'
import type { DegradedMetrics, MetricAnswer } from '../answer/metric-answer.ts'
import type { LiveFailure } from './live-events.ts'
import type { VersionedAnswer } from './versioned-answer.ts'

/** What a {@link LiveQuestion} works with. */
export interface LiveQuestionParts {
  readonly ask: (signal: AbortSignal) => Promise<MetricAnswer>
  readonly answer: VersionedAnswer
  readonly turns: Bulkhead
  readonly backoff: Backoff
  readonly pollMs: number
  readonly minIntervalMs: number
  readonly clock: Clock
  readonly logger: Logger
}

/** From the first subscriber to the last. */
interface Run {
  readonly controller: AbortController
  timer: TimerHandle | undefined
  dueAtMs: number
  asking: boolean
  /** Something was written since the asking began. */
  dirty: boolean
  startedAtMs: number
  failures: number
  waitedMs: number
}

/**
 * One question of one reader, asked again as long as somebody follows it. A write that is told while it is being asked makes it be asked
 * once more: an answer stands only for what was there when its asking began.
 */
export class LiveQuestion {
  readonly answer: VersionedAnswer
  readonly #parts: LiveQuestionParts
  readonly #followers = new Set<() => void>()
  #run: Run | undefined
  #current = false
  #failure: LiveFailure | undefined

  constructor(parts: LiveQuestionParts) {
    this.#parts = parts
    this.answer = parts.answer
  }

  /** Whether it was answered since somebody follows it. */
  get current(): boolean {
    return this.#current
  }

  /** Why it could not be answered anew, until it can. */
  get failure(): LiveFailure | undefined {
    return this.#failure
  }

  get followers(): number {
    return this.#followers.size
  }

  /** @param wake told when there may be news; must not throw */
  follow(wake: () => void): void {
    this.#followers.add(wake)
    if (this.#run !== undefined) return
    const now = this.#parts.clock.monotonic()
    this.#run = { controller: new AbortController(), timer: undefined, dueAtMs: now, asking: false, dirty: false, startedAtMs: now, failures: 0, waitedMs: 0 }
    this.#ask(this.#run)
  }

  leave(wake: () => void): void {
    if (!this.#followers.delete(wake) || this.#followers.size > 0) return
    const run = this.#run
    this.#run = undefined
    this.#current = false
    this.#failure = undefined
    if (run === undefined) return
    this.#parts.clock.clearTimeout(run.timer)
    run.controller.abort(new DOMException('nobody follows the question any more', 'AbortError'))
  }

  /** What it reads may have changed. */
  written(): void {
    const run = this.#run
    if (run === undefined) return
    run.dirty = true
    if (!run.asking && run.failures === 0) this.#askAt(run, run.startedAtMs + this.#parts.minIntervalMs)
  }

  #ask(run: Run): void {
    run.asking = true
    run.timer = undefined
    const { ask, turns, clock } = this.#parts
    const { signal } = run.controller
    const asked = outsideOfCalls(() =>
      // Before its turn comes it may be written again: what counts is when it is asked.
      turns.execute(
        () => {
          run.dirty = false
          run.startedAtMs = clock.monotonic()
          return ask(signal)
        },
        { signal },
      ),
    )
    asked.then(
      (answer) => this.#answered(run, answer),
      (error: unknown) => this.#failed(run, error),
    )
  }

  #answered(run: Run, answer: MetricAnswer): void {
    // What is from before is better than nothing, and worse than what was told already.
    if (answer.degraded !== undefined && this.answer.sequence > 0) return this.#failed(run, quotaIsSpent(answer.degraded))
    run.asking = false
    if (this.#run !== run) return
    const news = this.answer.take(answer) || !this.#current || this.#failure !== undefined
    this.#current = true
    this.#failure = undefined
    run.failures = 0
    run.waitedMs = 0
    if (news) this.#wake()
    if (this.#run !== run) return
    const { minIntervalMs, pollMs } = this.#parts
    this.#askAt(run, run.startedAtMs + (run.dirty ? minIntervalMs : Math.max(pollMs, minIntervalMs)))
  }

  #failed(run: Run, cause: unknown): void {
    run.asking = false
    if (this.#run !== run) return
    const { backoff, clock, logger } = this.#parts
    run.failures += 1
    run.waitedMs = Math.max(backoff.delayMs(run.failures, run.waitedMs, Math.random), QuotaExceededError.isInstance(cause) ? cause.retryAfterMs : 0)
    const error = InfrastructureError.isInstance(cause) ? cause : new OperationalError('a live question failed for a reason that this package does not know; see the cause', { cause })
    this.#failure = { type: 'failure', error, retryInMs: run.waitedMs }
    logger.warn({ err: cause, failures: run.failures, retryInMs: run.waitedMs }, 'a live question could not be answered')
    this.#wake()
    if (this.#run === run) this.#askAt(run, clock.monotonic() + run.waitedMs)
  }

  #wake(): void {
    for (const wake of [...this.#followers]) wake()
  }

  /** At that time, or at once when it is over; not later than it is due already. */
  #askAt(run: Run, atMs: number): void {
    const { clock } = this.#parts
    if (run.timer !== undefined && run.dueAtMs <= atMs) return
    clock.clearTimeout(run.timer)
    run.dueAtMs = atMs
    run.timer = clock.setTimeout(() => this.#ask(run), Math.max(0, atMs - clock.monotonic()))
  }
}

function quotaIsSpent({ quota, retryAfterMs }: DegradedMetrics): QuotaExceededError {
  return new QuotaExceededError(`the quota (${quota}) is spent; there is some again in ${Math.ceil(retryAfterMs / 1000)} s`, { quota, retryAfterMs })
}
