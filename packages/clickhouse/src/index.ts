// Adapter
export type {
  ClickHouseAdapter,
  ColumnDescription,
  DownloadOptions,
  DownloadResult,
  ExecuteManyOptions,
  InsertOptions,
  InsertResult,
  QueryOptions,
  QueryParams,
  QueryResult,
  QueryStatistics,
} from './adapter-options.ts'

// Errors
export {
  AuthenticationError,
  ClickHouseBaseError,
  type ClickHouseErrorCode,
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
export {
  BackupError,
  CircuitBreakerError,
  DataManagementError,
  EncryptionError,
  OperationalError,
  PermissionDeniedError,
  RetryExhaustedError,
  SecurityError,
  TokenError,
} from './operational-errors.ts'
