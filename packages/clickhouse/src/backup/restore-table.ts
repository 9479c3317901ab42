import type { CallOptions, Logger } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { splitTableName } from '../adapter/table-columns.ts'
import { BackupError } from '../operational-errors.ts'
import type { BackupMethod } from './backup-method.ts'
import type { BackupProgress } from './backup-options.ts'
import type { BackupManifest, ManifestPartition } from './manifest.ts'
import { isRefusal } from '../server-refusal.ts'
import { contentOf, findTable, type PartitionContent, quotedNameOf, type TableFacts } from './table-facts.ts'
import { afterwards, dropTable, findLeftTables, type WorkTables } from './work-tables.ts'

/** What a restore needs. */
export interface TableRestore {
  readonly adapter: ClickHouseAdapter
  readonly method: BackupMethod
  readonly manifest: BackupManifest
  readonly base: BackupManifest | null
  readonly table: string
  readonly work: WorkTables
  /** Runs that began before this moment are over, wherever they ran. */
  readonly oldestMs: number
  readonly onProgress: (progress: BackupProgress) => void
  readonly logger: Logger
  readonly call: CallOptions
}

type TableName = Pick<TableFacts, 'database' | 'name'>

/**
 * Restores beside the table, compares, and swaps. Up to the swap nothing touches the table; after it, the old one is only dropped. A run that was cut off
 * anywhere in between leaves tables of names of its own, which the next run drops.
 */
export async function restoreTable(restore: TableRestore): Promise<void> {
  const { adapter, manifest, base, method, table, work, onProgress, call } = restore
  const [database, name] = splitTableName(table, adapter.database)
  const live = { database, name }
  await cleanUp(restore, live)
  const restored = work.nameOf('restore')
  try {
    let done = 0
    onProgress({ step: 'restore', done, total: manifest.files.length })
    await method.copyIn({ manifest, base, target: restored, onFile: () => onProgress({ step: 'restore', done: ++done, total: manifest.files.length }), call })
    onProgress({ step: 'compare', done: 0, total: manifest.partitions.length })
    await compare(restore, restored)
    onProgress({ step: 'swap', done: 0, total: 1 })
    await putInPlace(restore, restored, live)
  } finally {
    // What is under that name now: rows that were not to be used, or the table that was replaced.
    await dropTable(adapter, restored, afterwards(call)).catch((error: unknown) => restore.logger.warn({ err: error, table: restored.name }, 'a table of a restore could not be dropped; the next restore does so'))
  }
}

/** Drops what dead runs left; a table that one had just moved aside, with nothing in its place yet, goes back. */
async function cleanUp({ adapter, oldestMs, logger, call }: TableRestore, live: TableName): Promise<void> {
  const left = (await findLeftTables(adapter, live, oldestMs, call)).filter(({ purpose }) => purpose !== 'backup')
  for (const table of left) {
    if (table.purpose === 'replaced' && (await findTable(adapter, quotedNameOf(live), call)) === null) {
      logger.warn({ table: live.name }, 'a restore was cut off between two renames; the table is put back')
      await adapter.execute(`RENAME TABLE ${quotedNameOf(table)} TO ${quotedNameOf(live)}`, {}, call)
    } else {
      await dropTable(adapter, table, call)
    }
  }
}

/** @throws BackupError `ERR_CLICKHOUSE_BACKUP_MISMATCH` */
async function compare({ adapter, manifest, call }: TableRestore, restored: TableName): Promise<void> {
  const facts = { ...restored, isMergeTree: manifest.engine.endsWith('MergeTree'), columns: manifest.columns }
  const found = await contentOf(adapter, facts, null, call)
  const difference = differenceBetween(manifest.partitions, found)
  if (difference === null) return
  throw new BackupError(`the restored rows are not those that were backed up: ${difference}; the table stayed as it was`, {
    code: 'ERR_CLICKHOUSE_BACKUP_MISMATCH',
    context: { backup: manifest.name },
  })
}

/** What differs first between what was backed up and what is there; null when nothing does. */
export function differenceBetween(expected: readonly Pick<ManifestPartition, 'id' | 'rows' | 'contentHash'>[], found: readonly PartitionContent[]): string | null {
  const left = new Map(found.map((partition) => [partition.id, partition]))
  for (const { id, rows, contentHash } of expected) {
    const other = left.get(id)
    left.delete(id)
    if (other?.rows === rows && other.contentHash === contentHash) continue
    if (other === undefined) return `partition "${id}" has no rows, ${rows} were expected`
    return other.rows === rows ? `the values of partition "${id}" differ` : `partition "${id}" has ${other.rows} rows, ${rows} were expected`
  }
  const [more] = left.values()
  return more === undefined ? null : `partition "${more.id}" was not there`
}

async function putInPlace(restore: TableRestore, restored: TableName, live: TableName): Promise<void> {
  const { adapter, manifest, call } = restore
  if (manifest.engine.endsWith('MergeTree')) await adapter.execute(`SYSTEM START MERGES ${quotedNameOf(restored)}`, {}, call)
  const there = await findTable(adapter, quotedNameOf(live), call)
  if (there === null) {
    await adapter.execute(`RENAME TABLE ${quotedNameOf(restored)} TO ${quotedNameOf(live)}`, {}, call)
  } else if (manifest.partition === null) {
    await swap(restore, restored, live)
  } else {
    await adapter.execute(`ALTER TABLE ${quotedNameOf(live)} REPLACE PARTITION ID '${manifest.partition}' FROM ${quotedNameOf(restored)}`, {}, call)
  }
}

/** At one stroke where the database can; else by two renames, the first of which is undone by the next run if it stays alone. */
async function swap({ adapter, work, call }: TableRestore, restored: TableName, live: TableName): Promise<void> {
  const unchecked = { ...call, settings: { check_table_dependencies: 0 } }
  try {
    await adapter.execute(`EXCHANGE TABLES ${quotedNameOf(restored)} AND ${quotedNameOf(live)}`, {}, unchecked)
  } catch (error) {
    if (!isRefusal(error)) throw error
    const replaced = work.nameOf('replaced')
    await adapter.execute(`RENAME TABLE ${quotedNameOf(live)} TO ${quotedNameOf(replaced)}, ${quotedNameOf(restored)} TO ${quotedNameOf(live)}`, {}, unchecked)
    await dropTable(adapter, replaced, afterwards(call))
  }
}
