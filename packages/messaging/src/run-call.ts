import { type Clock, TimeoutError } from '@smart-whale/interfaces'
import { withDeadline } from '@smart-whale/core-resilience'
import { DEFAULT_KAFKA_TIMEOUT } from './constants.ts'
import { isMessagingError, messagingTimeout } from './errors.ts'
import type { TransportCallOptions } from './transport.ts'

/**
 * Runs one call to a broker under its caller's signal and its deadline.
 *
 * @throws TimeoutError `ERR_MESSAGING_TIMEOUT` at the deadline
 * @throws OperationError `ERR_ABORTED` when the caller's signal aborts
 */
export async function runCall<T>(
  what: string,
  options: TransportCallOptions | undefined,
  clock: Clock,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeoutMs = options?.timeoutMs ?? DEFAULT_KAFKA_TIMEOUT
  try {
    return await withDeadline((context) => work(context.signal), { what, timeoutMs, clock, signal: options?.signal })
  } catch (error) {
    // The work's own timeouts are more telling than ours and pass as they are.
    if (TimeoutError.isInstance(error) && !isMessagingError(error)) throw messagingTimeout(what, timeoutMs)
    throw error
  }
}
