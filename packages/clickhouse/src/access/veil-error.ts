import { InfrastructureError } from '@smart-whale/interfaces'
import { SUGGESTION } from '../analytics/public-error.ts'
import { describeQuery } from '../analytics/query-text.ts'
import { ClickHouseBaseError, DataTypeError, QueryError, QueryExecutionTimeoutError, QuerySyntaxError } from '../errors.ts'
import { OperationalError, PermissionDeniedError } from '../operational-errors.ts'
import type { CheckedLevel } from './check-levels.ts'

/** Server codes for a table, column or function that isn't there, or may not be read: to a tenant one and the same. */
const NOT_THERE: ReadonlySet<string> = new Set(['ERR_CLICKHOUSE_UNKNOWN_OBJECT', 'ERR_CLICKHOUSE_PERMISSION_DENIED', 'ERR_CLICKHOUSE_SECURITY', 'ERR_CLICKHOUSE_UNSUPPORTED'])

/** Failures that come of looking at a table's columns. */
const SPEAKS_OF_TABLES: ReadonlySet<string> = new Set(['ERR_CLICKHOUSE_QUERY', 'ERR_CLICKHOUSE_DATA_TYPE', 'ERR_CLICKHOUSE_CONSTRAINT', 'ERR_CLICKHOUSE_OBJECT_EXISTS'])

/**
 * The failure of a tenant's query as the tenant may see it: its kind, in words of our own. The server's words may speak of tables that the
 * caller may not see, of how many rows there are, or of values in them. They stay in `cause`, for the log.
 */
export function veilError(error: unknown, query: string, level: CheckedLevel, database: string): unknown {
  // Refusals of our own speak of the query alone.
  if (!ClickHouseBaseError.isInstance(error) || error.serverCode === undefined) return InfrastructureError.isInstance(error) ? withoutServer(error) : error
  const { code, status, serverCode, serverCodeName } = error
  const options = { code, status, retryable: error.retryable, serverCode, serverCodeName, queryId: error.queryId, cause: error }
  const kind = serverCodeName ?? `code ${serverCode}`
  if (QuerySyntaxError.isInstance(error)) return new QuerySyntaxError(`the query is not SQL that ClickHouse understands${placeOf(error)}`, { ...options, position: error.position })
  if (serverCodeName === 'READONLY') return new PermissionDeniedError(`the query must only read, and bring no settings (${kind})`, options)
  // Whatever else is said of another table says that it is there.
  if (NOT_THERE.has(code) || (SPEAKS_OF_TABLES.has(code) && !staysAmongOwn(query, level, database))) return notThere(error, query, level, database)
  if (QueryExecutionTimeoutError.isInstance(error)) return new QueryExecutionTimeoutError('the query took longer than it may; narrow it', options)
  if (DataTypeError.isInstance(error)) return new DataTypeError(`a value in the query does not fit its type (${kind})`, options)
  if (code === 'ERR_CLICKHOUSE_LIMIT_EXCEEDED') return new QueryError(`the query reads or answers more than it may (${kind}); narrow it, or ask for an aggregate`, options)
  if (code === 'ERR_CLICKHOUSE_MEMORY_LIMIT') return new QueryError('the query needs more memory than it may; narrow it, or group by less', options)
  if (OperationalError.isInstance(error)) return new OperationalError(`the server can't take the query now (${kind})`, options)
  return new QueryError(`the server could not carry the query out (${kind})`, { ...options, status: status >= 500 ? 422 : status })
}

const placeOf = ({ position }: Pick<QuerySyntaxError, 'position'>): string => (position === undefined ? '' : `, at line ${position.line}, column ${position.column}`)

/** One error for what isn't there and for what may not be read, unless the query stays among the caller's own tables: then it may hear the name that it wrote. */
function notThere(error: ClickHouseBaseError, query: string, level: CheckedLevel, database: string): QueryError {
  const options = { code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', status: 400, queryId: error.queryId, cause: error } as const
  const name = staysAmongOwn(query, level, database) ? nameIn(error.message) : undefined
  const what = name === undefined || !query.includes(name) ? 'a table, column or function' : `"${name}"`
  return new QueryError(`the query names ${what} that does not exist, or that this caller may not read`, options)
}

function staysAmongOwn(query: string, { tables }: CheckedLevel, home: string): boolean {
  const read = describeQuery(query).tables
  return read !== 'any' && read.named.every(({ database = home, name, maybeSubquery }) => maybeSubquery || tables.some((own) => own.table === name && own.database === database))
}

function nameIn(message: string): string | undefined {
  return /(?:identifier|Identifier|column|function|Function with name|expression)\s+[`'"]([\w.$]{1,100})[`'"]/.exec(message.replace(SUGGESTION, ''))?.[1]
}

/** Connection failures name the server's address. */
function withoutServer(error: InfrastructureError): unknown {
  if (!ClickHouseBaseError.isInstance(error) || error.server === undefined) return error
  return new OperationalError('the server is away or busy; try again', { code: error.code, status: error.status, retryable: error.retryable, cause: error })
}
