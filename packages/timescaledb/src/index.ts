// Start here
export { createTimescaleAdapter } from './create-timescale-adapter.ts'
export {
  TIMESCALEDB_VARIABLES,
  TimescaleDBConfig,
  type TimescaleDBConfigSources,
  timescaleDBSchema,
  type TimescaleDBSettings,
} from './config.ts'
export { type ReplicaOptions, TIMESCALEDB_DEFAULTS, type TimescaleDBOptions } from './options.ts'

// Storage
export { TimescaleDBStorage, type TimescaleDBStorageOptions } from './storage/timescaledb-storage.ts'
export type { BulkInsertOptions, InsertColumnsOptions, OnConflict, TimescaleCallOptions, TimescaleStorage, TimescaleTransaction } from './timescale-storage.ts'
export { quoteIdentifier, quoteLiteral, quoteTable, splitTable } from './quote-identifier.ts'

// What the server can do
export type { ServerIdentity, TimescaleCapabilities, TimescaleEdition } from './capabilities.ts'
export { describeServer, type FeatureProvider, type FeatureReport, requireFeature, type TimescaleFeature, timescaleFeatures } from './features.ts'

// Connections
export {
  ConnectionPool,
  type ConnectionPoolDependencies,
  createConnectionPool,
  type GetConnectionOptions,
  type PooledConnection,
} from './pool/connection-pool.ts'

// Exactly-once ingest
export { createIngestLedger, IngestLedger, type IngestLedgerOptions, type LedgerExecutor } from './ledger/ingest-ledger.ts'
export { INGEST_LEDGER_TABLE, ingestLedgerDefinition } from './ledger/ingest-ledger-table.ts'
export { type PipelineTakeover, takeOverPipeline, type TakeOverOptions } from './ledger/take-over-pipeline.ts'
export type { BatchWriterStorage, RoomMaker } from './ledger/begin-writing.ts'
export { createTransactionalBatchWriter, type TransactionalBatchWriterOptions } from './ledger/transactional-batch-writer.ts'
export { createStoredRows, sourceIndexDefinition, type StoredRowsOptions, type StoredRowsStorage } from './ledger/stored-rows.ts'

// Partitions
export {
  createPartitionManager,
  type DroppedPartitions,
  PartitionManager,
  type PartitionManagerOptions,
  type PartitionStorage,
} from './partitions/partition-manager.ts'
export type { PartitionAdvice } from './partitions/partition-advice.ts'
export type { PartitionInfo } from './partitions/list-partitions.ts'

// Migrations
export {
  createMigrationManager,
  MigrationManager,
  type MigrationManagerOptions,
  type MigrationReport,
  type MigrationRun,
  type MigrationStatus,
  type MigrationStorage,
} from './migrations/migration-manager.ts'
export type { Migration, MigrationAction, MigrationContext, MigrationStep } from './migrations/migration.ts'
export { builtInMigrations } from './migrations/built-in-migrations.ts'

// Reading time series
export {
  type AggregateOptions,
  type AggregateResult,
  type LatestOptions,
  type RangeOptions,
  type RangeResult,
  type ResultColumn,
  TimeSeriesRepository,
  type TimeSeriesRepositoryOptions,
  type TimeSeriesStorage,
} from './time-series/time-series-repository.ts'
export { type AggregateFunction, type Aggregation, parseAggregation } from './time-series/aggregation.ts'
export type { GapFill } from './time-series/fill-gaps.ts'
export type { RangeBounds } from './time-series/range-conditions.ts'
export type { TimeOrder } from './time-series/range-cursor.ts'
export type { ColumnComparison, RowFilter } from './time-series/row-filter.ts'
export type { ColumnDescription, ColumnKind, ColumnValue } from './time-series/column-kind.ts'
export type { TableDescription } from './time-series/table-description.ts'
export { TimeRange, type TimeInput, type TimeRangeOptions, timeRangeSchema } from './time-series/time-range.ts'
export { formatTimeInterval, parseTimeInterval, type TimeInterval, type TimeStep } from './time-series/time-interval.ts'

// Storing time series
export {
  createDatabaseService,
  DatabaseService,
  type DatabaseServiceOptions,
  type DatabaseServiceStorage,
  type TimeSeriesPoint,
} from './time-series/database-service.ts'
export { TimeSeriesData, timeSeriesDataSchema } from './time-series/time-series-data.ts'
export { TableSchema, tableSchemaSchema } from './time-series/table-schema.ts'

// Drivers
export { createPgDriver } from './drivers/pg-driver.ts'
export { createPostgresDriver } from './drivers/postgres-driver.ts'
export { asJson, asJsonText, type JsonParameter } from './drivers/encode-parameter.ts'
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
