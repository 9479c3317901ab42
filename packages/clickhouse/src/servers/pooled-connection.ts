import type { CallOptions, ColumnBatch, Row } from '@smart-whale/interfaces'
import type { HttpAdapter } from '../adapter/http-adapter.ts'
import type { TableDescription } from '../adapter/table-columns.ts'
import type { ClickHouseAdapter, DownloadOptions, DownloadResult, InsertOptions, InsertResult, QueryOptions, QueryParams, QueryResult } from '../adapter-options.ts'
import { OperationalError } from '../operational-errors.ts'

/** One call's right to a connection: its queries go to one server, until it is given back. */
export interface ClickHouseConnection extends Pick<ClickHouseAdapter, 'execute' | 'stream' | 'download' | 'insert' | 'insertColumns'> {
  /** Counts from 1 within its pool. */
  readonly id: number
  /** Host and port of the server. */
  readonly server: string
}

/** A place at a server. Whose place it was, sends nothing through it any more. */
export class PooledConnection implements ClickHouseConnection {
  readonly id: number
  readonly server: string
  readonly #adapter: HttpAdapter
  readonly #giveUpPlace: () => void
  #isReleased = false

  constructor(id: number, server: string, adapter: HttpAdapter, giveUpPlace: () => void) {
    this.id = id
    this.server = server
    this.#adapter = adapter
    this.#giveUpPlace = giveUpPlace
  }

  execute<T extends Row = Row>(query: string, params?: QueryParams, options?: QueryOptions): Promise<QueryResult<T>> {
    return this.#held().execute<T>(query, params, options)
  }

  stream<T extends Row = Row>(query: string, params?: QueryParams, options?: QueryOptions): AsyncIterable<T> {
    return this.#held().stream<T>(query, params, options)
  }

  download(query: string, params: QueryParams | undefined, options: DownloadOptions): Promise<DownloadResult> {
    return this.#held().download(query, params, options)
  }

  insert(table: string, rows: readonly Row[], options?: InsertOptions): Promise<InsertResult> {
    return this.#held().insert(table, rows, options)
  }

  insertColumns(table: string, batch: ColumnBatch, options?: InsertOptions): Promise<InsertResult | null> {
    return this.#held().insertColumns(table, batch, options)
  }

  describeTable(table: string, options: CallOptions): Promise<TableDescription> {
    return this.#held().describeTable(table, options)
  }

  /** Gives the place back; may be called twice. */
  release(): void {
    this.#isReleased = true
    this.#giveUpPlace()
  }

  #held(): HttpAdapter {
    if (!this.#isReleased) return this.#adapter
    throw new OperationalError(`connection ${this.id} to ${this.server} was given back to its pool; ask the pool for another one`, { code: 'ERR_CLICKHOUSE_CLOSED', server: this.server, retryable: false })
  }
}
