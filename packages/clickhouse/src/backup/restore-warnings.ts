import type { CallOptions } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { splitTableName } from '../adapter/table-columns.ts'
import type { BackupManifest } from './manifest.ts'
import { findTable, quotedNameOf, type TableFacts } from './table-facts.ts'
import type { MissingViews } from './table-views.ts'

/** What a restore leaves as it is although it belongs to the table, what it can't bring back, and what it takes away. */
export async function warningsOfRestore(adapter: ClickHouseAdapter, table: string, manifest: BackupManifest, { made, left }: MissingViews, call: CallOptions): Promise<string[]> {
  const live = await findTable(adapter, table, call)
  const gone = new Set([...made, ...left].map(({ name }) => name))
  const filled = (live?.dependents ?? (isOf(manifest, table, adapter) ? manifest.dependents : [])).filter((view) => !gone.has(view))
  const warnings = [
    ...filled.map((view) => `view "${view}" is filled from "${table}" when rows are inserted: a restore inserts nothing, so what it holds stays as it is; fill it anew, or restore its table as well`),
    ...made.filter(({ isMaterialized }) => isMaterialized).map(({ name }) => `view "${name}" is missing and made again, for rows that are inserted from now on: a restore inserts nothing; fill it, or restore its table as well`),
    ...left.map(({ name }) => `view "${name}" was over "${table}" when it was backed up, and is missing; with the option views it is made again`),
  ]
  if (live === null) return warnings
  if (JSON.stringify(live.columns) !== JSON.stringify(manifest.columns)) {
    const what = manifest.partition === null ? 'the restored one has those of the backup' : 'a partition can only be put into a table of the same columns'
    warnings.push(`table "${table}" has other columns than when it was backed up: ${what}`)
  }
  const rows = await countRows(adapter, live, manifest.partition, call)
  const where = manifest.partition === null ? `table "${table}"` : `partition "${manifest.partition}" of "${table}"`
  if (rows > 0n) warnings.push(`${where} has ${rows} rows, which make place for the ${manifest.rows} of ${manifest.createdAt}`)
  return warnings
}

async function countRows(adapter: ClickHouseAdapter, table: TableFacts, partition: string | null, call: CallOptions): Promise<bigint> {
  const where = partition === null || !table.isMergeTree ? '' : ' WHERE _partition_id = {partition:String}'
  const { rows } = await adapter.execute<{ n: bigint }>(`SELECT count() AS n FROM ${quotedNameOf(table)}${where}`, where === '' ? {} : { partition }, call)
  return rows[0]?.n ?? 0n
}

function isOf({ database, table }: BackupManifest, name: string, adapter: ClickHouseAdapter): boolean {
  return splitTableName(name, adapter.database).join('.') === `${database}.${table}`
}
