import { type CallOptions, OperationError, type Row, type StorageInterface, type TableDefinition, type Transaction, ValidationError } from '@smart-whale/interfaces'
import type { AdapterOptions } from '../adapter/http-adapter.ts'
import { createAdapter } from '../create-adapter.ts'
import type { ClickHouseAdapter, QueryParams } from '../adapter-options.ts'
import type { ClickHouseConfig, ClickHouseOptions } from '../clickhouse-config.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { createTable } from './create-table.ts'
import { parseInsert } from './parse-insert.ts'

/**
 * ClickHouse behind the storage contract that every store of the family keeps: positional parameters, rows as objects.
 *
 * It has no transactions and no hypertables; `executeMany` takes `INSERT … VALUES ($1, …)` only, whose lists are stored as
 * one block. For all that is ClickHouse's own, `adapter` is there.
 */
export class ClickHouseStorage implements StorageInterface {
  readonly #connect: () => ClickHouseAdapter
  #adapter: ClickHouseAdapter | null = null

  constructor(config: ClickHouseOptions | ClickHouseConfig = {}, options: AdapterOptions = {}) {
    this.#connect = () => createAdapter(config, options)
  }

  /** The adapter underneath. @throws OperationError `ERR_CLICKHOUSE_CLOSED` while not connected */
  get adapter(): ClickHouseAdapter {
    if (this.#adapter) return this.#adapter
    throw new OperationError<ClickHouseErrorCode>('the ClickHouse storage is not connected; call connect() first', { code: 'ERR_CLICKHOUSE_CLOSED' })
  }

  /** Opens the connection and checks that the server answers. */
  async connect(): Promise<void> {
    if (this.#adapter) return
    const adapter = this.#connect()
    try {
      await adapter.connect()
      this.#adapter ??= adapter
    } finally {
      if (this.#adapter !== adapter) await adapter.close()
    }
  }

  /** Ends what runs and closes every socket. */
  async disconnect(): Promise<void> {
    const adapter = this.#adapter
    this.#adapter = null
    await adapter?.close()
  }

  /** Whether `connect` has succeeded and `disconnect` was not called since. */
  isConnected(): boolean {
    return this.#adapter !== null
  }

  /** Runs one statement. */
  async execute<T extends Row = Row>(query: string, params: readonly unknown[] = [], options: CallOptions = {}): Promise<T[]> {
    return (await this.adapter.execute<T>(query, byPosition(params), options)).rows
  }

  /** Stores the lists of an `INSERT … VALUES ($1, …)` as one block: all of them or none. */
  async executeMany(query: string, paramsList: readonly (readonly unknown[])[], options: CallOptions = {}): Promise<number> {
    const adapter = this.adapter
    const insert = parseInsert(query)
    if (!insert) {
      throw new OperationError<ClickHouseErrorCode>('executeMany takes only INSERT INTO table (columns) VALUES ($1, …): ClickHouse runs nothing else for many parameter lists at once', {
        code: 'ERR_CLICKHOUSE_UNSUPPORTED',
        status: 400,
      })
    }
    const rows = paramsList.map((params, index) => insert.rowOf(params, index))
    return (await adapter.insert(insert.table, rows, options)).rows
  }

  /** Always refused. @throws OperationError `ERR_CLICKHOUSE_UNSUPPORTED` */
  async beginTransaction(): Promise<Transaction> {
    throw unsupported('transactions', 'write what belongs together in one insert: it is stored whole or not at all')
  }

  /** Always refused. @throws OperationError `ERR_CLICKHOUSE_UNSUPPORTED` */
  async withTransaction<T>(): Promise<T> {
    return this.beginTransaction() as Promise<never>
  }

  /** Makes a `MergeTree` table that honours deduplication tokens; one that is there already stays as it is. */
  async createTable(name: string, schema: TableDefinition, options: CallOptions = {}): Promise<void> {
    await createTable(this.adapter, name, schema, options)
  }

  /** Always refused. @throws OperationError `ERR_CLICKHOUSE_UNSUPPORTED` */
  async createHypertable(): Promise<void> {
    throw unsupported('hypertables', 'create the table with partitionBy instead')
  }

  /** Reads with bounded memory. */
  async *stream<T extends Row = Row>(query: string, params: readonly unknown[] = [], options: CallOptions = {}): AsyncIterable<T> {
    yield* this.adapter.stream<T>(query, byPosition(params), options)
  }
}

function byPosition(params: readonly unknown[]): QueryParams {
  return Object.fromEntries(params.map((value, index) => [`$${index + 1}`, checked(value, index)]))
}

function checked(value: unknown, index: number): unknown {
  if (!(value instanceof Uint8Array)) return value
  throw new ValidationError<ClickHouseErrorCode>('ClickHouse has no type for bytes, and a String would come back as text: bind them as hexadecimal or base64 text', {
    code: 'ERR_CLICKHOUSE_PARAMETER',
    issues: [{ path: ['params', index], message: 'must be text, found bytes' }],
  })
}

function unsupported(what: string, remedy: string): OperationError<ClickHouseErrorCode> {
  return new OperationError(`ClickHouse has no ${what}; ${remedy}`, { code: 'ERR_CLICKHOUSE_UNSUPPORTED', status: 400 })
}
