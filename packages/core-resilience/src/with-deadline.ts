import { abortedError, type Clock, type Policy, type PolicyCall, type PolicyContext, systemClock, TimeoutError } from '@smart-whale/interfaces'
import { Cancellation, contextOf, isCancelled, onCancelled } from './cancellation.ts'
import { durationArgument, durationOption } from './check-options.ts'

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
 * and the promise rejects at once, even if the work takes no notice. No timer or listener is left afterwards.
 *
 * @throws TimeoutError `ERR_TIMEOUT` at the deadline
 * @throws OperationError `ERR_ABORTED` when `signal` aborts
 * @throws ValidationError when `timeoutMs` is not a time that can be waited
 */
export async function withDeadline<T>(work: (context: PolicyContext) => Promise<T>, options: DeadlineOptions): Promise<T> {
  const timeoutMs = durationArgument('timeoutMs', options.timeoutMs, 1)
  return runUntil(work, options, timeoutMs, options.clock ?? systemClock, options.what ?? 'the operation')
}

/** How {@link createTimeout} bounds work. */
export interface TimeoutOptions {
  /** How long the work may take. */
  timeoutMs: number
  /** What is being done, for the error's message. @default 'the operation' */
  what?: string | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** A policy that gives each run `timeoutMs`; see {@link withDeadline}. */
export function createTimeout(options: TimeoutOptions): Policy {
  const { what = 'the operation', clock = systemClock } = options
  const timeoutMs = durationOption('timeoutMs', options.timeoutMs, 1)
  return {
    execute: (work, call) => runUntil(work, call, timeoutMs, clock, what),
  }
}

function runUntil<T>(
  work: (context: PolicyContext) => Promise<T>,
  call: PolicyCall | undefined,
  timeoutMs: number,
  clock: Clock,
  what: string,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const callerGaveUp = (): Error => abortedError(what, contextOf(call).signal)
    if (isCancelled(call)) return reject(callerGaveUp())

    const deadlineAtMs = Math.min(clock.monotonic() + timeoutMs, call?.deadlineAtMs ?? Infinity)
    const context = new Cancellation(deadlineAtMs)
    const timer = clock.setTimeout(() => giveUp(timedOut(what, timeoutMs)), timeoutMs)
    const stopListening = onCancelled(call, (reason) => giveUp(callerGaveUp(), reason))
    const tidy = (): void => {
      clock.clearTimeout(timer)
      stopListening?.()
    }
    // The promise is rejected before the work hears of it: the work's own complaint comes second and is dropped.
    const giveUp = (error: Error, reason: unknown = error): void => {
      tidy()
      reject(error)
      context.cancel(reason)
    }

    start(work, context).then(
      (result) => {
        tidy()
        resolve(result)
      },
      (error: unknown) => {
        tidy()
        reject(error as Error)
      },
    )
  })
}

/** Work that throws before its first `await` fails like any other. */
async function start<T>(work: (context: PolicyContext) => Promise<T>, context: PolicyContext): Promise<T> {
  return work(context)
}

function timedOut(what: string, timeoutMs: number): TimeoutError {
  return new TimeoutError(`${what} took longer than ${timeoutMs} ms; give it more time or less to do`, { context: { timeoutMs } })
}
