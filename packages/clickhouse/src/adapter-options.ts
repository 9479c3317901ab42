import type { CallOptions, ColumnBatch, HealthResult, Row } from '@smart-whale/interfaces'

/** Values by parameter name. A value's ClickHouse type follows from the value, or from `typed('UInt64', value)`. */
export type QueryParams = Readonly<Record<string, unknown>>

/** What ClickHouse calls a column and its type. */
export interface ColumnDescription {
  readonly name: string
  /** ClickHouse's own type text, e.g. `LowCardinality(Nullable(String))`. */
  readonly type: string
}

/** What a query cost the server. */
export interface QueryStatistics {
  readonly rowsRead: number
  readonly bytesRead: number
  /** Time on the server, in milliseconds. */
  readonly elapsedMs: number
}

/** A whole answer. */
export interface QueryResult<T extends Row = Row> {
  /** Rows by column name: 64-bit integers are `bigint`, decimals strings, `DateTime` a `Date`, `Date` an ISO day. */
  readonly rows: T[]
  readonly columns: readonly ColumnDescription[]
  readonly statistics: QueryStatistics
  /** Id of the query in the server's logs. */
  readonly queryId: string
  /** Host and port of the server that answered. */
  readonly server?: string | undefined
}

/** Rows that go along with a query, as a table that nobody else sees and that ends with it. */
export interface ExternalTable {
  /** What the query calls it: letters, digits and `_`. */
  readonly name: string
  readonly columns: readonly ColumnDescription[]
  /** Input format of the data, e.g. `Native` or `JSONEachRow`. */
  readonly format: string
  readonly data: Uint8Array
}

/** Which of several servers a call goes to. An adapter of one server takes no notice. */
export interface ServerChoice {
  /**
   * What the call is about: calls with the same word go to the same server as long as it is there, then to the same other one.
   * Reads of one user don't jump between replicas that lag differently, and meet warm caches.
   * @default none: wherever there is room
   */
  stickTo?: string | undefined
  /**
   * This server and no other, by the `server` of an earlier result: what was written there is read there, replicated or not.
   * Fails while it is away, rather than to answer without what was written.
   * @default none
   */
  pinTo?: string | undefined
}

/** What a single query may be told. */
export interface QueryOptions extends CallOptions, ServerChoice {
  /** Id for the server's logs and for `KILL QUERY`; must be unique among running queries. @default a random UUID */
  queryId?: string | undefined
  /** ClickHouse settings of this query alone. A `readonly=1` user may give none: its profile has them. @default {} */
  settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Role to run under, out of the roles that the user was granted. @default the user's default roles */
  role?: string | undefined
  /**
   * Whose rows it may read, where row policies go by tenant: goes along as a header, which no text of a query can change.
   * @default none: policies by tenant let no row through
   */
  tenant?: string | undefined
  /** How many times retries may send it: `false` sends once. @default true */
  retry?: boolean | undefined
  /** Rows that the query reads as a table. @default undefined */
  external?: ExternalTable | undefined
  /** What the same adapter was asked before that the same query would read: a trust level then doesn't ask again. Others take no notice. @default undefined */
  estimate?: QueryEstimate | undefined
}

/** What a query is expected to read, by the indexes of the tables. */
export interface QueryEstimate {
  readonly rows: number
  readonly marks: number
  readonly parts: number
}

/** What `executeMany` may be told; all but `concurrency` counts for each query. */
export interface ExecuteManyOptions extends Omit<QueryOptions, 'queryId'> {
  /** How many queries run at once. @default 4 */
  concurrency?: number | undefined
}

/** What the server asks itself when an insert begins, before it takes a row. */
export interface InsertGuard {
  /** A query of one value that throws (see `throwIf`) when the rows are not to be stored. */
  readonly query: string
  /** Values for the query's places, which must be typed: `{name:Type}`. */
  readonly params: QueryParams
}

/** What an insert may be told. */
export interface InsertOptions extends CallOptions, ServerChoice {
  /**
   * The same token always stands for the same rows: the table keeps them once however often they are sent.
   * Only a table that deduplicates honours it (see `createTable`). Without a token an insert is never retried.
   * Of several servers the token chooses one, always the same: only that one remembers it, unless the table is replicated.
   * @default undefined
   */
  token?: string | undefined
  /**
   * Decides on the server whether the rows are still wanted. Such an insert is sent once, also with a token: whoever guards it
   * has to know which attempt is which.
   * @default undefined
   */
  guard?: InsertGuard | undefined
  /** Id for the server's logs. @default a random UUID */
  queryId?: string | undefined
  /** ClickHouse settings of this insert alone. @default {} */
  settings?: Readonly<Record<string, string | number | boolean>> | undefined
}

/** What became of an insert. */
export interface InsertResult {
  /** Rows that were handed to the server; rows that it dropped as a repeat count as well. */
  readonly rows: number
  /** Id of the query in the server's logs. */
  readonly queryId: string
  /** Host and port of the server that has them; undefined when there were none to send. */
  readonly server?: string | undefined
}

/** What a download may be told. */
export interface DownloadOptions extends QueryOptions {
  /** ClickHouse output format, e.g. `JSONEachRow`, `CSVWithNames`, `Parquet`. */
  format: string
}

/** An answer as bytes, in a format of ClickHouse's own. */
export interface DownloadResult {
  /** The bytes, with bounded memory. Leaving the loop early ends the query on the server; a failure half-way is thrown. */
  readonly body: AsyncIterable<Uint8Array>
  readonly contentType: string
  readonly queryId: string
}

/** Speaks to ClickHouse: to one server, or to several that answer the same questions. */
export interface ClickHouseAdapter {
  /** Host, port and database, without credentials: for logs and health pages. */
  readonly server: string
  /** Database that unqualified table names mean. */
  readonly database: string
  /** Host and port of each server, where there may be several. */
  readonly servers?: readonly string[] | undefined
  /** Checks that the server answers this user; may be called twice. */
  connect(options?: CallOptions): Promise<void>
  /** Runs one statement and reads its whole answer. */
  execute<T extends Row = Row>(query: string, params?: QueryParams, options?: QueryOptions): Promise<QueryResult<T>>
  /** Runs statements at once, within a bound; results come in the order of the queries. The first failure ends the rest. */
  executeMany<T extends Row = Row>(queries: readonly (string | readonly [query: string, params: QueryParams])[], options?: ExecuteManyOptions): Promise<QueryResult<T>[]>
  /** Reads rows with bounded memory. Leaving the loop early ends the query on the server. */
  stream<T extends Row = Row>(query: string, params?: QueryParams, options?: QueryOptions): AsyncIterable<T>
  /** Reads an answer as bytes in the format asked for, with bounded memory. */
  download(query: string, params: QueryParams | undefined, options: DownloadOptions): Promise<DownloadResult>
  /** Stores rows as one block: all of them or, after a `ValidationError`, none. */
  insert(table: string, rows: readonly Row[], options?: InsertOptions): Promise<InsertResult>
  /**
   * Stores rows that lie in columns already, as {@link insert} does, for a fraction of the time on both sides of the line. Null, and nothing
   * is sent, when the table has other types for them than their memory is of: then they have to be given as rows.
   */
  insertColumns(table: string, batch: ColumnBatch, options?: InsertOptions): Promise<InsertResult | null>
  /** Whether the server answers, how fast, and which version. Never throws. */
  healthCheck(options?: CallOptions): Promise<HealthResult>
  /** Ends what runs and closes every socket; may be called twice. Afterwards every call throws `ERR_CLICKHOUSE_CLOSED`. */
  close(): Promise<void>
}
