import { type Clock, type MetricsSink, type Policy, type PolicyContext, silentMetrics, systemClock, TimeoutError } from '@smart-whale/interfaces'
import { durationArgument, durationOption } from './check-options.ts'
import { chainOf, FusedPolicy } from './executor/chain.ts'
import { Run } from './executor/run.ts'
import { earlier } from './executor/scope.ts'
import { Stage } from './executor/stage.ts'
import { type TimerEntry, type TimerWheel, wheelOf } from './executor/timer-wheel.ts'
import { notify } from './notify.ts'

/** What bounds the work of {@link withDeadline}. */
export interface DeadlineOptions {
  /** How long the work may take. */
  timeoutMs: number
  /** Ends the work early. @default never aborted */
  signal?: AbortSignal | undefined
  /** What is being done, for the error's message: `query 4711`, `insert into flights`. @default 'the operation' */
  what?: string | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/**
 * Runs work that must be done within `timeoutMs`. At the deadline, or when the caller gives up, the work's signal aborts
 * and the promise rejects at once, even if the work takes no notice. No listener is left afterwards.
 *
 * @throws TimeoutError `ERR_TIMEOUT` at the deadline
 * @throws OperationError `ERR_ABORTED` when `signal` aborts
 * @throws ValidationError when `timeoutMs` is not a time that can be waited
 */
export async function withDeadline<T>(work: (context: PolicyContext) => Promise<T>, options: DeadlineOptions): Promise<T> {
  const timeoutMs = durationArgument('timeoutMs', options.timeoutMs, 1)
  const what = options.what ?? 'the operation'
  const stage = new TimeoutStage(timeoutMs, what, options.clock ?? systemClock)
  return new Run(chainOf([stage], undefined, what), work, options).start()
}

/** A deadline passed. */
export interface TimeoutEvent {
  readonly what: string
  readonly timeoutMs: number
}

/** How {@link createTimeout} bounds work. */
export interface TimeoutOptions {
  /** How long the work may take. */
  timeoutMs: number
  /** What is being done, for the error's message and metrics. @default 'the operation' */
  what?: string | undefined
  /** Told of every deadline that passes. What it throws is ignored. @default nobody */
  onTimeout?: ((event: TimeoutEvent) => void) | undefined
  /** Where timeouts are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** A policy that gives each run `timeoutMs`, or what a deadline above leaves of it; see {@link withDeadline}. */
export function createTimeout(options: TimeoutOptions): Policy {
  const { what = 'the operation', clock = systemClock, metrics = silentMetrics } = options
  const timeoutMs = durationOption('timeoutMs', options.timeoutMs, 1)
  const timeouts = metrics.counter({ name: 'smart_whale_timeouts_total', help: 'Deadlines that passed', labelNames: ['what'] })
  const stage = new TimeoutStage(timeoutMs, what, clock, () => {
    timeouts.inc({ what })
    notify(options.onTimeout, { what, timeoutMs })
  })
  return new FusedPolicy(chainOf([stage], undefined, what))
}

class TimeoutStage extends Stage {
  override readonly canAbandon = true
  readonly timeoutMs: number
  readonly what: string
  readonly #clock: Clock
  readonly #wheel: TimerWheel
  readonly #onTimeout: () => void

  constructor(timeoutMs: number, what: string, clock: Clock, onTimeout: () => void = () => {}) {
    super()
    this.timeoutMs = timeoutMs
    this.what = what
    this.#clock = clock
    this.#wheel = wheelOf(clock)
    this.#onTimeout = onTimeout
  }

  override enter(run: Run<unknown>, at: number): undefined {
    const nowMs = run.reading.on(this.#clock)
    const entry = new Deadline(this, run, at)
    const dueAtMs = earlier(nowMs + this.timeoutMs, run.deadlineAtMs)!
    run.deadlineAtMs = dueAtMs
    run.note(at, entry)
    this.#wheel.add(entry, dueAtMs, nowMs)
  }

  override succeeded(run: Run<unknown>, at: number): void {
    this.#leave(run, at)
  }

  override failed(run: Run<unknown>, at: number): boolean {
    this.#leave(run, at)
    return false
  }

  override abandoned(run: Run<unknown>, at: number): void {
    this.#leave(run, at)
  }

  passed(run: Run<unknown>, at: number): void {
    this.#onTimeout()
    const { aboveMs } = run.noteOf(at) as Deadline
    const isCut = aboveMs !== undefined && aboveMs <= (run.deadlineAtMs ?? Infinity)
    run.abandonBelow(at, isCut ? cutShort(this.what, this.timeoutMs) : timedOut(this.what, this.timeoutMs))
  }

  /** What is above has its own deadline, or none. */
  #leave(run: Run<unknown>, at: number): void {
    const entry = run.noteOf(at) as Deadline
    run.deadlineAtMs = entry.aboveMs
    this.#wheel.remove(entry)
  }
}

/** Made for every call, and so not by way of the constructor of the class that it could extend; see {@link Run}. */
class Deadline implements TimerEntry {
  dueAtMs = 0
  slot = -1
  previous: TimerEntry | undefined = undefined
  next: TimerEntry | undefined = undefined
  /** The deadline of what is above. */
  readonly aboveMs: number | undefined
  readonly #stage: TimeoutStage
  readonly #run: Run<unknown>
  readonly #at: number

  constructor(stage: TimeoutStage, run: Run<unknown>, at: number) {
    this.aboveMs = run.deadlineAtMs
    this.#stage = stage
    this.#run = run
    this.#at = at
  }

  expire(): void {
    this.#stage.passed(this.#run, this.#at)
  }
}

/** More time of its own would not have helped. */
function cutShort(what: string, timeoutMs: number): TimeoutError {
  return new TimeoutError(`${what} was not done by the deadline of the call that it is a part of, which left it less than its own ${timeoutMs} ms`, { context: { timeoutMs } })
}

function timedOut(what: string, timeoutMs: number): TimeoutError {
  return new TimeoutError(`${what} took longer than ${timeoutMs} ms; give it more time or less to do`, { context: { timeoutMs } })
}
