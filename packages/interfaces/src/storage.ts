/** One row of a result: column name to value. 64-bit integers are `bigint`, decimals are strings, times are `Date`. */
export type Row = Record<string, unknown>

/** What bounds a single call. */
export interface CallOptions {
  /** Ends the call early; the server is told to stop as well. @default never aborted */
  signal?: AbortSignal | undefined
  /** How long the call may take before it fails with a `TimeoutError`. @default the implementation's own deadline */
  timeoutMs?: number | undefined
}

/** Column name to the store's own type text, e.g. `{ id: 'bigint not null', at: 'timestamptz not null' }`. */
export interface TableDefinition {
  readonly columns: Readonly<Record<string, string>>
  /** Columns of the primary key (PostgreSQL) or of the sorting key (ClickHouse). @default none */
  readonly primaryKey?: readonly string[]
}

/**
 * Work that is committed or rolled back as one. It belongs to who began it and to nobody else.
 * After `commit` or `rollback` every method throws an `OperationError`. Dropping a handle rolls it back and reports it.
 */
export interface Transaction extends AsyncDisposable {
  execute<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<T[]>
  executeMany(query: string, paramsList: readonly (readonly unknown[])[], options?: CallOptions): Promise<number>
  commit(): Promise<void>
  rollback(): Promise<void>
}

/**
 * A store that is spoken to in its own SQL. Rows are objects; parameters are positional (`$1`, `$2`, …) and always bound.
 *
 * `connect` and `disconnect` may be called twice. What an implementation can't do (transactions, hypertables)
 * throws an `OperationError` that says so.
 */
export interface StorageInterface {
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  execute<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<T[]>
  /** Runs one statement for many parameter lists, in one round trip or one transaction. Returns the rows affected. */
  executeMany(query: string, paramsList: readonly (readonly unknown[])[], options?: CallOptions): Promise<number>
  /** Prefer {@link withTransaction}: it can't forget to end the transaction. */
  beginTransaction(options?: CallOptions): Promise<Transaction>
  /** Commits when `work` resolves, rolls back when it throws, and passes its result or error on. */
  withTransaction<T>(work: (transaction: Transaction) => Promise<T>, options?: CallOptions): Promise<T>
  /**
   * No name can break out of its quotes.
   * @throws ValidationError for a name that no table or column can have, and for a table without columns
   */
  createTable(name: string, schema: TableDefinition, options?: CallOptions): Promise<void>
  createHypertable(table: string, timeColumn: string, options?: CallOptions): Promise<void>
  /** Reads with bounded memory. Leaving the loop early ends the query on the server. */
  stream<T extends Row = Row>(query: string, params?: readonly unknown[], options?: CallOptions): AsyncIterable<T>
}
