import { abortedError, type Clock, type PolicyCall, systemClock } from '@smart-whale/interfaces'
import { contextOf, isCancelled, onCancelled } from './cancellation.ts'
import { durationArgument } from './check-options.ts'

/** What bounds a {@link sleep}. */
export interface SleepOptions {
  /** Ends the wait early. @default never aborted */
  signal?: AbortSignal | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/**
 * Waits; nothing is left behind when the signal ends the wait.
 *
 * @throws OperationError `ERR_ABORTED` when the signal aborts
 */
export async function sleep(ms: number, options: SleepOptions = {}): Promise<void> {
  return wait(durationArgument('ms', ms, 0), options, options.clock ?? systemClock, 'the wait')
}

/** {@link sleep} under a policy's call, for the policies themselves. */
export function wait(ms: number, call: PolicyCall | undefined, clock: Clock, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (): void => reject(abortedError(what, contextOf(call).signal))
    if (isCancelled(call)) return refuse()
    const timer = clock.setTimeout(() => {
      stopListening?.()
      resolve()
    }, ms)
    const stopListening = onCancelled(call, () => {
      clock.clearTimeout(timer)
      refuse()
    })
  })
}
