import { ConfigurationError } from '@smart-whale/interfaces'
import { pino } from 'pino'
import type { LoggingErrorCode } from './errors.ts'
import type { LogDestination } from './options.ts'

/**
 * Standard output, a file, or what was given. Written to at once, not through a buffer: the last line before a crash is the one that matters.
 *
 * @throws ConfigurationError `ERR_LOGGING_DESTINATION` when the file can't be opened
 */
export function openDestination(destination: string | LogDestination | undefined, onError: (error: Error) => void): LogDestination {
  if (typeof destination === 'object') return watchErrors(destination, onError)
  try {
    return watchErrors(pino.destination({ dest: destination ?? 1, mkdir: true, sync: true }), onError)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason'
    throw new ConfigurationError<LoggingErrorCode>(`the log file ${destination} can't be opened (${reason}); check its folder and permissions`, {
      code: 'ERR_LOGGING_DESTINATION',
      context: { destination },
      cause: error,
    })
  }
}

/** A stream whose `error` nobody listens to ends the process: a full disk must not. */
function watchErrors(destination: LogDestination, onError: (error: Error) => void): LogDestination {
  const { on } = destination as { on?: unknown }
  if (typeof on === 'function') on.call(destination, 'error', onError)
  return destination
}
