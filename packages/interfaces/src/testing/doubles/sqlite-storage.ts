import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { abortedError, ConnectionError, OperationError, TimeoutError, ValidationError } from '../../errors.ts'
import type { CallOptions, Row, StorageInterface, TableDefinition, Transaction } from '../../storage.ts'
import type { StorageSubject } from '../storage-subject.ts'

/** A small storage over SQLite that keeps the whole contract, to try the suite on without a server. */
export class SqliteStorage implements StorageInterface {
  readonly file = join(tmpdir(), `smart-whale-double-${randomUUID()}.sqlite`)
  #database: DatabaseSync | undefined
  readonly #transactions = new Set<SqliteTransaction>()

  async connect(): Promise<void> {
    this.#database ??= openDatabase(this.file)
  }

  async disconnect(): Promise<void> {
    for (const transaction of this.#transactions) await transaction[Symbol.asyncDispose]()
    this.#database?.close()
    this.#database = undefined
    for (const suffix of ['', '-wal', '-shm']) rmSync(this.file + suffix, { force: true })
  }

  isConnected(): boolean {
    return this.#database !== undefined
  }

  async execute<T extends Row = Row>(query: string, params: readonly unknown[] = [], options: CallOptions = {}): Promise<T[]> {
    const database = this.#connected()
    await passTimeOf(query, options)
    return run<T>(database, query, params)
  }

  async executeMany(query: string, paramsList: readonly (readonly unknown[])[], options: CallOptions = {}): Promise<number> {
    return this.withTransaction((transaction) => transaction.executeMany(query, paramsList), options)
  }

  async beginTransaction(options: CallOptions = {}): Promise<Transaction> {
    this.#connected()
    await passTimeOf('', options)
    const transaction = new SqliteTransaction(openDatabase(this.file), () => this.#transactions.delete(transaction))
    this.#transactions.add(transaction)
    return transaction
  }

  async withTransaction<T>(work: (transaction: Transaction) => Promise<T>, options: CallOptions = {}): Promise<T> {
    await using transaction = await this.beginTransaction(options)
    const result = await work(transaction)
    await transaction.commit()
    return result
  }

  async createTable(name: string, { columns, primaryKey = [] }: TableDefinition): Promise<void> {
    const parts = Object.entries(columns).map(([column, type]) => `${quote(column)} ${type}`)
    if (parts.length === 0) throw new ValidationError('a table needs a column')
    if (primaryKey.length > 0) parts.push(`primary key (${primaryKey.map(quote).join(', ')})`)
    run(this.#connected(), `create table ${quote(name)} (${parts.join(', ')})`, [])
  }

  async createHypertable(): Promise<void> {
    throw new OperationError('SQLite has no hypertables')
  }

  async *stream<T extends Row = Row>(query: string, params: readonly unknown[] = [], options: CallOptions = {}): AsyncIterable<T> {
    await passTimeOf(query, options)
    const statement = prepare(this.#connected(), query)
    const types = columnTypes(statement)
    for (const row of statement.iterate(...bind(query, params))) {
      if (options.signal?.aborted) throw abortedError('the stream', options.signal)
      yield decode<T>(row as Row, types)
    }
  }

  #connected(): DatabaseSync {
    if (this.#database === undefined) throw new ConnectionError('the storage is not connected; call connect first')
    return this.#database
  }
}

class SqliteTransaction implements Transaction {
  readonly #database: DatabaseSync
  readonly #onEnd: () => void
  #ended = false

  constructor(database: DatabaseSync, onEnd: () => void) {
    this.#database = database
    this.#onEnd = onEnd
    database.exec('begin')
  }

  async execute<T extends Row = Row>(query: string, params: readonly unknown[] = []): Promise<T[]> {
    return run<T>(this.#open(), query, params)
  }

  async executeMany(query: string, paramsList: readonly (readonly unknown[])[]): Promise<number> {
    const database = this.#open()
    for (const params of paramsList) run(database, query, params)
    return paramsList.length
  }

  async commit(): Promise<void> {
    this.#end('commit')
  }

  async rollback(): Promise<void> {
    this.#end('rollback')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#end('rollback')
  }

  #open(): DatabaseSync {
    if (this.#ended) throw new OperationError('the transaction has ended')
    return this.#database
  }

  #end(how: 'commit' | 'rollback'): void {
    this.#open().exec(how)
    this.#ended = true
    this.#database.close()
    this.#onEnd()
  }
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = wal; pragma synchronous = off')
  return database
}

/** `slow_statement(n)` stands for work on a server that takes n seconds and can be stopped. */
async function passTimeOf(query: string, { signal, timeoutMs = Infinity }: CallOptions): Promise<void> {
  if (signal?.aborted) throw abortedError('the statement', signal)
  const seconds = /slow_statement\((\d+)\)/.exec(query)?.[1]
  if (seconds === undefined) return
  const takesMs = Number(seconds) * 1000
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => (takesMs > timeoutMs ? reject(new TimeoutError(`the statement took longer than ${timeoutMs} ms`)) : resolve()),
      Math.min(takesMs, timeoutMs),
    )
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(abortedError('the statement', signal))
    })
  })
}

