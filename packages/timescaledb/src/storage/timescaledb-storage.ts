import { type CallOptions, type Clock, type ColumnBatch, type Logger, type MetricsSink, type Policy, type Row, silentLogger, systemClock, type TableDefinition } from '@smart-whale/interfaces'
import { withDeadline } from '@smart-whale/core-resilience'
import type { TimescaleCapabilities } from '../capabilities.ts'
import { bulkInsert, chooseColumns, insertColumns } from '../copy/bulk-insert.ts'
import { describeTable, refuseAltered, type TargetTable } from '../copy/describe-table.ts'
import { PartitionManager } from '../partitions/partition-manager.ts'
import { isPartitionMissing, partitionMissingError } from '../partitions/partition-missing.ts'
import type { ConnectionPool, PooledConnection } from '../pool/connection-pool.ts'
import { quoteIdentifier, quoteTable } from '../quote-identifier.ts'
import type { SqlConnection, SqlResult } from '../sql-driver.ts'
import type { BulkInsertOptions, InsertColumnsOptions, TimescaleCallOptions, TimescaleStorage } from '../timescale-storage.ts'
import { CallBudget } from './call-budget.ts'
import { createTableStatement } from './create-table.ts'
import { createDefaultPolicies, type StoragePolicies } from './default-policy.ts'
import { makingRoom } from './make-room.ts'
import { inOwnTransaction } from './own-transaction.ts'
import { PooledTransaction } from './pooled-transaction.ts'
import { isAltered, mayBeStale, rememberEncoding, TableDescriptions, wasChecked } from './table-descriptions.ts'

/** A table that was made again may lack partitions and have columns of other types: each of the two is found out by an attempt. */
const MOST_ATTEMPTS = 3

/** What a storage works with besides its pool. */
export interface TimescaleDBStorageOptions {
  /** Guards every call; `false` for none. @default three attempts for what is harmless to repeat, behind a breaker */
  policy?: Policy | false | undefined
  /** Where dropped transactions are reported. @default silentLogger */
  logger?: Logger | undefined
  /** Where retries and the breaker are measured. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Length of a partition where {@link TimescaleDBStorage.createHypertable} names none. @default '7 days' */
  chunkInterval?: string | undefined
}

/** PostgreSQL, with TimescaleDB or without, as a store. */
export class TimescaleDBStorage implements TimescaleStorage {
  readonly pool: ConnectionPool
  /** The partitions of its tables. */
  readonly partitions: PartitionManager
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #policies: StoragePolicies
  readonly #tables = new TableDescriptions()

