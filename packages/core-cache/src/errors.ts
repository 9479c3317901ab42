import { ConfigurationError, ConnectionError, OperationError, ValidationError } from '@smart-whale/interfaces'

/** Every code that this package itself throws; a pattern that is none fails with `ERR_VALIDATION` of `@smart-whale/interfaces`. */
export type CacheErrorCode =
  | 'ERR_CACHE_CONFIGURATION'
  | 'ERR_CACHE_KEY'
  | 'ERR_CACHE_VALUE'
  | 'ERR_CACHE_TTL'
  | 'ERR_CACHE_UNACKNOWLEDGED'
  | 'ERR_CACHE_LOAD'
  | 'ERR_CACHE_REDIS'
  | 'ERR_CACHE_REBALANCE'
  | 'ERR_CACHE_PERSISTENT'
  | 'ERR_CACHE_SQLITE_MISSING'

/** The refusal of an option. */
export function optionError(option: string, found: unknown, wanted: string): ConfigurationError<'ERR_CACHE_CONFIGURATION'> {
  return new ConfigurationError(`option ${option} must be ${wanted}, got ${describe(found)}`, { code: 'ERR_CACHE_CONFIGURATION', context: { option } })
}

/** The refusal of a key. */
export function keyError(found: unknown): ValidationError<'ERR_CACHE_KEY'> {
  const message = `must be a string, got ${describe(found)}`
  return new ValidationError(`a key ${message}`, { code: 'ERR_CACHE_KEY', issues: [{ path: ['key'], message }] })
}

/** The refusal of a life. */
export function ttlError(found: unknown): ValidationError<'ERR_CACHE_TTL'> {
  const message = `must be a number of seconds above 0, got ${describe(found)}; leave it out for the default`
  return new ValidationError(`ttlSeconds ${message}`, { code: 'ERR_CACHE_TTL', issues: [{ path: ['ttlSeconds'], message }] })
}

/** The refusal of a value that could not be given back as what it was. */
export function valueError(path: readonly (string | number)[], found: string): ValidationError<'ERR_CACHE_VALUE'> {
  const message = `${found} can't be cached; cache plain data: texts, numbers, bigint, Date, Map, Set, bytes, arrays and plain objects`
  return new ValidationError(message, { code: 'ERR_CACHE_VALUE', issues: [{ path: ['value', ...path], message }] })
}

/** An invalidation that not every node has confirmed in time. It is carried on with: asking again does no harm, and isn't needed. */
export function unacknowledgedError(cause: unknown, timeoutMs: number): OperationError<'ERR_CACHE_UNACKNOWLEDGED'> {
  const message = `not every node has confirmed the invalidation within ${timeoutMs} ms; this node has forgotten the entries, and the others will as soon as they can be reached`
  return new OperationError(message, { code: 'ERR_CACHE_UNACKNOWLEDGED', cause, retryable: true, status: 503, context: { timeoutMs } })
}

/** An invalidation that would be undone by a restart, as the persistent layer doesn't take it. It is carried on with. */
export function notRemovedError(cause: unknown, timeoutMs: number): OperationError<'ERR_CACHE_UNACKNOWLEDGED'> {
  const message = `the persistent layer has not removed the entries within ${timeoutMs} ms; this process has forgotten them, and they are removed as soon as the layer works`
  return new OperationError(message, { code: 'ERR_CACHE_UNACKNOWLEDGED', cause, retryable: true, status: 503, context: { timeoutMs } })
}

/** What was under way when the cache was closed. */
export function closedError(): OperationError<'ERR_ABORTED'> {
  return new OperationError('the cache was closed', { code: 'ERR_ABORTED' })
}

/** A load in another process, that this one waited for, failed. */
export function loadFailedElsewhereError(key: string, failure: string): OperationError<'ERR_CACHE_LOAD'> {
  return new OperationError(`the load of ${JSON.stringify(key)} failed in the process that did it: ${failure}`, { code: 'ERR_CACHE_LOAD', retryable: true, status: 502, context: { key } })
}

/** Redis can't be reached, or refused. */
export function redisError(what: string, cause: unknown): ConnectionError<'ERR_CACHE_REDIS'> {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ConnectionError(`Redis could not ${what}: ${reason}`, { code: 'ERR_CACHE_REDIS', cause, context: { what } })
}

/** The layer that survives a restart can't be reached, or refused. */
export function persistentError(what: string, cause: unknown): ConnectionError<'ERR_CACHE_PERSISTENT'> {
  const reason = cause === undefined ? '' : `: ${cause instanceof Error ? cause.message : String(cause)}`
  return new ConnectionError(`the persistent layer could not ${what}${reason}`, { code: 'ERR_CACHE_PERSISTENT', cause, context: { what } })
}

/** This Node.js has no SQLite of its own. */
export function sqliteMissingError(version: string): ConfigurationError<'ERR_CACHE_SQLITE_MISSING'> {
  const message = `Node.js ${version} has no node:sqlite; run Node.js 22.13 or newer, or use createStorageLayer of @smart-whale/core-cache`
  return new ConfigurationError(message, { code: 'ERR_CACHE_SQLITE_MISSING', context: { version } })
}

/** Entries could not all be brought to where they belong. Nothing is lost: they are still found where they were. */
export function rebalanceError(why: string, cause?: unknown): OperationError<'ERR_CACHE_REBALANCE'> {
  return new OperationError(`the cache's nodes could not be rebalanced: ${why}; call sync() to go on`, { code: 'ERR_CACHE_REBALANCE', cause, retryable: true, status: 503 })
}

const describe = (value: unknown): string => (typeof value === 'number' ? String(value) : value === null ? 'null' : typeof value)
