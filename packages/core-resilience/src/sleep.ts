import { abortedError, type Clock, systemClock } from '@smart-whale/interfaces'
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
  const { signal, clock = systemClock } = options
  const waitMs = durationArgument('ms', ms, 0)
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortedError('the wait', signal))
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, waitMs)
    const onAbort = (): void => {
      clock.clearTimeout(timer)
      reject(abortedError('the wait', signal as AbortSignal))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
