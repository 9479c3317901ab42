import type { ValidationIssue } from '@smart-whale/interfaces'
import { InfrastructureError } from '@smart-whale/interfaces'
import {
  TimescaleConnectionError,
  type TimescaleDBErrorCode,
  TimescaleOperationError,
  TimescaleTimeoutError,
  TimescaleValidationError,
} from './errors.ts'
import { mapEditionError, type SessionServer } from './map-edition-error.ts'

/** Which class of ours a failure becomes. */
type Kind = 'connection' | 'operation' | 'timeout' | 'data'

/** What one SQLSTATE, or one class of them, means to a caller. */
interface Meaning {
  readonly kind: Kind
  readonly code: TimescaleDBErrorCode
  readonly what: string
  readonly retryable?: boolean
  readonly status?: number
}

const data = (what: string, code: TimescaleDBErrorCode = 'ERR_TIMESCALEDB_DATA', status = 422): Meaning => ({ kind: 'data', code, what, status })
const away = (what: string): Meaning => ({ kind: 'connection', code: 'ERR_TIMESCALEDB_CONNECTION_LOST', what })
const refused = (code: TimescaleDBErrorCode, what: string, retryable = false, status = 500): Meaning => ({ kind: 'operation', code, what, retryable, status })

/**
 * SQLSTATE to meaning: five characters name one state, two a class of them. The longer match wins.
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  // The row is refused for its data
  '22': data('a value does not fit its column or operation'),
  '23': data('a constraint refuses the row'),
  '23502': data('a column that must have a value has none', 'ERR_TIMESCALEDB_NOT_NULL'),
  '23503': data('the row refers to one that is not there', 'ERR_TIMESCALEDB_FOREIGN_KEY', 409),
  '23505': data('a row with the same key is there already', 'ERR_TIMESCALEDB_UNIQUE', 409),
  '23514': data('a check refuses the row', 'ERR_TIMESCALEDB_CHECK'),
  '54': data('a value is too large for a row, an index or the server'),
  '44': data('the row does not belong to the view that it is written through', 'ERR_TIMESCALEDB_CHECK'),

  // Cancelled or too slow
  '57014': { kind: 'timeout', code: 'ERR_TIMESCALEDB_TIMEOUT', what: 'the server cancelled the statement' },
  '25P03': { ...away('the server ended the session because its transaction was idle for too long'), retryable: true },
  '25P04': { kind: 'timeout', code: 'ERR_TIMESCALEDB_TIMEOUT', what: 'the transaction took longer than the server allows' },
  '55P03': refused('ERR_TIMESCALEDB_LOCKED', 'a lock that it needs is held by another transaction', true, 503),

  // Come again
  '40': refused('ERR_TIMESCALEDB_CONFLICT', 'the transaction collided with another one', true, 503),
  '40001': refused('ERR_TIMESCALEDB_CONFLICT', 'the transaction could not be serialized with others', true, 503),
  '40P01': refused('ERR_TIMESCALEDB_CONFLICT', 'the transaction was chosen to end a deadlock', true, 503),
  '53': refused('ERR_TIMESCALEDB_RESOURCES', 'the server lacks a resource (memory, disk, connections)', true, 503),
  '53300': { kind: 'connection', code: 'ERR_TIMESCALEDB_RESOURCES', what: 'the server has no connection left' },
  '58': refused('ERR_TIMESCALEDB_RESOURCES', 'the server failed to reach its own files', true, 503),

  // The connection
  '08': away('the connection broke'),
  '08P01': refused('ERR_TIMESCALEDB_SYNTAX', 'the parameters do not fit the statement'),
  '57P': away('the server ended the session'),
  '57P03': { kind: 'connection', code: 'ERR_TIMESCALEDB_CONNECTION', what: 'the server is starting up or shutting down' },
  '57P05': away('the server ended the idle session'),
  '28': { kind: 'connection', code: 'ERR_TIMESCALEDB_AUTHENTICATION', what: 'the server refused the login', retryable: false },
  '3D000': { kind: 'connection', code: 'ERR_TIMESCALEDB_UNDEFINED', what: 'the database does not exist', retryable: false },

  // The statement
  '26000': refused('ERR_TIMESCALEDB_CONFLICT', 'a prepared statement is gone; behind a pooler such as PgBouncer leave prepare off', true, 503),
  '0A000': refused('ERR_TIMESCALEDB_UNSUPPORTED', 'the server does not support it', false, 501),
  '2BP01': refused('ERR_TIMESCALEDB_DEPENDED_ON', 'other objects depend on it', false, 409),
  '25': refused('ERR_TIMESCALEDB_TRANSACTION_FAILED', 'the transaction is in a state that does not allow it'),
  '25006': refused('ERR_TIMESCALEDB_READ_ONLY', 'the transaction or server is read-only'),
  '25P02': refused('ERR_TIMESCALEDB_TRANSACTION_FAILED', 'an earlier statement failed, so the transaction can only be rolled back'),
  '42': refused('ERR_TIMESCALEDB_SYNTAX', 'the statement is wrong'),
  '42501': refused('ERR_TIMESCALEDB_PERMISSION', 'the role lacks the right to do it', false, 403),
  '42601': refused('ERR_TIMESCALEDB_SYNTAX', 'the statement has a syntax error'),
  '42P01': refused('ERR_TIMESCALEDB_UNDEFINED', 'the table does not exist'),
  '42703': refused('ERR_TIMESCALEDB_UNDEFINED', 'the column does not exist'),
  '42704': refused('ERR_TIMESCALEDB_UNDEFINED', 'an object does not exist'),
  '42883': refused('ERR_TIMESCALEDB_UNDEFINED', 'no function or operator has that name and those types'),
  '3F000': refused('ERR_TIMESCALEDB_UNDEFINED', 'the schema does not exist'),
  '42P04': refused('ERR_TIMESCALEDB_DUPLICATE', 'the database exists already'),
  '42P06': refused('ERR_TIMESCALEDB_DUPLICATE', 'the schema exists already'),
  '42P07': refused('ERR_TIMESCALEDB_DUPLICATE', 'the table or index exists already'),
  '42701': refused('ERR_TIMESCALEDB_DUPLICATE', 'the column exists already'),
  '42710': refused('ERR_TIMESCALEDB_DUPLICATE', 'the object exists already'),

  // TimescaleDB's own
  TS: refused('ERR_TIMESCALEDB_NOT_PARTITIONABLE', 'TimescaleDB refused it', false, 409),
  TS001: refused('ERR_TIMESCALEDB_NOT_PARTITIONABLE', 'the table is not a hypertable', false, 409),
}

/** A prepared statement whose tables have changed complains under the code of a missing feature; the next try prepares it anew. */
const STALE_PLAN = 'RevalidateCachedQuery'
const STALE: Meaning = refused('ERR_TIMESCALEDB_CONFLICT', 'tables changed under a prepared statement', true, 503)
const UNKNOWN: Meaning = refused('ERR_TIMESCALEDB_QUERY', 'the server refused the statement')

