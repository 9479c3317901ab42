import type { CallOptions } from '@smart-whale/interfaces'
import type { SqlConnection } from '../sql-driver.ts'

/** How long the rollback of a transaction may take, before its session is dropped. */
export const ROLLBACK_MS = 5_000

/** Runs work in a transaction that ends with it: what fails leaves nothing behind. `bounds` is asked before each step. */
export async function inOwnTransaction<T>(connection: SqlConnection, bounds: () => CallOptions, work: () => Promise<T>): Promise<T> {
  await connection.begin(bounds())
  try {
    const result = await work()
    await connection.commit(bounds())
    return result
  } catch (error) {
    // A session that can't roll back is dropped as it goes back to the pool, which comes to the same.
    if (connection.inTransaction) await connection.rollback({ timeoutMs: ROLLBACK_MS }).catch(() => {})
    throw error
  }
}
