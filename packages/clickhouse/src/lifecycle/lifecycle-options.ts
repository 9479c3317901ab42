import type { CallOptions, Clock, Logger } from '@smart-whale/interfaces'

/** What a {@link LifecycleManager} is made from. */
export interface LifecycleManagerOptions {
  /** Age at which `deleteExpiredData` lets rows go when the call doesn't say, in days. @default `CLICKHOUSE_RETENTION_DAYS`; without it the call has to say */
  retentionDays?: number | undefined
  /** How long one statement may take, in milliseconds. @default 600_000 */
  timeoutMs?: number | undefined
  /** Whose time passes: rows expire by it. @default systemClock */
  clock?: Clock | undefined
  /** Hears of what was deleted and altered. @default silentLogger */
  logger?: Logger | undefined
}

/** What `deleteExpiredData` may be told. */
export interface ExpireOptions extends CallOptions {
  /** Rows from before this moment go. @default now less `retentionDays` */
  olderThan?: Date | undefined
  /** Tells what would be done and changes nothing. @default false */
  dryRun?: boolean | undefined
}

/** What expiry did, or would do. */
export interface ExpiryReport {
  /** Rows that went. */
  readonly rows: bigint
  readonly dryRun: boolean
  /** Partitions that went whole, by id: nothing of them is rewritten. */
  readonly droppedPartitions: readonly string[]
  /** Rows of partitions that only partly expired. */
  readonly deletedRows: bigint
  readonly statements: readonly string[]
}

/** What `optimizeTable` may be told. */
export interface OptimizeOptions extends CallOptions {
  /** Merges each partition into one part, also where one exists already. @default false */
  final?: boolean | undefined
  /** Removes rows that are equal in every column, or in the columns named. @default false */
  deduplicate?: boolean | readonly string[] | undefined
  /** This partition alone, by value or id. @default all of them */
  partition?: string | undefined
}

/** What `optimizeTable` did. */
export interface OptimizeReport {
  readonly table: string
  readonly partsBefore: number
  readonly partsAfter: number
  readonly bytesBefore: bigint
  readonly bytesAfter: bigint
  readonly rowsBefore: bigint
  readonly rowsAfter: bigint
}

/** How large a column is. */
export interface ColumnSize {
  readonly name: string
  readonly type: string
  readonly codec: string
  readonly compressedBytes: bigint
  readonly uncompressedBytes: bigint
}

/** How large a table is. */
export interface TableSize {
  readonly database: string
  readonly table: string
  readonly engine: string
  readonly rows: bigint
  readonly bytesOnDisk: bigint
  readonly compressedBytes: bigint
  readonly uncompressedBytes: bigint
  /** Uncompressed by compressed; 0 for an empty table. */
  readonly compressionRatio: number
  readonly parts: number
  readonly partitions: number
  readonly oldestPartition: string | null
  readonly newestPartition: string | null
}

/** A table's size with its columns'. */
export interface TableSizeInfo extends TableSize {
  readonly columns: readonly ColumnSize[]
}

/** How large a database is. */
export interface DatabaseSize {
  readonly database: string
  readonly rows: bigint
  readonly bytesOnDisk: bigint
  readonly parts: number
  /** Largest first. */
  readonly tables: readonly TableSize[]
}

/** What a TTL does to rows, or to one column's values, once they are old enough. */
export interface TtlRule {
  /** Column that a value is taken back to its default in. @default null: whole rows go */
  readonly column: string | null
  /** ClickHouse's own expression, e.g. `at + toIntervalDay(30)`, with what follows it (`DELETE`, `TO VOLUME 'cold'`, `RECOMPRESS CODEC(ZSTD(9))`). */
  readonly expression: string
}

/** A TTL that is to be set. */
export interface NewTtlRule {
  /** Column with the row's time: `Date`, `DateTime` or `DateTime64`. @default none, required */
  dateColumn: string
  /** Age at which it applies, in seconds. @default none, required */
  afterSeconds: number
  /** Column whose value goes; else the whole row does. @default whole rows */
  column?: string | undefined
}

/** What a change of TTLs may be told. */
export interface TtlCallOptions extends CallOptions {
  /** Tells the statement and changes nothing. @default false */
  dryRun?: boolean | undefined
  /** Whether parts that are there already are rewritten now; else old rows go as their parts are merged. @default false */
  materialize?: boolean | undefined
}

/** What a change of TTLs did, or would do. */
export interface TtlChange {
  readonly dryRun: boolean
  readonly statements: readonly string[]
  /** Rows that have expired by the new rule already. */
  readonly expiredRows: bigint
}

/** Lets old data go, keeps parts few, tells what is large. */
export interface LifecycleManager {
  /** Deletes rows whose `dateColumn` lies before a moment. Whole partitions are dropped, what is left is deleted row by row. Answers how many went. */
  deleteExpiredData(table: string, dateColumn: string, options?: ExpireOptions): Promise<bigint>
  /** The same, with what was done and how. */
  expire(table: string, dateColumn: string, options?: ExpireOptions): Promise<ExpiryReport>
  /** Merges parts now rather than when the server finds time. */
  optimizeTable(table: string, options?: OptimizeOptions): Promise<OptimizeReport>
  /** How large a table and each of its columns is. */
  getTableSizeInfo(table: string, options?: CallOptions): Promise<TableSizeInfo>
  /** How large a database and each of its tables is. */
  analyzeDatabaseSize(database?: string, options?: CallOptions): Promise<DatabaseSize>
  /** The TTLs of a table and its columns. */
  getTtlRules(table: string, options?: CallOptions): Promise<TtlRule[]>
  /** Sets a TTL in place of the one that the table, or the column, has. */
  setTtl(table: string, rule: NewTtlRule, options?: TtlCallOptions): Promise<TtlChange>
  /** Removes the TTL of a table, or of one column. */
  removeTtl(table: string, column?: string, options?: TtlCallOptions): Promise<TtlChange>
  /** Closes an adapter that the manager made itself. May be called twice. */
  close(): Promise<void>
}