/** Codes of Node's own failures to reach the other side. */
const UNREACHABLE = /^(ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOENT)$/
const BROKEN = /^(ECONNRESET|EPIPE|ETIMEDOUT|ECONNABORTED|CONNECTION_CLOSED|CONNECTION_ENDED|CONNECTION_DESTROYED|CONNECT_TIMEOUT)$/

/** The parts of PostgreSQL's error report that both client libraries pass on. */
interface ServerReport {
  readonly code?: string
  readonly message?: string
  readonly table?: string
  readonly table_name?: string
  readonly column?: string
  readonly column_name?: string
  readonly constraint?: string
  readonly constraint_name?: string
  readonly schema?: string
  readonly schema_name?: string
  /** Function of the server that complained. */
  readonly routine?: string
}

/**
 * A failure of the server, the client library or the socket as one of ours; ours pass unchanged.
 *
 * Neither the message nor the context ever holds a row's content: the server's own words go into them only for
 * statements that are wrong in themselves (class 42 and the like), never for data.
 *
 * @param server what the session knows of it, so that a refusal can name the edition
 */
export function mapError(error: unknown, server?: SessionServer): Error {
  if (InfrastructureError.isInstance(error)) return error
  const report = (error ?? {}) as ServerReport
  const aboutEdition = mapEditionError(report, server, error)
  if (aboutEdition) return aboutEdition
  const state = report.code ?? ''
  if (/^[0-9A-Z]{5}$/.test(state) && !UNREACHABLE.test(state) && !BROKEN.test(state)) return fromState(state, report, error)
  return fromClient(state, error)
}

