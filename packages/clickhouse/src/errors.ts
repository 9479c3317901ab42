import { type ErrorOptions, hasErrorMark, InfrastructureError, markError, type ValidationIssue } from '@smart-whale/interfaces'

/** Every code that this package's own errors carry, besides `ERR_ABORTED` for work that its caller ended. */
export type ClickHouseErrorCode =
  // connection
  | 'ERR_CLICKHOUSE_CONNECTION'
  | 'ERR_CLICKHOUSE_CONNECTION_TIMEOUT'
  | 'ERR_CLICKHOUSE_POOL_EXHAUSTED'
  | 'ERR_CLICKHOUSE_AUTHENTICATION'
  | 'ERR_CLICKHOUSE_CLOSED'
  // query
  | 'ERR_CLICKHOUSE_QUERY'
  | 'ERR_CLICKHOUSE_QUERY_SYNTAX'
  | 'ERR_CLICKHOUSE_UNKNOWN_OBJECT'
  | 'ERR_CLICKHOUSE_OBJECT_EXISTS'
  | 'ERR_CLICKHOUSE_QUERY_TIMEOUT'
  | 'ERR_CLICKHOUSE_QUERY_CANCELLED'
  | 'ERR_CLICKHOUSE_LIMIT_EXCEEDED'
  | 'ERR_CLICKHOUSE_MEMORY_LIMIT'
  | 'ERR_CLICKHOUSE_DATA_TYPE'
  | 'ERR_CLICKHOUSE_CONSTRAINT'
  | 'ERR_CLICKHOUSE_UNSUPPORTED'
  // input
  | 'ERR_CLICKHOUSE_PARAMETER'
  | 'ERR_CLICKHOUSE_QUERY_BUILDER'
  | 'ERR_CLICKHOUSE_ROW'
  | 'ERR_CLICKHOUSE_CONFIGURATION'
  | 'ERR_CLICKHOUSE_NO_DEDUPLICATION'
  | 'ERR_CLICKHOUSE_INSERT_RUNNING'
  // security
  | 'ERR_CLICKHOUSE_SECURITY'
  | 'ERR_CLICKHOUSE_ENCRYPTION'
  | 'ERR_CLICKHOUSE_TOKEN'
  | 'ERR_CLICKHOUSE_PERMISSION_DENIED'
  | 'ERR_CLICKHOUSE_BUDGET'
  | 'ERR_CLICKHOUSE_QUOTA'
  | 'ERR_CLICKHOUSE_TENANT_BUSY'
  | 'ERR_CLICKHOUSE_AUDIT'
  // operational
  | 'ERR_CLICKHOUSE_OPERATIONAL'
  | 'ERR_CLICKHOUSE_SERVER_BUSY'
  | 'ERR_CLICKHOUSE_CIRCUIT_OPEN'
  | 'ERR_CLICKHOUSE_RETRY_EXHAUSTED'
  | 'ERR_CLICKHOUSE_BACKUP'
  | 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND'
  | 'ERR_CLICKHOUSE_BACKUP_DAMAGED'
  | 'ERR_CLICKHOUSE_BACKUP_IN_USE'
  | 'ERR_CLICKHOUSE_BACKUP_MISMATCH'
  | 'ERR_CLICKHOUSE_BACKUP_TABLE'
  | 'ERR_CLICKHOUSE_BACKUP_CHANGING'
  | 'ERR_CLICKHOUSE_BACKUP_STORE'
  | 'ERR_CLICKHOUSE_DATA_MANAGEMENT'
  | 'ERR_CLICKHOUSE_EXPORT_FILE'
  | 'ERR_CLICKHOUSE_TIME_SERIES_CHANGED'
  // analytics, streams
  | 'ERR_CLICKHOUSE_ANALYTICS_QUERY'
  | 'ERR_CLICKHOUSE_GRAPHQL_INVALID'
  | 'ERR_CLICKHOUSE_GRAPHQL_LIMIT'
  | 'ERR_CLICKHOUSE_STREAM_FULL'
  | 'ERR_CLICKHOUSE_STREAM_STOPPED'
  // metrics
  | 'ERR_CLICKHOUSE_METRIC_DEFINITION'
  | 'ERR_CLICKHOUSE_METRIC_QUESTION'
  | 'ERR_CLICKHOUSE_ROLLUP'
  | 'ERR_CLICKHOUSE_LIVE_FULL'
  // migrations
  | 'ERR_CLICKHOUSE_MIGRATION_FILE'
  | 'ERR_CLICKHOUSE_MIGRATION_CHANGED'
  | 'ERR_CLICKHOUSE_MIGRATION_ORDER'
  | 'ERR_CLICKHOUSE_MIGRATION_LOCKED'
  | 'ERR_CLICKHOUSE_MIGRATION_LOCK_LOST'
  | 'ERR_CLICKHOUSE_MIGRATION_UNCERTAIN'
  | 'ERR_CLICKHOUSE_MIGRATION_IRREVERSIBLE'
  // embedded server
  | 'ERR_CLICKHOUSE_FOLDER_BUSY'
  | 'ERR_CLICKHOUSE_FOLDER_CORRUPT'
  | 'ERR_CLICKHOUSE_FOLDER_UNUSABLE'
  | 'ERR_CLICKHOUSE_PORT_IN_USE'
  | 'ERR_CLICKHOUSE_START_FAILED'
  | 'ERR_CLICKHOUSE_START_TIMEOUT'
  | 'ERR_CLICKHOUSE_MISSING_PEER'
  | 'ERR_CLICKHOUSE_UNSUPPORTED_PLATFORM'

