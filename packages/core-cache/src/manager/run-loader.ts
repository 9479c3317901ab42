import { withDeadline } from '@smart-whale/core-resilience'
import { abortedError, type Clock, type PolicyContext } from '@smart-whale/interfaces'

/** What a loader is told. It fits where a policy or a driver takes a call: what is under it then ends with the load. */
export interface LoadContext extends PolicyContext {
  readonly key: string
  /** Aborts when the load takes longer than `loadTimeoutMs`, or the cache is closed. Made when it is first read. */
  readonly signal: AbortSignal
}

/** Fetches a value that no layer has. `undefined` says that there is nothing. */
export type Loader<T> = (context: LoadContext) => Promise<T> | T

/**
 * Runs a loader until its deadline, or until the signal ends it. What it answers later is nobody's concern.
 *
 * @throws TimeoutError `ERR_TIMEOUT` at the deadline
 * @throws OperationError `ERR_ABORTED`
 */
export function runLoader<T>(loader: Loader<T>, key: string, limits: { readonly timeoutMs: number; readonly clock: Clock; readonly signal: AbortSignal }): Promise<T> {
  return withDeadline(async (call) => loader(contextOf(key, call)), { ...limits, what: `the load of ${JSON.stringify(key)}` })
}

function contextOf(key: string, call: PolicyContext): LoadContext {
  return {
    key,
    deadlineAtMs: call.deadlineAtMs,
    get signal() {
      return call.signal
    },
  }
}

/** The promise, for a caller who may give up waiting. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = () => abortedError('the wait for a cached value', signal)
  if (signal.aborted) return Promise.reject(aborted())
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(aborted())
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
