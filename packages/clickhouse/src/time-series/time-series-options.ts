import type { CallOptions, Clock, Logger, Row, StorageInterface } from '@smart-whale/interfaces'

/** Where the rows of a time series lie, and what becomes of them. Column names are the source's. */
export interface TimeSeriesMapping {
  /** Column with the row's time, down to the microsecond: `timestamptz`, `timestamp`, `DateTime64`. @default 'timestamp' */
  timestamp?: string | undefined
  /** Column with the number; null stays null. @default 'value' */
  value?: string | undefined
  /** Columns that become one JSON object, `metadata`; with a single one named `metadata`, that one as it is. @default all the others */
  metadata?: readonly string[] | undefined
  /** Table in ClickHouse. @default the source's name and `_analytics` */
  target?: string | undefined
}

/** What a {@link TimescaleClickHouseService} is made from. */
export interface TimescaleClickHouseOptions {
  /** Rows of a slice: what is sent, compared and remembered at once. @default 1000 */
  sliceRows?: number | undefined
  /** Where the columns lie, for tables that have others than `timestamp`, `value` and `metadata`. @default {} */
  mapping?: TimeSeriesMapping | undefined
  /** Table in ClickHouse that remembers the slices. @default 'smart_whale_time_series_slices' */
  journal?: string | undefined
  /** How long one statement may take, in milliseconds. @default 120_000 */
  timeoutMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of slices. @default silentLogger */
  logger?: Logger | undefined
}

/** What one migration may be told. */
export interface MigrateOptions extends CallOptions {
  /** Overrides the service's mapping for this table. @default the service's */
  mapping?: TimeSeriesMapping | undefined
  /** Hears of each slice. @default nobody */
  onProgress?: ((report: MigrationProgress) => void) | undefined
}

/** How far a migration is. */
export interface MigrationProgress {
  readonly slices: number
  readonly rows: number
}

/** What a migration did. */
export interface TimeSeriesReport {
  readonly table: string
  readonly target: string
  /** Rows of the source from `start` to `end`, both included. */
  readonly rows: number
  readonly slices: number
  /** Slices that were sent by this call; the others were there already. */
  readonly written: number
  /** Rows that were copied before and that the source has no more; they are kept. */
  readonly gone: number
}

/** Copies time series out of a store that is spoken to in SQL. */
export interface TimeSeriesMigrator {
  /** Copies the rows from `start` to `end`, both included; what is there already stays as it is. */
  migrateTimeSeries(start: Date | string, end: Date | string, table: string, options?: MigrateOptions): Promise<TimeSeriesReport>
}

/** A source of rows: any {@link StorageInterface} whose SQL is PostgreSQL's or ClickHouse's. */
export type TimeSeriesSource = Pick<StorageInterface, 'execute' | 'stream'>

/** A row as it goes into the target. */
export interface TimeSeriesRow extends Row {
  readonly timestamp: string
  readonly value: number | null
  readonly metadata: string
}
