/*
 * What a process runs that only writes: adapter, tables, batches. All of it is part of the package's main entry as well, which loads everything else
 * beside it; a worker that is counted in megabytes loads this.
 */
export type { ClickHouseAdapter, InsertOptions, QueryOptions, QueryParams, QueryResult } from './adapter-options.ts'
export type { AdapterOptions } from './adapter/http-adapter.ts'
export type { ClickHouseOptions } from './clickhouse-config.ts'
export { createAdapter } from './create-adapter.ts'
export { typed, type TypedValue } from './parameters/typed-value.ts'

// Tables
export { createTable, type CreateTableOptions } from './storage/create-table.ts'
export { checkDeduplicates } from './storage/check-deduplicates.ts'
export { createStoredRows, type StoredRowsOptions } from './storage/stored-rows.ts'

// Batches
export { type BatchWriterOptions, createBatchWriter } from './storage/batch-writer.ts'
export { INGEST_EPOCHS_TABLE, ingestEpochsDefinition, type IngestEpochsOptions } from './storage/ingest-epochs.ts'