  constructor(pool: ConnectionPool, options: TimescaleDBStorageOptions = {}) {
    this.pool = pool
    this.#logger = options.logger ?? silentLogger
    this.#clock = options.clock ?? systemClock
    this.#policies = policiesOf(options)
    this.partitions = new PartitionManager(this, { clock: this.#clock, ...(options.chunkInterval === undefined ? {} : { chunkInterval: options.chunkInterval }) })
  }

  /** Opens a first connection and learns what the server can do. */
  async connect(): Promise<void> {
    await this.#policies.reads.execute((context) => this.pool.initialize(context))
  }

  async disconnect(): Promise<void> {
    await this.pool.close()
  }

  isConnected(): boolean {
    return this.pool.isInitialized
  }

  async capabilities(): Promise<TimescaleCapabilities> {
    return this.#policies.reads.execute((context) => this.pool.capabilities(context))
  }

  async query<T extends Row = Row>(sql: string, params: readonly unknown[] = [], options?: TimescaleCallOptions): Promise<SqlResult<T>> {
    return makingRoom(this.partitions, options?.signal, () => this.#run(options, (connection, bounds) => connection.query<T>(sql, params, bounds)))
  }

  async execute<T extends Row = Row>(sql: string, params: readonly unknown[] = [], options?: TimescaleCallOptions): Promise<T[]> {
    return (await this.query<T>(sql, params, options)).rows
  }

  async executeMany(sql: string, paramsList: readonly (readonly unknown[])[], options?: CallOptions): Promise<number> {
    return makingRoom(this.partitions, options?.signal, () => this.#run(options, (connection, bounds) => connection.executeMany(sql, paramsList, bounds)))
  }

  async runScript(script: string, options?: CallOptions): Promise<void> {
    await this.#run(options, (connection, bounds) => connection.runScript(script, bounds))
  }

  async *stream<T extends Row = Row>(sql: string, params: readonly unknown[] = [], options?: TimescaleCallOptions): AsyncGenerator<T, void, undefined> {
    const budget = new CallBudget(options, this.#clock)
    using held = await this.#acquire(options, budget)
    for await (const rows of held.connection.stream<T>(sql, params, budget.left(options?.signal))) yield* rows
  }

  async beginTransaction(options?: CallOptions): Promise<PooledTransaction> {
    const budget = new CallBudget(options, this.#clock)
    // What bounds the beginning doesn't bound what is done with it.
    return this.#begin(options, budget, new CallBudget(undefined, this.#clock), undefined)
  }

  async withTransaction<T>(work: (transaction: PooledTransaction) => Promise<T>, options?: CallOptions): Promise<T> {
    const budget = new CallBudget(options, this.#clock)
    const transaction = await this.#begin(options, budget, budget, options?.signal)
    try {
      const result = await this.#withinTime(transaction, work, budget.left(options?.signal))
      await transaction.commit()
      return result
    } catch (error) {
      if (transaction.isOpen) await transaction.rollback().catch(() => {})
      throw error
    }
  }

  async createTable(name: string, schema: TableDefinition, options?: CallOptions): Promise<void> {
    await this.execute(createTableStatement(name, schema), [], options)
  }

  /** A hypertable, or on plain PostgreSQL a table cut into native partitions that are made as rows need them. */
  async createHypertable(table: string, timeColumn: string, options: CallOptions & { chunkInterval?: string } = {}): Promise<void> {
    quoteTable(table)
    quoteIdentifier(timeColumn, 'timeColumn')
    await this.partitions.partitionByTime(table, timeColumn, { signal: options.signal, ...(options.chunkInterval === undefined ? {} : { chunkInterval: options.chunkInterval }) })
  }

  /**
   * Stores rows by binary COPY, checked before anything is sent; partitions that they need are made first.
   * Within a transaction of the caller's, `partitions.ensureForRows` is the caller's to call before it begins.
   *
   * @throws TimescaleValidationError naming row and column
   */
  async bulkInsert(table: string, rows: readonly Row[], options: BulkInsertOptions = {}): Promise<number> {
    const { transaction, ...rest } = options
    if (transaction) return transaction.bulkInsert(table, rows, rest)
    if (rows.length === 0) return 0
    const budget = new CallBudget(options, this.#clock)
    for (let attempt = 1; ; attempt++) {
      const described = this.#tables.known(table)
      try {
        return await this.#insertAlone(table, rows, options, budget)
      } catch (error) {
        if (attempt === MOST_ATTEMPTS || !(await this.#mayGoBetter(error, table, described, options))) throw error
      }
    }
  }

  /** Makes room, and stores in a transaction of its own: a table that is not what the rows were encoded for is noticed before they count. */
  async #insertAlone(table: string, rows: readonly Row[], options: BulkInsertOptions, budget: CallBudget): Promise<number> {
    await this.partitions.ensureForRows(table, rows, { signal: options.signal })
    return this.#run({ ...options, ...budget.left(options.signal) }, (connection, { signal }) => {
      const bounds = (): CallOptions => budget.left(signal)
      return inOwnTransaction(connection, bounds, () => this.#insert(connection, table, rows, { ...options, ...bounds() }))
    })
  }

  /** Whether an insert that failed, and left nothing behind, was made for what is no longer so. */
  async #mayGoBetter(error: unknown, table: string, described: TargetTable | undefined, { signal }: CallOptions): Promise<boolean> {
    // A partition was dropped after it was last seen; the next attempt looks again.
    if (isPartitionMissing(error)) this.partitions.forget(table)
    if (isPartitionMissing(error) || isAltered(error)) return true
    if (described === undefined || wasChecked(error) || !mayBeStale(error)) return false
    // The first failure says more than one to ask why.
    const fresh = await this.#run({ signal }, (connection, bounds) => this.#tables.get(table, () => describeTable(connection, table, bounds))).catch(() => described)
    return fresh.shape !== described.shape
  }

  /** In a transaction. */
  async #insert(connection: SqlConnection, table: string, rows: readonly Row[], options: BulkInsertOptions): Promise<number> {
    if (rows.length === 0) return 0
    const describe = (): Promise<TargetTable> => describeTable(connection, table, options)
    const send = (target: TargetTable): Promise<number> => this.#checked(connection, table, target, options, () => this.#send(connection, target, rows, options))
    const target = await this.#tables.get(table, describe)
    try {
      return await send(target)
    } catch (error) {
      // After a refusal by the server a transaction takes no more questions.
      if (!wasChecked(error)) throw error
      const fresh = await this.#tables.get(table, describe)
      if (fresh.shape === target.shape) throw error
      return send(fresh)
    }
  }

  /** In a transaction: with a description that is out of date it fails, and the next attempt has another one. */
  async #insertColumns(connection: SqlConnection, table: string, batch: ColumnBatch, options: InsertColumnsOptions): Promise<number | null> {
    if (batch.rows === 0) return 0
    const target = await this.#tables.get(table, () => describeTable(connection, table, options))
    return this.#checked(connection, table, target, options, () => insertColumns(connection, target, batch, options.columns, { signal: options.signal, timeoutMs: options.timeoutMs }))
  }

  /** An insert, and as long as it can be taken back, whether the table was what it was encoded for. */
  async #checked<T>(connection: SqlConnection, table: string, target: TargetTable, { signal, timeoutMs }: CallOptions, insert: () => Promise<T>): Promise<T> {
    try {
      const result = await insert()
      await refuseAltered(connection, target, { signal, timeoutMs })
      return result
    } catch (error) {
      rememberEncoding(error, target)
      this.#learnFrom(error, table)
      throw error
    }
  }

  /** Forgets what a failed insert shows to be no longer so. @throws TimescaleOperationError in place of the error, for a partition that is missing */
  #learnFrom(error: unknown, table: string): void {
    if (mayBeStale(error)) this.#tables.forget(table)
    if (!isPartitionMissing(error)) return
    this.partitions.forget(table)
    throw partitionMissingError(table, error)
  }

  #send(connection: SqlConnection, target: TargetTable, rows: readonly Row[], options: BulkInsertOptions): Promise<number> {
    const columns = chooseColumns(target, rows, options.columns)
    return bulkInsert(connection, { target, columns, rows, onConflict: options.onConflict ?? 'error' }, { signal: options.signal, timeoutMs: options.timeoutMs })
  }

  /** Runs one thing on a connection of the pool, within the call's time, under the policy. */
  #run<T>(options: TimescaleCallOptions | undefined, work: (connection: SqlConnection, bounds: CallOptions) => Promise<T>): Promise<T> {
    const budget = new CallBudget(options, this.#clock)
    const policy = options?.readOnly ? this.#policies.reads : this.#policies.writes
    return policy.execute(
      async ({ signal }) => {
        using held = await this.#hold(options, budget, signal)
        return await work(held.connection, budget.left(signal))
      },
      { signal: options?.signal },
    )
  }

  #acquire(options: TimescaleCallOptions | undefined, budget: CallBudget): Promise<PooledConnection> {
    return this.#policies.reads.execute(({ signal }) => this.#hold(options, budget, signal), { signal: options?.signal })
  }

  #hold(options: TimescaleCallOptions | undefined, budget: CallBudget, signal: AbortSignal): Promise<PooledConnection> {
    return this.pool.getConnection({ readOnly: options?.readOnly ?? false, ...budget.leftWithin(this.pool.config.settings.acquireTimeoutMs, signal) })
  }