function prepare(database: DatabaseSync, query: string): StatementSync {
  try {
    const statement = database.prepare(query.replace(/slow_statement\(\d+\)/, '1'))
    statement.setReadBigInts(true)
    return statement
  } catch (cause) {
    throw new OperationError(`the statement was refused: ${(cause as Error).message}`, { cause })
  }
}

function run<T extends Row>(database: DatabaseSync, query: string, params: readonly unknown[]): T[] {
  const statement = prepare(database, query)
  const types = columnTypes(statement)
  const values = bind(query, params)
  try {
    return statement.all(...values).map((row) => decode<T>(row as Row, types))
  } catch (cause) {
    throw new OperationError(`the statement failed: ${(cause as Error).message}`, { cause })
  }
}

function columnTypes(statement: StatementSync): Map<string, string | null> {
  return new Map(statement.columns().map((column) => [column.name, column.type]))
}

/** SQLite would take a missing parameter for null. */
function bind(query: string, params: readonly unknown[]): [Record<string, SQLInputValue>] {
  const outsideOfTexts = query.replaceAll(/'[^']*'/g, '')
  const named: Record<string, SQLInputValue> = {}
  for (const [name, position] of outsideOfTexts.matchAll(/\$(\d+)/g)) {
    const index = Number(position) - 1
    if (index >= params.length) throw new ValidationError(`parameter ${name} is missing`)
    named[name] = encode(params[index])
  }
  return [named]
}

function encode(value: unknown): SQLInputValue {
  if (value instanceof Date) return BigInt(value.getTime())
  if (typeof value === 'boolean') return value ? 1n : 0n
  return value as SQLInputValue
}

function decode<T extends Row>(row: Row, types: Map<string, string | null>): T {
  const decoded: Row = {}
  for (const [name, value] of Object.entries(row)) decoded[name] = decodeValue(value, types.get(name))
  return decoded as T
}

function decodeValue(value: unknown, type: string | null | undefined): unknown {
  if (type === 'TIME_INTEGER') return new Date(Number(value))
  if (type === 'BOOLEAN_INTEGER') return value === 1n
  return value
}

function quote(name: string): string {
  if (name === '' || name.includes('\0') || name.length > 200) throw new ValidationError('that is no name', { issues: [{ path: ['name'], message: 'is no name' }] })
  return `"${name.replaceAll('"', '""')}"`
}

/** The subject that the suite runs on; `create` may be replaced by one that breaks a promise. */
export function sqliteSubject(create: () => StorageInterface = () => new SqliteStorage()): StorageSubject {
  return {
    create: async () => create(),
    can: { transactions: true, hypertables: false, streaming: true },
    sql: {
      types: {
        bigint: 'integer',
        text: 'text not null',
        nullableText: 'text',
        decimal: 'text',
        timestamp: 'TIME_INTEGER',
        boolean: 'BOOLEAN_INTEGER',
        float: 'real',
        bytes: 'blob',
      },
      slow: (seconds) => `select slow_statement(${seconds}) as n`,
      series: (count) => `with recursive series(n) as (select 0 union all select n + 1 from series where n + 1 < ${count}) select n from series`,
    },
  }
}
