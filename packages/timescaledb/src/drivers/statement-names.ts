const LIMIT = 200

/** Names of the statements that a session has prepared. Bounded: texts beyond the limit are not prepared. */
export class StatementNames {
  readonly #names = new Map<string, string>()
  #count = 0

  /** The statement's name, or `undefined` when it is not to be prepared. */
  nameOf(sql: string): string | undefined {
    const known = this.#names.get(sql)
    if (known !== undefined || this.#names.size >= LIMIT) return known
    const name = `smart_whale_${++this.#count}`
    this.#names.set(sql, name)
    return name
  }

  /** After a failure the next use prepares anew: the tables may have changed under the prepared statement. */
  forget(sql: string, _error: unknown): void {
    this.#names.delete(sql)
  }
}
