import type { CallOptions, Row } from '@smart-whale/interfaces'

/** How one connection is opened. */
export interface SqlConnectionOptions {
  /** Host name, address, or the folder of a unix socket. */
  host: string
  /** TCP port, or the number in the unix socket's name. */
  port: number
  /** Database to open. */
  database: string
  /** Role to log in as. */
  user: string
  /** Its password. @default none */
  password?: string | undefined
  /** TLS settings as `node:tls` takes them; `false` speaks plain text. @default false */
  tls?: SqlTlsOptions | false | undefined
  /** How long opening may take. */
  connectTimeoutMs: number
  /** Ends opening early. @default never aborted */
  signal?: AbortSignal | undefined
  /** How long a statement may take that names no `timeoutMs` of its own; the server enforces it too. 0 for no limit. */
  statementTimeoutMs: number
  /** Whether statements are prepared once per connection and text. Leave it off behind PgBouncer. @default false */
  prepare?: boolean | undefined
  /** Settings of the session (`application_name`, `lock_timeout`, …). @default {} */
  settings?: Readonly<Record<string, string>> | undefined
}

/** TLS as PostgreSQL needs it: the smallest part of `node:tls`'s options. */
export interface SqlTlsOptions {
  /** Whether the server's certificate must be trusted. @default true */
  rejectUnauthorized?: boolean
  /** Certificate authorities to trust, as PEM text. @default the system's */
  ca?: string
  /** Client certificate, as PEM text. @default none */
  cert?: string
  /** Key of the client certificate, as PEM text. @default none */
  key?: string
  /** Name that the certificate must carry. @default the host */
  servername?: string
}

/** One column of a result. */
export interface SqlField {
  readonly name: string
  /** Object id of its type in `pg_type`. */
  readonly typeId: number
}

/** What a statement gave back. */
export interface SqlResult<T extends Row = Row> {
  readonly rows: T[]
  readonly fields: readonly SqlField[]
  /** Rows read or changed, as the server counts them. */
  readonly rowCount: number
  /** What the server says it did: `SELECT`, `INSERT`, `ROLLBACK`, … */
  readonly command: string
}

/** What bounds a streamed read. */
export interface SqlStreamOptions extends CallOptions {
  /** Rows fetched from the server at a time: the bound of memory. @default 500 */
  batchRows?: number | undefined
}

/**
 * One session with the server. Statements run one after the other, in the order in which they were asked for.
 *
 * Values come back the same from every driver: `bigint` for int8, strings for numeric, `Date` for timestamptz and timestamp (read as UTC),
 * `YYYY-MM-DD` strings for date, `Uint8Array` for bytea, parsed json, arrays of these; any other type as the server's text.
 * Errors are this package's own (see `map-error.ts`).
 */
export interface SqlConnection {
  /** The server's process id of this session. */
  readonly processId: number
  /** Why the session can't be used any more; `undefined` while it can. */
  readonly failure: Error | undefined
  /** Whether a transaction was begun and not yet ended. */
  readonly inTransaction: boolean
  query<T extends Row = Row>(sql: string, params?: readonly unknown[], options?: CallOptions): Promise<SqlResult<T>>
  /** Runs statements without parameters that are separated by semicolons; results are dropped. */
  runScript(sql: string, options?: CallOptions): Promise<void>
  /** One statement for many parameter lists, pipelined and all or nothing. Returns the rows changed. */
  executeMany(sql: string, paramsList: readonly (readonly unknown[])[], options?: CallOptions): Promise<number>
  /** Reads through a cursor, batch by batch. Leaving the loop early ends the query. */
  stream<T extends Row = Row>(sql: string, params?: readonly unknown[], options?: SqlStreamOptions): AsyncIterable<T[]>
  /** Sends `source` as the data of a `COPY … FROM STDIN`. Returns how many rows the server says it stored: triggers may have taken some away. */
  copyIn(sql: string, source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, options?: CallOptions): Promise<number>
  /** @param how what follows `BEGIN`: `read only`, `isolation level serializable` */
  begin(options?: CallOptions & { how?: string | undefined }): Promise<void>
  /** @throws TimescaleOperationError `ERR_TIMESCALEDB_TRANSACTION_FAILED` when an earlier failure made the server roll back instead */
  commit(options?: CallOptions): Promise<void>
  rollback(options?: CallOptions): Promise<void>
  /** Ends the session once its statement is done, or at once after a while. Never throws. */
  close(): Promise<void>
  /** Drops the session now; the server rolls back what it was doing. */
  destroy(reason?: Error): void
}

/** Opens connections with one client library. */
export interface SqlDriver {
  readonly name: string
  /** @throws TimescaleConnectionError, TimescaleTimeoutError, TimescaleConfigurationError (the library isn't installed) */
  connect(options: SqlConnectionOptions): Promise<SqlConnection>
}
