import { type CallOptions, InfrastructureError, ValidationError } from '@smart-whale/interfaces'
import { refuseAltered, type TableReader, type TargetTable } from '../copy/describe-table.ts'

/** Tables beyond this are forgotten, oldest first. */
const MOST_TABLES = 500

/** What the columns of tables are, asked once and forgotten when a write shows that it is no longer so. */
export class TableDescriptions {
  readonly #known = new Map<string, TargetTable>()

  async get(table: string, read: () => Promise<TargetTable>): Promise<TargetTable> {
    const known = this.#known.get(table)
    if (known) return known
    const described = await read()
    const [oldest] = this.#known.keys()
    if (this.#known.size >= MOST_TABLES && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(table, described)
    return described
  }

  /** As it was described last; `undefined` when that is not known. */
  known(table: string): TargetTable | undefined {
    return this.#known.get(table)
  }

  forget(table: string): void {
    this.#known.delete(table)
  }
}

/**
 * SQLSTATEs of a table that is not, or no longer, as described: gone, a column gone, other types. Bytes that were made for another type
 * may be anything to the server: a value that doesn't fit (22), one that is too large (54), or what it has no name for (XX).
 */
const STALE = /^(42P01|42703|42804|42P10|08P01|22...|54...|XX...)$/

/** Whether a failure may come from a description that is out of date: said by the server, or by our own check of the rows. */
export function mayBeStale(error: unknown): boolean {
  if (!InfrastructureError.isInstance(error)) return false
  return wasChecked(error) || isAltered(error) || STALE.test(String(error.context['sqlState']))
}

/** Whether the table was found to be another one than the rows were encoded for, before they counted. */
export function isAltered(error: unknown): boolean {
  return InfrastructureError.isInstance(error) && error.code === 'ERR_TIMESCALEDB_TABLE_ALTERED'
}

/** Whether our own check refused the rows, so that the server has seen nothing of them. */
export function wasChecked(error: unknown): boolean {
  if (!InfrastructureError.isInstance(error) || error.context['sqlState'] !== undefined) return false
  return error.code === 'ERR_TIMESCALEDB_INPUT' || error.code === 'ERR_TIMESCALEDB_DATA'
}

/** What the rows of a refusal were encoded for. */
const encodedFor = new WeakMap<Error, TargetTable>()

/** Remembers what refused rows were encoded for, where the refusal may come of that alone. A constraint refuses rows that were read. */
export function rememberEncoding(error: unknown, target: TargetTable): void {
  if (ValidationError.isInstance(error) && mayBeStale(error) && !wasChecked(error)) encodedFor.set(error, target)
}

/**
 * Rows are to blame for a refusal only if their table still is what they were encoded for. A transaction takes no questions after a refusal: to be
 * asked when it is rolled back, at least as far as a savepoint.
 *
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_TABLE_ALTERED` when the table was altered
 */
export async function refuseStaleRefusal(error: unknown, reader: TableReader, options: CallOptions): Promise<void> {
  const target = error instanceof Error ? encodedFor.get(error) : undefined
  if (target !== undefined) await refuseAltered(reader, target, options)
}
