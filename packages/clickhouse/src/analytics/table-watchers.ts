/** Tells who listens which tables were written through it, or voided by name. */
export interface TableWatcher {
  /** @returns what ends the listening */
  watchTables(listener: (tables: readonly string[]) => void): () => void
}

/** Listeners of one service. */
export class TableWatchers implements TableWatcher {
  readonly #listeners = new Set<(tables: readonly string[]) => void>()

  watchTables(listener: (tables: readonly string[]) => void): () => void {
    // Of its own, so that one who listens twice stops twice.
    const own = (tables: readonly string[]): void => listener(tables)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** Listeners must not throw. */
  tell(tables: readonly string[]): void {
    for (const listener of this.#listeners) listener(tables)
  }
}
