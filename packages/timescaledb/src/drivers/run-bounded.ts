import { abortedError, type Clock } from '@smart-whale/interfaces'
import { TimescaleConnectionError, TimescaleTimeoutError } from '../errors.ts'
import { mapError } from '../map-error.ts'

/** When work is ended early. */
export interface Bounds {
  /** `Infinity` for no limit. */
  readonly limitMs: number
  readonly signal: AbortSignal | undefined
}

/** How work on a session is watched and ended. */
export interface Watch {
  readonly bounds: Bounds
  readonly clock: Clock
  /** Resolves with the reason when the session ends. */
  readonly closed: Promise<unknown>
  /** Asks the server to stop; resolves when it has been told. */
  cancel(): Promise<void>
  /** Told when the work was done before the server was: the request may yet hit the next statement. */
  cancelledTooLate(): void
  destroy(reason: Error): void
}

/** How long the server may take to stop what it was asked to stop, before its session is dropped. */
const OBEY_MS = 2_000
/** SQLSTATE of a cancelled statement. */
const CANCELLED = '57014'

/**
 * Runs work on a session until it is done, the deadline passes, the caller aborts, or the session ends.
 * Work that is ended early is stopped on the server before this settles, so that the session can be used again.
 */
export async function runBounded<T>(work: () => Promise<T>, watch: Watch): Promise<T> {
  const { signal, limitMs } = watch.bounds
  if (signal?.aborted) throw abortedError('the statement', signal)
  const early = watchEarlyEnd(watch)
  const lost = watch.closed.then((reason) => {
    throw mapError(reason)
  })
  lost.catch(() => {})
  const running = work()
  running.catch(() => {})
  try {
    const outcome = await Promise.race([running.then((value) => ({ value })), lost, early.ended])
    if (typeof outcome === 'object') return outcome.value
    const reason = outcome === 'aborted' ? abortedError('the statement', signal as AbortSignal) : deadlineError(limitMs)
    await stopOnServer(running, watch, reason)
    throw reason
  } finally {
    early.stopWatching()
  }
}

function watchEarlyEnd({ bounds, clock }: Watch): { ended: Promise<'aborted' | 'deadline'>; stopWatching(): void } {
  const { promise, resolve } = Promise.withResolvers<'aborted' | 'deadline'>()
  const abort = (): void => resolve('aborted')
  bounds.signal?.addEventListener('abort', abort, { once: true })
  const timer = Number.isFinite(bounds.limitMs) ? clock.setTimeout(() => resolve('deadline'), bounds.limitMs) : undefined
  const stopWatching = (): void => {
    bounds.signal?.removeEventListener('abort', abort)
    if (timer !== undefined) clock.clearTimeout(timer)
  }
  return { ended: promise, stopWatching }
}

/** A cancel request names the session, not the statement: one that comes late hits the next statement. */
async function stopOnServer(running: Promise<unknown>, watch: Watch, reason: Error): Promise<void> {
  const told = watch.cancel()
  const settled = running.then(
    () => 'done' as const,
    (error: { code?: unknown }) => (error.code === CANCELLED ? ('cancelled' as const) : ('done' as const)),
  )
  const { promise: patience, resolve } = Promise.withResolvers<'deaf'>()
  const timer = watch.clock.setTimeout(() => resolve('deaf'), OBEY_MS)
  const outcome = await Promise.race([settled, patience])
  watch.clock.clearTimeout(timer)
  if (outcome === 'deaf') {
    watch.destroy(new TimescaleConnectionError('the session was dropped with the statement that it ran', { code: 'ERR_TIMESCALEDB_CONNECTION_LOST', cause: reason }))
    return
  }
  await told
  if (outcome === 'done') watch.cancelledTooLate()
}

/** The failure of a statement that took too long. */
export function deadlineError(limitMs: number): TimescaleTimeoutError {
  return new TimescaleTimeoutError(`the statement took longer than ${Math.round(limitMs)} ms and was cancelled; raise timeoutMs, or make it cheaper`, {
    context: { timeoutMs: Math.round(limitMs) },
  })
}
