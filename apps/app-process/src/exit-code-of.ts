import { ConfigurationError, ConnectionError, InfrastructureError, ValidationError } from '@smart-whale/interfaces'
import { EXIT } from './command-line.ts'

/** Codes of those who know us, and don't let us do it. */
const NOT_ALLOWED = /_(AUTHORIZATION|PERMISSION|PERMISSION_DENIED)$/

/**
 * The exit code of what a command failed with, the same for every command: what was given is wrong (and stays so however often it is tried),
 * or something is away or broke. `own` has the codes to which a program gives a meaning of its own.
 */
export function exitCodeOf(error: unknown, own: ReadonlyMap<string, number> = new Map()): number {
  if (!InfrastructureError.isInstance(error)) return EXIT.failed
  const { code, retryable } = error
  const meant = own.get(code)
  if (meant !== undefined) return meant
  if (ConfigurationError.isInstance(error) || ValidationError.isInstance(error) || NOT_ALLOWED.test(code)) return EXIT.usage
  // A server that refuses the login, or doesn't have the database, is there.
  if (ConnectionError.isInstance(error)) return retryable ? EXIT.failed : EXIT.usage
  return EXIT.failed
}
