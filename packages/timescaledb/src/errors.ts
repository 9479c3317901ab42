import {
  ConfigurationError,
  ConnectionError,
  type ErrorOptions,
  hasErrorMark,
  markError,
  OperationError,
  TimeoutError,
  ValidationError,
  type ValidationErrorOptions,
} from '@smart-whale/interfaces'

/** Every code that this package's errors carry. */
export type TimescaleDBErrorCode =
  // Reaching the server
  | 'ERR_TIMESCALEDB_CONNECTION'
  | 'ERR_TIMESCALEDB_CONNECTION_LOST'
  | 'ERR_TIMESCALEDB_AUTHENTICATION'
  | 'ERR_TIMESCALEDB_POOL_CLOSED'
  | 'ERR_TIMESCALEDB_POOL_FULL'
  | 'ERR_TIMESCALEDB_POOL_TIMEOUT'
  // Asking it
  | 'ERR_TIMESCALEDB_QUERY'
  | 'ERR_TIMESCALEDB_SYNTAX'
  | 'ERR_TIMESCALEDB_UNDEFINED'
  | 'ERR_TIMESCALEDB_DUPLICATE'
  | 'ERR_TIMESCALEDB_PERMISSION'
  | 'ERR_TIMESCALEDB_READ_ONLY'
  | 'ERR_TIMESCALEDB_RESOURCES'
  | 'ERR_TIMESCALEDB_CONFLICT'
  | 'ERR_TIMESCALEDB_LOCKED'
  | 'ERR_TIMESCALEDB_TIMEOUT'
  | 'ERR_TIMESCALEDB_UNSUPPORTED'
  | 'ERR_TIMESCALEDB_DEPENDED_ON'
  | 'ERR_TIMESCALEDB_TABLE_ALTERED'
  | 'ERR_TIMESCALEDB_ROWS_NOT_STORED'
  // TimescaleDB itself
  | 'ERR_TIMESCALEDB_EDITION'
  | 'ERR_TIMESCALEDB_EXTENSION'
  | 'ERR_TIMESCALEDB_RESTORING'
  // Data
  | 'ERR_TIMESCALEDB_DATA'
  | 'ERR_TIMESCALEDB_UNIQUE'
  | 'ERR_TIMESCALEDB_FOREIGN_KEY'
  | 'ERR_TIMESCALEDB_NOT_NULL'
  | 'ERR_TIMESCALEDB_CHECK'
  | 'ERR_TIMESCALEDB_INPUT'
  // Transactions
  | 'ERR_TIMESCALEDB_TRANSACTION_ENDED'
  | 'ERR_TIMESCALEDB_TRANSACTION_FAILED'
  // Partitions
  | 'ERR_TIMESCALEDB_TOO_MANY_PARTITIONS'
  | 'ERR_TIMESCALEDB_PARTITION_MISSING'
  | 'ERR_TIMESCALEDB_NOT_PARTITIONABLE'
  // Migrations
  | 'ERR_TIMESCALEDB_MIGRATION'
  | 'ERR_TIMESCALEDB_MIGRATION_CHANGED'
  | 'ERR_TIMESCALEDB_MIGRATION_ORDER'
  // Time series
  | 'ERR_TIMESCALEDB_UNKNOWN_TABLE'
  | 'ERR_TIMESCALEDB_TOO_MANY_ROWS'
  | 'ERR_TIMESCALEDB_IDEMPOTENCY_KEY'
  // Configuration
  | 'ERR_TIMESCALEDB_CONFIGURATION'
  | 'ERR_TIMESCALEDB_PEER_MISSING'
  // Embedded server
  | 'ERR_TIMESCALEDB_PLATFORM'
  | 'ERR_TIMESCALEDB_FOLDER_BUSY'
  | 'ERR_TIMESCALEDB_FOLDER_CORRUPT'
  | 'ERR_TIMESCALEDB_FOLDER_UNREACHABLE'
  | 'ERR_TIMESCALEDB_PORT_BUSY'
  | 'ERR_TIMESCALEDB_START_FAILED'

const MARK = 'TimescaleDBError'

/** Whether an error was made by this package (any copy of it), of whatever class. */
export function isTimescaleDBError(value: unknown): value is Error & { readonly code: TimescaleDBErrorCode } {
  return hasErrorMark(value, MARK)
}

/** The server can't be reached, refused the login, or broke the connection. */
export class TimescaleConnectionError extends ConnectionError<TimescaleDBErrorCode> {
  override readonly name: string = 'TimescaleConnectionError'
  constructor(message: string, options: ErrorOptions<TimescaleDBErrorCode> = {}) {
    super(message, { code: 'ERR_TIMESCALEDB_CONNECTION', ...options })
    markError(this, MARK)
  }
}

/** The server refused or failed a statement, or the operation isn't possible here. */
export class TimescaleOperationError extends OperationError<TimescaleDBErrorCode> {
  override readonly name: string = 'TimescaleOperationError'
  constructor(message: string, options: ErrorOptions<TimescaleDBErrorCode> = {}) {
    super(message, { code: 'ERR_TIMESCALEDB_QUERY', ...options })
    markError(this, MARK)
  }
}

/** An option or variable of this package is missing or wrong, or an optional peer isn't installed. */
export class TimescaleConfigurationError extends ConfigurationError<TimescaleDBErrorCode> {
  override readonly name: string = 'TimescaleConfigurationError'
  constructor(message: string, options: ErrorOptions<TimescaleDBErrorCode> = {}) {
    super(message, { code: 'ERR_TIMESCALEDB_CONFIGURATION', ...options })
    markError(this, MARK)
  }
}

/** A statement, a connection attempt or a wait for a free connection took longer than allowed. */
export class TimescaleTimeoutError extends TimeoutError<TimescaleDBErrorCode> {
  override readonly name: string = 'TimescaleTimeoutError'
  constructor(message: string, options: ErrorOptions<TimescaleDBErrorCode> = {}) {
    super(message, { code: 'ERR_TIMESCALEDB_TIMEOUT', ...options })
    markError(this, MARK)
  }
}

/** A row or a parameter is refused for its data, by this package before anything is sent or by the server. */
export class TimescaleValidationError extends ValidationError<TimescaleDBErrorCode> {
  override readonly name: string = 'TimescaleValidationError'
  constructor(message: string, options: ValidationErrorOptions<TimescaleDBErrorCode> = {}) {
    super(message, { code: 'ERR_TIMESCALEDB_INPUT', ...options })
    markError(this, MARK)
  }
}
