import { type Clock, OperationError, TimeoutError } from '@smart-whale/interfaces'

/** What a loader is told. */
export interface LoadContext {
  readonly key: string
  /** Aborts when the load takes longer than `loadTimeoutMs`. Made when it is first read. */
  readonly signal: AbortSignal
}

/** Fetches a value that no layer has. `undefined` says that there is nothing. */
export type Loader<T> = (context: LoadContext) => Promise<T> | T

/** Runs a loader within its deadline. What it answers later is nobody's concern. */
export function runLoader<T>(loader: Loader<T>, key: string, timeoutMs: number, clock: Clock): Promise<T> {
  let controller: AbortController | undefined
  const context: LoadContext = {
    key,
    get signal() {
      controller ??= new AbortController()
      return controller.signal
    },
  }
  return new Promise<T>((resolve, reject) => {
    const timer = clock.setTimeout(() => {
      const error = new TimeoutError(`the load of ${JSON.stringify(key)} took longer than ${timeoutMs} ms`, { code: 'ERR_CACHE_TIMEOUT', context: { key, timeoutMs } })
      reject(error)
      controller?.abort(error)
    }, timeoutMs)
    const started = async (): Promise<T> => loader(context)
    started().then(
      (value) => {
        clock.clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clock.clearTimeout(timer)
        reject(error)
      },
    )
  })
}

/** The promise, for a caller who may give up waiting. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = () => new OperationError('the wait for a cached value was aborted by its caller', { code: 'ERR_ABORTED', cause: signal.reason, status: 499 })
  if (signal.aborted) return Promise.reject(aborted())
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(aborted())
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
