// Storage
export type { BulkInsertOptions, OnConflict, TimescaleCallOptions, TimescaleStorage, TimescaleTransaction } from './timescale-storage.ts'
export { quoteIdentifier, quoteLiteral, quoteTable, splitTable } from './quote-identifier.ts'
export type { TimescaleCapabilities, TimescaleEdition } from './capabilities.ts'

// Drivers
export type {
  SqlConnection,
  SqlConnectionOptions,
  SqlDriver,
  SqlField,
  SqlResult,
  SqlStreamOptions,
  SqlTlsOptions,
} from './sql-driver.ts'

// Errors
export {
  isTimescaleDBError,
  TimescaleConfigurationError,
  TimescaleConnectionError,
  type TimescaleDBErrorCode,
  TimescaleOperationError,
  TimescaleTimeoutError,
  TimescaleValidationError,
} from './errors.ts'
