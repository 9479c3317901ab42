import type { InfrastructureError } from '@smart-whale/interfaces'
import {
  AuthenticationError,
  type ClickHouseBaseError,
  type ClickHouseErrorOptions,
  ConnectionError,
  ConnectionTimeoutError,
  DataTypeError,
  PoolExhaustedError,
  QueryCancellationError,
  QueryError,
  QueryExecutionTimeoutError,
  QuerySyntaxError,
  type SyntaxErrorPosition,
} from './errors.ts'
import { BackupError, DataManagementError, EncryptionError, OperationalError, PermissionDeniedError } from './operational-errors.ts'
import { FAILURE_TRAITS, type FailureKind, SERVER_CODES } from './server-codes.ts'

/** Which query failed, and where. */
export interface FailedQuery {
  readonly queryId?: string | undefined
  /** Host and port, without credentials. */
  readonly server: string
}

/** An exception as ClickHouse writes it: `Code: 62. DB::Exception: … (SYNTAX_ERROR) (version …)`. */
export function mapServerError(text: string, query: FailedQuery): ClickHouseBaseError {
  const serverCode = Number(/Code: (\d+)/.exec(text)?.[1] ?? Number.NaN)
  if (/Field value too long|URI too long/.test(text)) return parametersTooLong(query)
  const known = SERVER_CODES.get(serverCode)
  const message = serverMessage(text)
  const options: ClickHouseErrorOptions = {
    serverCode: Number.isNaN(serverCode) ? undefined : serverCode,
    serverCodeName: known?.name ?? /\(([A-Z][A-Z0-9_]+)\)\s*(?:\(version|$)/.exec(text)?.[1],
    queryId: query.queryId,
    server: query.server,
  }
  if (known === undefined) return new QueryError(message, options)
  return errorOfKind(kindOf(known.kind, message), message, { ...options, ...FAILURE_TRAITS[kindOf(known.kind, message)] })
}

/** Whether an answer's text is an exception of ClickHouse's, or comes from something in front of it. */
export function isServerException(text: string): boolean {
  return /^(?:Code: \d|Poco::Exception|std::exception|DB::)/.test(text)
}

/** Bound values travel in the address, which the server bounds before it reads a query. */
function parametersTooLong(query: FailedQuery): QueryError {
  return new QueryError('a bound value is longer than the server takes; insert it into a table and join, or raise http_max_field_value_size and http_max_uri_size in its default profile', {
    ...query,
    ...FAILURE_TRAITS.limit,
  })
}

/** A memory limit may be the query's own, which it will hit again, or the whole server's, which passes. */
function kindOf(kind: FailureKind, message: string): FailureKind {
  return kind === 'memory' && /\((?:total|for user)\)|(?:User|Total) memory limit/i.test(message) ? 'busy' : kind
}

function errorOfKind(kind: FailureKind, message: string, options: ClickHouseErrorOptions): ClickHouseBaseError {
  switch (kind) {
    case 'syntax':
      return new QuerySyntaxError(message, { ...options, position: syntaxPosition(message) })
    case 'unknown-object':
    case 'object-exists':
    case 'bad-query':
    case 'unsupported':
    case 'limit':
    case 'memory':
    case 'quota':
      return new QueryError(message, options)
    case 'timeout':
      return new QueryExecutionTimeoutError(message, options)
    case 'cancelled':
      return new QueryCancellationError(message, options)
    case 'data-type':
    case 'constraint':
      return new DataTypeError(message, { ...options, issues: insertIssues(message) })
    case 'permission':
      return new PermissionDeniedError(message, options)
    case 'authentication':
      return new AuthenticationError(`${message}; check user and password`, options)
    case 'busy':
    case 'unreachable':
    case 'operational':
      return new OperationalError(message, options)
    case 'backup':
      return new BackupError(message, options)
    case 'data-management':
      return new DataManagementError(message, options)
    case 'encryption':
      return new EncryptionError(message, options)
  }
}

/** The server's sentence without its code, version, stack, and without the values of a row. */
function serverMessage(text: string): string {
  const sentence = text
    .replace(/^\s*(?:Code: \d+\. )?(?:DB::\w*Exception: )?(?:Code: \d+\. DB::\w*Exception: )*/, '')
    .replace(/\s*\(version [^)]*\)\s*$/, '')
    .replace(/\s*\([A-Z][A-Z0-9_]+\)\s*$/, '')
    .replace(/\. Column values: .*$/s, '')
    .replace(/(Cannot parse JSON object) here: .*?(: \(at row \d+\)|: while |$)/s, '$1$2')
    .replace(/(?:, )?Stack trace[\s\S]*$/, '')
    .trim()
  return (sentence === '' ? 'the server failed without a word' : sentence).slice(0, 2000)
}

