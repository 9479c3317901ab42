import { InfrastructureError } from '@smart-whale/interfaces'

/** What the other side asked for, in milliseconds; 0 when it didn't. Errors carry it as `context.retryAfterMs`. */
export function retryAfterOf(error: unknown): number {
  if (!InfrastructureError.isInstance(error)) return 0
  const { retryAfterMs } = error.context
  return typeof retryAfterMs === 'number' && retryAfterMs > 0 ? retryAfterMs : 0
}

/**
 * Reads the value of an HTTP `Retry-After` header: seconds, or a date (RFC 9110, 10.2.3). `undefined` when it is neither.
 *
 * @param nowMs milliseconds since the epoch
 */
export function parseRetryAfter(value: string | null | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? ''
  if (/^\d+$/.test(text)) return Number(text) * 1000
  // Other forms that `Date.parse` takes, as a negative number of seconds, are no HTTP dates.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}
