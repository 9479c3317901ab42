import type { CallOptions, Clock, ColumnBatch, Logger, Row } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import type { PooledConnection } from '../pool/connection-pool.ts'
import type { SqlConnection, SqlResult } from '../sql-driver.ts'
import type { BulkInsertOptions, InsertColumnsOptions, TimescaleTransaction } from '../timescale-storage.ts'
import type { CallBudget } from './call-budget.ts'
import { ROLLBACK_MS } from './own-transaction.ts'

/** What a transaction works with. */
export interface TransactionParts {
  readonly held: PooledConnection
  /** Bounds all of its statements together. */
  readonly budget: CallBudget
  readonly signal: AbortSignal | undefined
  readonly logger: Logger
  readonly clock: Clock
  insert(connection: SqlConnection, table: string, rows: readonly Row[], options: BulkInsertOptions): Promise<number>
  insertColumns(connection: SqlConnection, table: string, batch: ColumnBatch, options: InsertColumnsOptions): Promise<number | null>
}

type End = 'committed' | 'rolled back' | 'dropped'

/** The session of a transaction, apart from the handle: it must not keep the handle alive, whose loss is noticed. */
class TransactionSession {
  readonly parts: TransactionParts
  #end: End | undefined

  constructor(parts: TransactionParts) {
    this.parts = parts
  }

  get isOpen(): boolean {
    return this.#end === undefined
  }

  /** The connection, as long as the transaction is open. */
  use(): SqlConnection {
    if (this.#end === undefined) return this.parts.held.connection
    throw new TimescaleOperationError(`this transaction was ${this.#end} and can't be used any more; begin another one`, { code: 'ERR_TIMESCALEDB_TRANSACTION_ENDED' })
  }

  /** The bounds of one statement: its own, within those of the whole. */
  bounds(options: CallOptions | undefined): CallOptions {
    const { budget, signal } = this.parts
    const signals = [signal, options?.signal].filter((one) => one !== undefined)
    const both = signals.length > 1 ? AbortSignal.any(signals) : signals[0]
    return options?.timeoutMs === undefined ? budget.left(both) : budget.leftWithin(options.timeoutMs, both)
  }

  /** Ends it by `work`; whatever comes of it, the connection goes back. */
  async finish(end: End, work: (connection: SqlConnection) => Promise<void>): Promise<void> {
    const connection = this.use()
    this.#end = end
    try {
      await work(connection)
    } finally {
      this.parts.held.release()
    }
  }

  /** Rolls back what nobody ended, and says so. */
  async drop(why: string): Promise<void> {
    if (!this.isOpen) return
    this.parts.logger.warn({ processId: this.parts.held.connection.processId }, `a transaction was ${why} without commit or rollback; it is rolled back`)
    // A session that can't roll back is dropped as it goes back to the pool, which comes to the same.
    await this.finish('dropped', (connection) => connection.rollback({ timeoutMs: ROLLBACK_MS })).catch(() => {})
  }
}

const abandoned = new FinalizationRegistry<TransactionSession>((session) => void session.drop('lost'))

/** A transaction on a connection of the pool. It belongs to whoever began it. */
export class PooledTransaction implements TimescaleTransaction {
  readonly #session: TransactionSession

  constructor(parts: TransactionParts) {
    this.#session = new TransactionSession(parts)
    abandoned.register(this, this.#session, this.#session)
  }

  async query<T extends Row = Row>(sql: string, params: readonly unknown[] = [], options?: CallOptions): Promise<SqlResult<T>> {
    return this.#session.use().query<T>(sql, params, this.#session.bounds(options))
  }

  async execute<T extends Row = Row>(sql: string, params: readonly unknown[] = [], options?: CallOptions): Promise<T[]> {
    return (await this.query<T>(sql, params, options)).rows
  }

  async executeMany(sql: string, paramsList: readonly (readonly unknown[])[], options?: CallOptions): Promise<number> {
    return this.#session.use().executeMany(sql, paramsList, this.#session.bounds(options))
  }

  async runScript(script: string, options?: CallOptions): Promise<void> {
    await this.#session.use().runScript(script, this.#session.bounds(options))
  }

  async bulkInsert(table: string, rows: readonly Row[], options: Omit<BulkInsertOptions, 'transaction'> = {}): Promise<number> {
    return this.#session.parts.insert(this.#session.use(), table, rows, { ...options, ...this.#session.bounds(options) })
  }

  async insertColumns(table: string, batch: ColumnBatch, options: InsertColumnsOptions = {}): Promise<number | null> {
    return this.#session.parts.insertColumns(this.#session.use(), table, batch, { ...options, ...this.#session.bounds(options) })
  }

  async *stream<T extends Row = Row>(sql: string, params: readonly unknown[] = [], options?: CallOptions): AsyncGenerator<T, void, undefined> {
    for await (const rows of this.#session.use().stream<T>(sql, params, this.#session.bounds(options))) yield* rows
  }

  async commit(): Promise<void> {
    await this.#finish('committed', (connection) => connection.commit(this.#session.bounds(undefined)))
  }

  async rollback(): Promise<void> {
    await this.#finish('rolled back', (connection) => connection.rollback({ timeoutMs: ROLLBACK_MS }))
  }

  /** Rolls back and reports it, unless the transaction was ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    abandoned.unregister(this.#session)
    await this.#session.drop('left')
  }

  /** Whether it was neither committed nor rolled back. */
  get isOpen(): boolean {
    return this.#session.isOpen
  }

  async #finish(end: End, work: (connection: SqlConnection) => Promise<void>): Promise<void> {
    abandoned.unregister(this.#session)
    await this.#session.finish(end, work)
  }
}
