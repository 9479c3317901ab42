import { abortedError } from '@smart-whale/interfaces'

/** The promise, or a rejection with `ERR_ABORTED` as soon as the signal aborts. What the promise then comes to is dropped. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  promise.catch(() => {})
  if (signal.aborted) throw abortedError(what, signal)
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(abortedError(what, signal))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
