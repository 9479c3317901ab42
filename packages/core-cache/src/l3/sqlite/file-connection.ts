import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { persistentError } from '../../errors.ts'

/** An open file: its statements, made once, and one transaction that writes gather in. */
export class FileConnection {
  readonly #onRollBack: () => void
  #database: DatabaseSync | undefined
  #statements = new Map<string, StatementSync>()
  #isInTransaction = false

  /** @param onRollBack told that what was counted of the transaction's writes isn't so any more */
  constructor(onRollBack: () => void) {
    this.#onRollBack = onRollBack
  }

  get isOpen(): boolean {
    return this.#database !== undefined
  }

  get isInTransaction(): boolean {
    return this.#isInTransaction
  }

  use(database: DatabaseSync): void {
    this.#database = database
  }

  close(): void {
    const database = this.#database
    this.#database = undefined
    this.#statements = new Map()
    this.#isInTransaction = false
    database?.close()
  }

  run(sql: string): void {
    this.#opened.exec(sql)
  }

  statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const made = this.#opened.prepare(sql)
    this.#statements.set(sql, made)
    return made
  }

  begin(): void {
    if (this.#isInTransaction) return
    this.run('begin immediate')
    this.#isInTransaction = true
  }

  commit(): void {
    if (!this.#isInTransaction) return
    try {
      this.run('commit')
      this.#isInTransaction = false
    } catch (error) {
      this.rollBack()
      throw error
    }
  }

  rollBack(): void {
    if (!this.#isInTransaction) return
    this.#isInTransaction = false
    try {
      this.run('rollback')
      this.#onRollBack()
    } catch {
      // SQLite has rolled it back by itself, or the file is broken: the next request finds out.
    }
  }

  get #opened(): DatabaseSync {
    if (this.#database === undefined) throw persistentError('be used before it is open', undefined)
    return this.#database
  }
}
