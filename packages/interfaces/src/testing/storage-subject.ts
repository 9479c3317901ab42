import type { StorageInterface, TableDefinition } from '../storage.ts'
import { uniqueName, within } from './contract-case.ts'

/** The store's own type texts, as they stand in a column definition. */
export interface StorageTypes {
  readonly bigint: string
  readonly text: string
  readonly nullableText: string
  /** At least 30 digits with exactly 10 of them after the point, e.g. `numeric(38,10)`. */
  readonly decimal: string
  /** Milliseconds at least, from 1969 to 2199, e.g. `timestamptz`. */
  readonly timestamp: string
  readonly boolean: string
  /** IEEE 754, 64 bits. */
  readonly float: string
  /** Raw bytes; `null` when the store has no such type. */
  readonly bytes: string | null
}

/** What the suite has to know of the store's SQL. Everything else that it says is common to all. */
export interface StorageDialect {
  readonly types: StorageTypes
  /**
   * A statement that runs for at least `seconds` (at most 3 are asked for). What follows it is a comment.
   * PostgreSQL: `SELECT pg_sleep(3)`. ClickHouse: `SELECT sleepEachRow(0.1) FROM numbers(30) SETTINGS max_block_size = 1`.
   */
  slow(seconds: number): string
  /**
   * A query for the rows `n` = 0 … `count` − 1, ascending, that the store makes up as it goes. What follows it is a comment.
   * PostgreSQL: `SELECT generate_series(0, 9) AS n` (in `FROM` it would make all rows first).
   * ClickHouse: `SELECT number AS n FROM numbers(10) SETTINGS max_threads = 1`.
   */
  series(count: number): string
  /**
   * A query for one row with the column `n`: how many statements that contain `marker` run on the server right now, itself
   * not counted. Without it, that the server stops aborted work is not checked.
   */
  countRunning?(marker: string): string
}

/** A {@link StorageInterface} as `storageContract` checks it. */
export interface StorageSubject {
  /** A storage that isn't connected yet, over a database of the subject's own. Called once or more in each case. */
  create(): Promise<StorageInterface>
  /** Runs after each case, once it is disconnected. */
  dispose?(storage: StorageInterface): Promise<void>
  /** What the implementation can do. For what it can't, the suite checks the clear refusal. */
  readonly can: { readonly transactions: boolean; readonly hypertables: boolean; readonly streaming: boolean }
  readonly sql: StorageDialect
}

/** A connected storage for as long as `use` takes. */
export async function withStorage(subject: StorageSubject, use: (storage: StorageInterface) => Promise<void>): Promise<void> {
  const storage = await subject.create()
  try {
    await storage.connect()
    await use(storage)
  } finally {
    await within(30_000, 'disconnect', storage.disconnect())
    await subject.dispose?.(storage)
  }
}

/** A connected storage with a new table, which is dropped afterwards. */
export async function withTable(
  subject: StorageSubject,
  columns: TableDefinition['columns'],
  use: (storage: StorageInterface, table: string) => Promise<void>,
): Promise<void> {
  await withStorage(subject, async (storage) => {
    const table = uniqueName('contract')
    const [key] = Object.keys(columns)
    await storage.createTable(table, { columns, ...(key === undefined ? {} : { primaryKey: [key] }) })
    try {
      await use(storage, table)
    } finally {
      await storage.execute(`DROP TABLE ${table}`)
    }
  })
}

/** A table `(id, note)` with a connected storage. */
export function withNotes(subject: StorageSubject, use: (storage: StorageInterface, table: string) => Promise<void>): Promise<void> {
  const { bigint, text } = subject.sql.types
  return withTable(subject, { id: bigint, note: text }, use)
}

/** What can read and write: a storage or one of its transactions. */
type Executor = Pick<StorageInterface, 'execute'>

/** Adds a row to a table that {@link withNotes} made. */
export async function insertNote(executor: Executor, table: string, id: bigint, note: string): Promise<void> {
  await executor.execute(`INSERT INTO ${table} (id, note) VALUES ($1, $2)`, [id, note])
}

/** The notes in order of their ids. */
export async function notesOf(executor: Executor, table: string): Promise<unknown[]> {
  const rows = await executor.execute(`SELECT note FROM ${table} ORDER BY id`)
  return rows.map((row) => row['note'])
}
