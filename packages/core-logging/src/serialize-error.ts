const MAX_CAUSES = 8
const MAX_SIBLINGS = 10
/** Told apart from the error's own fields, which are listed after these. */
const STANDARD = new Set(['name', 'message', 'stack', 'cause', 'errors'])

/**
 * An error as fields of a log line: type, code, message, stack, its own fields, and the same of each cause.
 * Fields that hold instances of classes (clients, requests) are left out: they drag half of the process into the log.
 * Unlike pino's own serializer it leaves no mark on the error, so frozen errors can be logged.
 */
export function serializeError(error: unknown): unknown {
  return isErrorLike(error) ? describe(error, MAX_CAUSES) : error
}

/** Whether the value is an error, of whichever realm or copy of a library. */
export function isErrorLike(value: unknown): value is Error {
  return value instanceof Error || (typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === '[object Error]')
}

function describe(error: Error, causesLeft: number): Record<string, unknown> {
  const description: Record<string, unknown> = { type: error.name, message: error.message, stack: error.stack }
  for (const [key, value] of Object.entries(error)) {
    if (STANDARD.has(key)) continue
    if (typeof value === 'bigint') description[key] = String(value)
    else if (isPlain(value)) description[key] = value
  }
  const { errors } = error as { errors?: unknown }
  if (Array.isArray(errors)) description['errors'] = errors.slice(0, MAX_SIBLINGS).map((each) => describeNested(each, causesLeft))
  if (error.cause !== undefined) description['cause'] = describeNested(error.cause, causesLeft)
  return description
}

/** Counts down rather than remembering what it saw: that bounds chains as well as circles. */
function describeNested(value: unknown, causesLeft: number): unknown {
  if (!isErrorLike(value)) return isPlain(value) ? value : String(value)
  return causesLeft > 0 ? describe(value, causesLeft - 1) : '[further causes left out]'
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') return false
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