/** What a {@link ClickHouseBaseError} is made from. */
export interface ClickHouseErrorOptions extends ErrorOptions<ClickHouseErrorCode | 'ERR_ABORTED'> {
  /** ClickHouse's numeric code, e.g. 62. @default undefined: the server did not say, or wasn't asked */
  serverCode?: number | undefined
  /** ClickHouse's name for the code, e.g. `SYNTAX_ERROR`. @default undefined */
  serverCodeName?: string | undefined
  /** Id of the query in the server's logs. @default undefined */
  queryId?: string | undefined
  /** Host and port of the server, without credentials. @default undefined */
  server?: string | undefined
}

/** Base of every error that this package makes about a ClickHouse server. */
export class ClickHouseBaseError extends InfrastructureError<ClickHouseErrorCode | 'ERR_ABORTED'> {
  override readonly name: string = 'ClickHouseBaseError'
  /** ClickHouse's numeric code, where the server gave one. */
  readonly serverCode: number | undefined
  /** ClickHouse's name for that code. */
  readonly serverCodeName: string | undefined
  /** Id of the query in the server's logs. */
  readonly queryId: string | undefined
  /** Host and port of the server, without credentials. */
  readonly server: string | undefined

  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    const { serverCode, serverCodeName, queryId, server } = options
    const told = Object.entries({ serverCode, serverCodeName, queryId, server }).filter(([, value]) => value !== undefined)
    super(message, { ...options, context: { ...Object.fromEntries(told), ...options.context } })
    this.serverCode = serverCode
    this.serverCodeName = serverCodeName
    this.queryId = queryId
    this.server = server
    markError(this, 'ClickHouseBaseError')
  }

  /** Type guard that also accepts errors made by another copy of this package. */
  static override isInstance(value: unknown): value is ClickHouseBaseError {
    return hasErrorMark(value, 'ClickHouseBaseError')
  }
}

// ---------------------------------------------------------------- connection

/** The server can't be reached, or broke the connection. Also answers to the shared `ConnectionError`. */
export class ConnectionError extends ClickHouseBaseError {
  override readonly name: string = 'ConnectionError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_CONNECTION', retryable: true, status: 503, ...options })
    markError(this, 'ConnectionError')
    markError(this, 'ClickHouse.ConnectionError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is ConnectionError {
    return hasErrorMark(value, 'ClickHouse.ConnectionError')
  }
}

/** Every connection is taken and the queue for one is full, or its wait too long. */
export class PoolExhaustedError extends ConnectionError {
  override readonly name: string = 'PoolExhaustedError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_POOL_EXHAUSTED', ...options })
    markError(this, 'ClickHouse.PoolExhaustedError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is PoolExhaustedError {
    return hasErrorMark(value, 'ClickHouse.PoolExhaustedError')
  }
}

