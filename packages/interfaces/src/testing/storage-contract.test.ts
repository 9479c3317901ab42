import { describe, expect, it } from 'vitest'
import { ConnectionError } from '../errors.ts'
import type { CallOptions, Row, StorageInterface, Transaction } from '../storage.ts'
import { failuresOf } from './doubles/failures-of.ts'
import { SqliteStorage, sqliteSubject } from './doubles/sqlite-storage.ts'
import { storageContract } from './index.ts'

describe('storageContract on a storage that keeps it', () => {
  it.each(storageContract)('$name', ({ run }) => run(sqliteSubject()))
})

/** A storage that reads each value through `spoil`. */
class Spoiling extends SqliteStorage {
  readonly #spoil: (value: unknown) => unknown
  constructor(spoil: (value: unknown) => unknown) {
    super()
    this.#spoil = spoil
  }
  override async execute<T extends Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<T[]> {
    const rows = await super.execute<T>(query, params, options)
    return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, this.#spoil(value)])) as T)
  }
}

const spoiling = (spoil: (value: unknown) => unknown) => (): StorageInterface => new Spoiling(spoil)

class PartialMany extends SqliteStorage {
  override async executeMany(query: string, lists: readonly (readonly unknown[])[]): Promise<number> {
    for (const list of lists) await this.execute(query, list)
    return lists.length
  }
}

class DeafToOptions extends SqliteStorage {
  override execute<T extends Row>(query: string, params?: readonly unknown[]): Promise<T[]> {
    return super.execute(query, params)
  }
}

class PastingNames extends SqliteStorage {
  override async createTable(name: string, { columns }: { columns: Readonly<Record<string, string>> }): Promise<void> {
    const parts = Object.entries(columns).map(([column, type]) => `"${column}" ${type}`)
    for (const statement of `create table "${name}" (${parts.join(', ')})`.split(';')) await this.execute(statement).catch(() => [])
  }
}

class UntypedErrors extends SqliteStorage {
  override async execute<T extends Row>(query: string, params?: readonly unknown[], options?: CallOptions): Promise<T[]> {
    return super.execute<T>(query, params, options).catch((error: Error) => {
      throw new TypeError(error.message)
    })
  }
}

class ForgettingConnection extends SqliteStorage {
  override isConnected(): boolean {
    return false
  }
}

/** A storage whose transactions are changed by `change`. */
class ChangedTransactions extends SqliteStorage {
  readonly #change: (transaction: Transaction, storage: SqliteStorage) => Transaction
  constructor(change: (transaction: Transaction, storage: SqliteStorage) => Transaction) {
    super()
    this.#change = change
  }
  override async beginTransaction(options?: CallOptions): Promise<Transaction> {
    return this.#change(await super.beginTransaction(options), this)
  }
}

/** The transaction with some methods replaced. */
const changed = (change: (transaction: Transaction, storage: SqliteStorage) => Partial<Transaction>) => (): StorageInterface =>
  new ChangedTransactions((transaction, storage) => ({
    execute: (query, params) => transaction.execute(query, params),
    executeMany: (query, lists) => transaction.executeMany(query, lists),
    commit: () => transaction.commit(),
    rollback: () => transaction.rollback(),
    [Symbol.asyncDispose]: () => transaction[Symbol.asyncDispose](),
    ...change(transaction, storage),
  }))

class CommittingOnError extends SqliteStorage {
  override async withTransaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const transaction = await this.beginTransaction()
    try {
      return await work(transaction)
    } finally {
      await transaction.commit()
    }
  }
}

class WrappingErrors extends SqliteStorage {
  override async withTransaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return super.withTransaction(work).catch((cause: unknown) => {
      throw new ConnectionError('wrapped', { cause })
    })
  }
}

/** A stream whose rows are changed, dropped or doubled by `change`. */
const streaming = (change: (rows: AsyncIterable<Row>) => AsyncIterable<Row>) => (): StorageInterface =>
  new (class extends SqliteStorage {
    override stream<T extends Row>(query: string, params?: readonly unknown[], options?: CallOptions): AsyncIterable<T> {
      return change(super.stream(query, params, options)) as AsyncIterable<T>
    }
  })()

async function* withoutTheLast(rows: AsyncIterable<Row>): AsyncIterable<Row> {
  let held: Row | undefined
  for await (const row of rows) {
    if (held !== undefined) yield held
    held = row
  }
}

async function* withNumbers(rows: AsyncIterable<Row>): AsyncIterable<Row> {
  for await (const row of rows) yield { ...row, id: Number(row['id']) }
}

describe('storageContract on a storage that breaks it', () => {
  const broken: readonly [string, string, () => StorageInterface][] = [
    ['64-bit integers become numbers', 'keeps 64-bit integers', spoiling((value) => (typeof value === 'bigint' ? Number(value) : value))],
    ['decimals become numbers', 'keeps decimals', spoiling((value) => (typeof value === 'string' ? Number(value) : value))],
    ['times become strings', 'keeps times', spoiling((value) => (value instanceof Date ? value.toISOString() : value))],
    ['times lose their milliseconds', 'keeps times', spoiling((value) => (value instanceof Date ? new Date(Math.floor(+value / 1000) * 1000) : value))],
    ['texts are trimmed', 'keeps any text', spoiling((value) => (typeof value === 'string' ? value.trim() : value))],
    ['null becomes the empty text', 'tells null', spoiling((value) => value ?? '')],
    ['booleans become numbers', 'keeps booleans', spoiling((value) => (typeof value === 'boolean' ? Number(value) : value))],
    ['bytes become text', 'keeps bytes', spoiling((value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value))],
    ['executeMany stores a part', 'all or nothing', () => new PartialMany()],
    ['deadlines are ignored', 'fails with a TimeoutError', () => new DeafToOptions()],
    ['signals are ignored', 'ends early when its signal aborts', () => new DeafToOptions()],
    ['aborted signals are ignored', 'already aborted', () => new DeafToOptions()],
    ['names are pasted into SQL', 'break out of its quotes', () => new PastingNames()],
    ['impossible names are accepted', 'refuses names that no table', () => new PastingNames()],
    ['errors have no type', 'refuses wrong SQL', () => new UntypedErrors()],
    ['isConnected lies', 'connects and disconnects', () => new ForgettingConnection()],
    ['withTransaction commits on error', 'withTransaction rolls back', () => new CommittingOnError()],
    ['withTransaction wraps the error', 'the very error', () => new WrappingErrors()],
    ['a transaction is none', 'nobody sees it before', changed((_transaction, storage) => ({ execute: storage.execute.bind(storage) }))],
    ['rollback commits', 'rolls back all', changed((transaction) => ({ rollback: () => transaction.commit() }))],
    ['a second commit is accepted', 'refuses everything after commit', changed((transaction) => ({ commit: () => transaction.commit().catch(() => {}) }))],
    ['a dropped handle commits', 'dropped handle', changed((transaction) => ({ [Symbol.asyncDispose]: () => transaction.commit() }))],
    ['a stream loses a row', 'streams every row', streaming(withoutTheLast)],
    ['a stream has other types', 'the same types as execute', streaming(withNumbers)],
  ]

  it.each(broken)('notices that %s', async (_fault, only, create) => {
    const failed = await failuresOf(storageContract, () => sqliteSubject(create), only)

    expect(failed).toHaveLength(1)
  })

  it('notices a storage that claims to lack what it has', async () => {
    const subject = { ...sqliteSubject(), can: { transactions: false, hypertables: false, streaming: false } }

    expect(await failuresOf(storageContract, () => subject, 'says that it can’t where there are no')).toHaveLength(2)
  })
})