/** What a SQLSTATE means: the state itself, else its three-character group, else its class. */
function meaningOf(state: string): Meaning {
  return MEANINGS[state] ?? MEANINGS[state.slice(0, 3)] ?? MEANINGS[state.slice(0, 2)] ?? UNKNOWN
}

function fromState(state: string, report: ServerReport, cause: unknown): Error {
  const meaning = report.routine === STALE_PLAN ? STALE : meaningOf(state)
  const place = placeOf(report)
  const where = describePlace(place)
  const words = isAboutData(meaning) ? '' : `: ${report.message ?? ''}`
  const message = `PostgreSQL: ${meaning.what}${where}${words} (${state})`
  const options = {
    code: meaning.code,
    cause,
    context: { sqlState: state, ...place },
    ...(meaning.retryable === undefined ? {} : { retryable: meaning.retryable }),
    ...(meaning.status === undefined ? {} : { status: meaning.status }),
  }
  if (meaning.kind === 'connection') return new TimescaleConnectionError(message, options)
  if (meaning.kind === 'timeout') return new TimescaleTimeoutError(message, options)
  if (meaning.kind === 'data') return new TimescaleValidationError(message, { ...options, issues: [issueOf(meaning, place)] })
  return new TimescaleOperationError(message, options)
}

const isAboutData = (meaning: Meaning): boolean => meaning.kind === 'data'

/** Names only: which table, column and constraint. */
type Place = Readonly<Partial<Record<'schema' | 'table' | 'column' | 'constraint', string>>>

function placeOf(report: ServerReport): Place {
  const names = {
    schema: report.schema ?? report.schema_name,
    table: report.table ?? report.table_name,
    column: report.column ?? report.column_name,
    constraint: report.constraint ?? report.constraint_name,
  }
  return Object.fromEntries(Object.entries(names).filter(([, name]) => name !== undefined))
}

function describePlace(place: Place): string {
  const parts = [
    place.column && `column "${place.column}"`,
    place.constraint && `constraint "${place.constraint}"`,
    place.table && `table "${place.table}"`,
  ].filter(Boolean)
  return parts.length > 0 ? ` (${parts.join(', ')})` : ''
}

function issueOf(meaning: Meaning, place: Place): ValidationIssue {
  return { path: place.column === undefined ? [] : [place.column], message: place.constraint ? `${meaning.what} (${place.constraint})` : meaning.what }
}

function fromClient(code: string, cause: unknown): Error {
  const words = cause instanceof Error ? cause.message : 'unknown failure'
  if (UNREACHABLE.test(code)) return new TimescaleConnectionError(`PostgreSQL can't be reached: ${words}; check host and port, and that it runs`, { cause, context: { reason: code } })
  if (/secure TLS connection/.test(words)) {
    return new TimescaleConnectionError(`the TLS handshake with PostgreSQL broke: ${words}; check that the server speaks TLS`, { cause, context: { reason: code } })
  }
  if (/^SASL|authentication method/i.test(words)) {
    return new TimescaleConnectionError(`logging in to PostgreSQL failed: ${words}; check user and password`, {
      code: 'ERR_TIMESCALEDB_AUTHENTICATION',
      cause,
      retryable: false,
      context: { reason: code },
    })
  }
  if (BROKEN.test(code) || /connection (terminated|ended|closed)|Connection terminated|closed unexpectedly|not queryable/i.test(words)) {
    return new TimescaleConnectionError(`the connection to PostgreSQL broke: ${words}`, { code: 'ERR_TIMESCALEDB_CONNECTION_LOST', cause, context: { reason: code } })
  }
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code) || /SSL|certificate/i.test(words)) {
    return new TimescaleConnectionError(`TLS to PostgreSQL failed: ${words}; check the tls settings`, { cause, retryable: false, context: { reason: code } })
  }
  return new TimescaleOperationError(`the PostgreSQL client failed: ${words}`, { cause, context: { reason: code } })
}
