import type { Row, ValidationIssue } from '@smart-whale/interfaces'

/** A row that its store refused, and why. */
export interface RejectedRow {
  /** Index in the rows of the call. */
  readonly index: number
  /** What is wrong, by column where that is known. */
  readonly issues: readonly ValidationIssue[]
}

/** One call's rows within a batch. */
export interface BatchShare {
  /** Indexes in the call's rows, in the order of the batch. */
  readonly indexes: readonly number[]
  /** Where the share begins in the batch. */
  readonly offset: number
  resolve(rejected: readonly RejectedRow[]): void
  reject(error: unknown): void
}

/** Rows that are inserted as one. */
export interface StreamBatch {
  readonly table: string
  /** Makes a repeat of the insert harmless; undefined for a table that doesn't deduplicate, whose inserts are sent once. */
  readonly token: string | undefined
  readonly rows: readonly Row[]
  readonly bytes: number
  readonly shares: readonly BatchShare[]
}

/** Rows of several calls, put together until they are worth an insert. */
export class BatchBuilder {
  readonly #rows: Row[] = []
  readonly #shares: BatchShare[] = []
  #bytes = 0

  get rows(): number {
    return this.#rows.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Adds rows of one call. Resolves, once the batch is stored, to those that the store refused. */
  add(rows: readonly Row[], indexes: readonly number[], bytes: number): Promise<readonly RejectedRow[]> {
    const offset = this.#rows.length
    for (const row of rows) this.#rows.push(row)
    this.#bytes += bytes
    return new Promise((resolve, reject) => {
      this.#shares.push({ indexes, offset, resolve, reject })
    })
  }

  build(table: string, token: string | undefined): StreamBatch {
    return { table, token, rows: this.#rows, bytes: this.#bytes, shares: this.#shares }
  }
}

/** Tells each call of a batch which of its rows were refused. */
export function settleBatch(batch: StreamBatch, refused: ReadonlyMap<number, readonly ValidationIssue[]>): void {
  for (const { indexes, offset, resolve } of batch.shares) {
    const rejected = indexes.flatMap((index, place) => {
      const issues = refused.get(offset + place)
      return issues === undefined ? [] : [{ index, issues }]
    })
    resolve(rejected)
  }
}

/** Tells each call of a batch that nobody knows whether its rows were stored. */
export function failBatch(batch: StreamBatch, error: unknown): void {
  for (const { reject } of batch.shares) reject(error)
}
