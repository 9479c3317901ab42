import { InfrastructureError } from '@smart-whale/interfaces'
import type { PartitionManager } from '../partitions/partition-manager.ts'
import { isPartitionMissing } from '../partitions/partition-missing.ts'

/** More would be a loop that gets nowhere: each attempt makes at least one partition. */
const MOST_ATTEMPTS = 100

/**
 * Runs a statement again for as long as it lacks partitions that can be made. A statement that failed for the lack of one
 * has stored nothing, so it can be repeated.
 */
export async function makingRoom<T>(partitions: PartitionManager, signal: AbortSignal | undefined, statement: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await statement()
    } catch (error) {
      const row = isPartitionMissing(error) ? findRow(error) : undefined
      if (!row || attempt === MOST_ATTEMPTS) throw error
      partitions.forget(row.table)
      await partitions.ensureForRows(row.table, [{ [row.column]: row.time }], { signal })
    }
  }
}

/** The server names the table, the column and the time that no partition holds. */
function findRow(error: unknown): { table: string; column: string; time: string } | undefined {
  if (!InfrastructureError.isInstance(error)) return undefined
  const { detail, ...report } = (error.cause ?? {}) as Record<string, string | undefined>
  const schema = report['schema'] ?? report['schema_name']
  const table = report['table'] ?? report['table_name']
  const found = /^Partition key of the failing row contains \(("?)(.+)\1\) = \((.+)\)\.$/.exec(detail ?? '')
  if (!schema || !table || !found) return undefined
  // As ISO 8601: `2001-01-01 00:00:00+00`, or a day alone.
  const time = (found[3] as string).replace(' ', 'T').replace(/\+00$/, 'Z')
  return { table: `${schema}.${table}`, column: (found[2] as string).replaceAll('""', '"'), time }
}
