// Storage
export type { BulkInsertOptions, OnConflict, TimescaleCallOptions, TimescaleStorage, TimescaleTransaction } from './timescale-storage.ts'
export { quoteIdentifier, quoteLiteral, quoteTable, splitTable } from './quote-identifier.ts'
export type { TimescaleCapabilities, TimescaleEdition } from './capabilities.ts'

// Exactly-once ingest
export { createIngestLedger, IngestLedger, type IngestLedgerOptions, type LedgerExecutor } from './ledger/ingest-ledger.ts'
export { INGEST_LEDGER_TABLE, ingestLedgerDefinition } from './ledger/ingest-ledger-table.ts'
export {
  type BatchWriterStorage,
  createTransactionalBatchWriter,
  type TransactionalBatchWriterOptions,
} from './ledger/transactional-batch-writer.ts'

// Partitions
export {
  createPartitionManager,
  type DroppedPartitions,
  type PartitionAdvice,
  PartitionManager,
  type PartitionManagerOptions,
  type PartitionStorage,
} from './partitions/partition-manager.ts'
export type { PartitionInfo } from './partitions/list-partitions.ts'

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
