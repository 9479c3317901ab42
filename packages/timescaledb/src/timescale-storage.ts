import type { CallOptions, ColumnBatch, Row, StorageInterface, TableDefinition, Transaction } from '@smart-whale/interfaces'
import type { TimescaleCapabilities } from './capabilities.ts'
import type { SqlResult } from './sql-driver.ts'

/** What happens to a row whose key is already there. */
export type OnConflict = 'error' | 'ignore' | { readonly update: readonly string[]; readonly key?: readonly string[] }

/** What bounds and steers a bulk insert. */
export interface BulkInsertOptions extends CallOptions {
  /**
   * `'error'` refuses the whole call, `'ignore'` keeps the stored row, `{ update: columns }` replaces those columns.
   * `key` names the columns of the unique constraint; without it the table's primary key. @default 'error'
   */
  onConflict?: OnConflict | undefined
  /** Columns to fill, in this order; others get their defaults. @default the keys of the first row */
  columns?: readonly string[] | undefined
  /** Runs inside this transaction instead of one of its own. @default one of its own */
  transaction?: TimescaleTransaction | undefined
}

/** What bounds and steers an insert of columns. */
export interface InsertColumnsOptions extends CallOptions {
  /** Columns of the table to fill; others get their defaults. @default those of the batch */
  columns?: readonly string[] | undefined
}

/** A {@link Transaction} of {@link TimescaleDBStorage}. */
export interface TimescaleTransaction extends Transaction {
  /** Like `execute`, with the column types and the row count. */
  query<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<SqlResult<T>>
  /** Rows as objects by binary COPY; returns how many were inserted or updated. */
  bulkInsert(table: string, rows: readonly Row[], options?: Omit<BulkInsertOptions, 'transaction'>): Promise<number>
  /**
   * Rows that lie in columns by binary COPY, as {@link bulkInsert} stores them, for a fraction of the time; returns how many. Null, and nothing
   * is sent, when the table has other types for them than their memory is of, or would refuse one of their values: then they have to be given as rows.
   */
  insertColumns(table: string, batch: ColumnBatch, options?: InsertColumnsOptions): Promise<number | null>
  stream<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): AsyncIterable<T>
}

/** What `execute` and its siblings take on top of {@link CallOptions}. */
export interface TimescaleCallOptions extends CallOptions {
  /** Whether a replica may answer. @default false */
  readOnly?: boolean | undefined
}

/** The public shape of `TimescaleDBStorage`. */
export interface TimescaleStorage extends StorageInterface {
  /** What the server can do. Connects when needed. */
  capabilities(): Promise<TimescaleCapabilities>
  execute<T extends Row = Row>(query: string, params?: readonly unknown[], options?: TimescaleCallOptions): Promise<T[]>
  /** Like `execute`, with the column types and the row count. */
  query<T extends Row = Row>(query: string, params?: readonly unknown[], options?: TimescaleCallOptions): Promise<SqlResult<T>>
  /** Runs several statements without parameters, separated by semicolons, in one implicit transaction. */
  runScript(script: string, options?: CallOptions): Promise<void>
  beginTransaction(options?: CallOptions): Promise<TimescaleTransaction>
  withTransaction<T>(work: (transaction: TimescaleTransaction) => Promise<T>, options?: CallOptions): Promise<T>
  createTable(name: string, schema: TableDefinition, options?: CallOptions): Promise<void>
  bulkInsert(table: string, rows: readonly Row[], options?: BulkInsertOptions): Promise<number>
  stream<T extends Row = Row>(query: string, params?: readonly unknown[], options?: TimescaleCallOptions): AsyncIterable<T>
}