/** The server didn't take the connection in time. Also answers to the shared `TimeoutError`. */
export class ConnectionTimeoutError extends ConnectionError {
  override readonly name: string = 'ConnectionTimeoutError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_CONNECTION_TIMEOUT', ...options })
    markError(this, 'TimeoutError')
    markError(this, 'ClickHouse.ConnectionTimeoutError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is ConnectionTimeoutError {
    return hasErrorMark(value, 'ClickHouse.ConnectionTimeoutError')
  }
}

/** The server doesn't know the user, or the password is wrong. Trying again doesn't help. */
export class AuthenticationError extends ConnectionError {
  override readonly name: string = 'AuthenticationError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_AUTHENTICATION', retryable: false, ...options })
    markError(this, 'ClickHouse.AuthenticationError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is AuthenticationError {
    return hasErrorMark(value, 'ClickHouse.AuthenticationError')
  }
}

// --------------------------------------------------------------------- query

/** The server refused or failed a query. Also answers to the shared `OperationError`. */
export class QueryError extends ClickHouseBaseError {
  override readonly name: string = 'QueryError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_QUERY', ...options })
    markError(this, 'OperationError')
    markError(this, 'ClickHouse.QueryError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is QueryError {
    return hasErrorMark(value, 'ClickHouse.QueryError')
  }
}

/** Where in the query text the parser gave up. */
export interface SyntaxErrorPosition {
  /** Characters from the start of the text that the server saw, counted from 1. */
  readonly offset: number
  /** Line, counted from 1. */
  readonly line: number
  /** Column in the line, counted from 1. */
  readonly column: number
}

/** The query text is not ClickHouse SQL; `position` tells where. */
export class QuerySyntaxError extends QueryError {
  override readonly name: string = 'QuerySyntaxError'
  /** Where the parser gave up, where it told. */
  readonly position: SyntaxErrorPosition | undefined
  constructor(message: string, options: ClickHouseErrorOptions & { position?: SyntaxErrorPosition | undefined } = {}) {
    const { position, ...rest } = options
    super(message, { code: 'ERR_CLICKHOUSE_QUERY_SYNTAX', status: 400, ...rest, context: { ...rest.context, ...(position ? { position } : {}) } })
    this.position = position
    markError(this, 'ClickHouse.QuerySyntaxError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is QuerySyntaxError {
    return hasErrorMark(value, 'ClickHouse.QuerySyntaxError')
  }
}

/** The query took longer than allowed and was ended on the server. Also answers to the shared `TimeoutError`. */
export class QueryExecutionTimeoutError extends QueryError {
  override readonly name: string = 'QueryExecutionTimeoutError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    // Not retryable: a query that was too slow once would only load the server again.
    super(message, { code: 'ERR_CLICKHOUSE_QUERY_TIMEOUT', retryable: false, status: 408, ...options })
    markError(this, 'TimeoutError')
    markError(this, 'ClickHouse.QueryExecutionTimeoutError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is QueryExecutionTimeoutError {
    return hasErrorMark(value, 'ClickHouse.QueryExecutionTimeoutError')
  }
}

/** The query was ended by its caller (code `ERR_ABORTED`) or killed on the server. */
export class QueryCancellationError extends QueryError {
  override readonly name: string = 'QueryCancellationError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_QUERY_CANCELLED', status: 499, ...options })
    markError(this, 'ClickHouse.QueryCancellationError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is QueryCancellationError {
    return hasErrorMark(value, 'ClickHouse.QueryCancellationError')
  }
}

/**
 * A value doesn't fit its type, in a parameter, a row or an expression. Also answers to the shared `ValidationError`:
 * nothing of an insert that fails with it is stored.
 */
export class DataTypeError extends QueryError {
  override readonly name: string = 'DataTypeError'
  /** Which row (by index) and column, where that is known. */
  readonly issues: readonly ValidationIssue[]
  constructor(message: string, options: ClickHouseErrorOptions & { issues?: readonly ValidationIssue[] | undefined } = {}) {
    const { issues, ...rest } = options
    super(message, { code: 'ERR_CLICKHOUSE_DATA_TYPE', status: 400, ...rest })
    this.issues = issues ?? []
    markError(this, 'ValidationError')
    markError(this, 'ClickHouse.DataTypeError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is DataTypeError {
    return hasErrorMark(value, 'ClickHouse.DataTypeError')
  }
  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), issues: this.issues }
  }
}
