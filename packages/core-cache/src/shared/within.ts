import { type Clock, TimeoutError } from '@smart-whale/interfaces'

/** The result, if it comes in time; what comes later is nobody's concern. */
export function within<T>(clock: Clock, timeoutMs: number, what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(new TimeoutError(`${what} took longer than ${timeoutMs} ms`, { code: 'ERR_CACHE_TIMEOUT', context: { timeoutMs } })), timeoutMs)
    const settle = (then: () => void) => {
      clock.clearTimeout(timer)
      then()
    }
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
  })
}