function syntaxPosition(message: string): SyntaxErrorPosition | undefined {
  const offset = /failed at position (\d+)/.exec(message)?.[1]
  if (offset === undefined) return undefined
  const place = /\(line (\d+), col (\d+)\)/.exec(message)
  return { offset: Number(offset), line: Number(place?.[1] ?? 1), column: Number(place?.[2] ?? offset) }
}

/** Which row of an insert the server complains of. It counts from 1, or from 0 with "while reading row". */
function insertIssues(message: string): { path: (string | number)[]; message: string }[] {
  const row = /violated at row (\d+)|\(at row (\d+)\)|at row (\d+)/.exec(message)
  const number = row?.[1] ?? row?.[2] ?? row?.[3]
  return number === undefined ? [] : [{ path: [Number(number) - 1], message }]
}

const UNREACHABLE = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'ECONNABORTED', 'UND_ERR_SOCKET', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED'])
const TOO_SLOW = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

/** Whether a failure is sure to have come before the server saw anything of the request, so that nothing can have happened there. */
export function neverArrived(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: string; cause?: { code?: string } }
  return code === 'ERR_CLICKHOUSE_POOL_EXHAUSTED' || code === 'ERR_CLICKHOUSE_CIRCUIT_OPEN' || NEVER_CONNECTED.has(cause?.code ?? '')
}

/** Whether a failure is one of the server's not being there, rather than an answer from it. */
export function isServerAway(error: unknown): boolean {
  return ConnectionError.isInstance(error) && error.retryable && error.code !== 'ERR_CLICKHOUSE_POOL_EXHAUSTED'
}

/** A failure of the network below HTTP, as sockets and undici report it. */
export function mapNetworkError(cause: unknown, query: FailedQuery): InfrastructureError {
  const { code = '', message = String(cause) } = (cause ?? {}) as { code?: string; message?: string }
  const options = { cause, server: query.server, queryId: query.queryId }
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || TOO_SLOW.has(code)) {
    return new ConnectionTimeoutError(`ClickHouse at ${query.server} did not answer in time (${code}); check host and port, and whether the server is up`, options)
  }
  if (UNREACHABLE.has(code)) {
    return new ConnectionError(`ClickHouse at ${query.server} can't be reached or broke the connection (${code}); check host and port, and whether the server is up`, options)
  }
  // What is left is about certificates or the protocol itself, and comes again.
  return new ConnectionError(`the connection to ClickHouse at ${query.server} failed: ${message}`, { ...options, retryable: false })
}

/** Servers take addresses of a mebibyte by default, proxies often less. */
const LONG_ADDRESS = 8 * 1024

/** An HTTP answer that ClickHouse did not write: from a proxy, or from something else that listens there. */
export function mapForeignAnswer(status: number, query: FailedQuery, addressLength = 0): ClickHouseBaseError {
  // The server's HTTP layer answers an address that is too long before ClickHouse itself sees it, with 400 and no text.
  if (status === 414 || (status === 400 && addressLength > LONG_ADDRESS)) return parametersTooLong(query)
  const retryable = status === 429 || status >= 500
  return new ConnectionError(
    `${query.server} answered with HTTP ${status}, and not as ClickHouse; ${retryable ? 'a proxy in front of it may be out of reach of it' : 'check that this is the HTTP port of ClickHouse'}`,
    { retryable, server: query.server, queryId: query.queryId, context: { status } },
  )
}

/** Too many calls wait for a socket already. */
export function poolExhausted(waiting: number, query: FailedQuery): PoolExhaustedError {
  return new PoolExhaustedError(`${waiting} calls wait for a connection to ClickHouse at ${query.server} already; send fewer at once, or raise maxConnections or maxQueuedRequests`, {
    server: query.server,
    context: { waiting },
  })
}
