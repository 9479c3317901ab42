import type { CallOptions } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { isRefusal } from '../server-refusal.ts'
import { quotedNameOf, type TableFacts } from './table-facts.ts'
import type { WorkTables } from './work-tables.ts'

/**
 * Takes a table, or one partition of it, as it is at this moment: a table beside it that has the same parts by hard links and never merges, so that what is
 * hashed is what is copied. Null for an engine that can't.
 */
export async function takeSnapshot(adapter: ClickHouseAdapter, table: TableFacts, partition: string | null, work: WorkTables, call: CallOptions): Promise<TableFacts | null> {
  if (!table.isMergeTree) return null
  const snapshot = { ...table, ...work.nameOf('backup') }
  const which = partition === null ? 'ALL' : `ID '${partition}'`
  try {
    await adapter.execute(`CREATE TABLE ${quotedNameOf(snapshot)} AS ${quotedNameOf(table)}`, {}, call)
    // Before it has rows: a merge would drop what has expired, or what another row replaces.
    await adapter.execute(`SYSTEM STOP MERGES ${quotedNameOf(snapshot)}`, {}, call)
    await adapter.execute(`ALTER TABLE ${quotedNameOf(snapshot)} ATTACH PARTITION ${which} FROM ${quotedNameOf(table)}`, {}, call)
    return snapshot
  } catch (error) {
    if (isRefusal(error)) return null
    throw error
  }
}
