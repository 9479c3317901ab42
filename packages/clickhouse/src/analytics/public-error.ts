import { ValidationError } from '@smart-whale/interfaces'
import { ClickHouseBaseError } from '../errors.ts'

/** A path on the server's disk, as some of its messages quote it. */
const SERVER_PATH = /\/(?:[\w.-]+\/){2,}[\w.-]*/g
/** What the server adds when it knows a similar name. It searches more than the caller may read. */
export const SUGGESTION = /\s*\.?\s*(?:Maybe you meant|Did you mean)[\s\S]*$/i
/** What a refusal may say: anything else that the server has to say about rights speaks of what the caller may not know. */
const TOLD_REFUSALS = /^(?:[^\s:]+: )?(Not enough privileges|Cannot (?:modify|execute) .* in readonly mode)/

/**
 * The failure of a query that a stranger wrote, as the stranger may see it: what is wrong with the query is told, with the field
 * to blame; the server's address, its users' names, its disks and its version are not. Failures of other kinds are handed on.
 *
 * @param base where in the request `query`, `params` and `options` stand
 */
export function publicQueryError(error: unknown, base: readonly (string | number)[]): unknown {
  if (!ClickHouseBaseError.isInstance(error)) return isOwnRefusal(error) ? placed(error, base) : error
  // A code that nobody has sorted yet: the server answered and said no, so the query is to blame, and nothing is broken here.
  const unsorted = error.code === 'ERR_CLICKHOUSE_QUERY' && error.status >= 500 && error.serverCode !== undefined
  if (error.status >= 500 && !unsorted) return error
  const message = unsorted
    ? `the server could not carry the query out (${error.serverCodeName ?? `code ${error.serverCode}`})`
    : publicMessage(error)
  const issues = [{ path: [...base, 'query'], message }]
  return new ValidationError(message, { code: error.code, status: unsorted ? 422 : error.status, issues, cause: error })
}

/** What this package itself found wrong with a request, before the server saw it. */
function isOwnRefusal(error: unknown): error is ValidationError {
  return ValidationError.isInstance(error) && error.code.startsWith('ERR_CLICKHOUSE_')
}

function placed(error: ValidationError, base: readonly (string | number)[]): ValidationError {
  const issues = error.issues.map(({ path, message }) => ({ path: [...base, ...path], message }))
  return new ValidationError(error.message, { code: error.code, status: error.status, issues, cause: error })
}

function publicMessage(error: ClickHouseBaseError): string {
  if (error.code === 'ERR_CLICKHOUSE_PERMISSION_DENIED' && error.serverCode !== undefined) {
    const told = TOLD_REFUSALS.exec(error.message)
    return told === null ? 'the query does something that is not allowed here' : error.message.slice(error.message.indexOf(told[1] ?? ''))
  }
  const withoutServer = error.server === undefined ? error.message : error.message.replaceAll(error.server, 'the server')
  return withoutServer.replace(SUGGESTION, '').replace(SERVER_PATH, '…')
}