  /** @param beginning what bounds the wait for a connection and the BEGIN @param whole what bounds everything until the end */
  async #begin(options: CallOptions | undefined, beginning: CallBudget, whole: CallBudget, signal: AbortSignal | undefined): Promise<PooledTransaction> {
    return this.#policies.reads.execute(
      async (context) => {
        const held = await this.#hold(options, beginning, context.signal)
        try {
          await held.connection.begin(beginning.left(context.signal))
        } catch (error) {
          held.release()
          throw error
        }
        const inserts = { insert: this.#insert.bind(this), insertColumns: this.#insertColumns.bind(this) }
        return new PooledTransaction({ held, budget: whole, signal, logger: this.#logger, clock: this.#clock, ...inserts })
      },
      { signal: options?.signal },
    )
  }

  /** Work that outlives its deadline loses its transaction, even if it does something else at the time. */
  #withinTime<T>(transaction: PooledTransaction, work: (transaction: PooledTransaction) => Promise<T>, bounds: CallOptions): Promise<T> {
    if (bounds.timeoutMs === undefined) return work(transaction)
    return withDeadline(() => work(transaction), { timeoutMs: bounds.timeoutMs, signal: bounds.signal, what: 'the transaction', clock: this.#clock })
  }
}

function policiesOf({ policy, metrics, clock }: TimescaleDBStorageOptions): StoragePolicies {
  if (policy === undefined) return createDefaultPolicies({ metrics, clock })
  const one = policy || PLAIN
  return { reads: one, writes: one }
}

/** No policy at all. */
const PLAIN: Policy = { execute: (work, options) => work({ signal: options?.signal ?? new AbortController().signal }) }
