import { mkdtemp, rm } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { BackupManager, BackupManagerOptions, ClickHouseAdapter } from '../../src/index.ts'
import { createBackupManager } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

/** A database and two places for its backups: a folder that the server may write to as well, and one that it may not. */
export interface BackupWorld {
  readonly database: OwnDatabase
  readonly adapter: ClickHouseAdapter
  readonly nativeFolder: string
  readonly exportFolder: string
  manager(native: boolean, options?: BackupManagerOptions, adapter?: ClickHouseAdapter): BackupManager
  close(): Promise<void>
}

export async function backupWorld(): Promise<BackupWorld> {
  const database = await ownDatabase()
  const { rows } = await database.owner.execute<{ path: string }>("SELECT path FROM system.disks WHERE name = 'default'")
  // The embedded server keeps its data and its backups side by side.
  const nativeFolder = join(dirname(rows[0]?.path ?? ''), 'backups', `test-${randomBytes(6).toString('hex')}`)
  const exportFolder = await mkdtemp(join(tmpdir(), 'smart-whale-backups-'))
  return {
    database,
    adapter: database.owner,
    nativeFolder,
    exportFolder,
    manager: (native, options = {}, adapter = database.owner) => createBackupManager(adapter, { store: native ? nativeFolder : exportFolder, ...options }),
    close: async () => {
      await database.drop()
      await Promise.all([nativeFolder, exportFolder].map((folder) => rm(folder, { recursive: true, force: true })))
    },
  }
}

/** Rows of a table, by its first column. */
export async function rowsOf(adapter: ClickHouseAdapter, table: string): Promise<string> {
  const { rows } = await adapter.execute(`SELECT toString(tuple(*)) AS row FROM ${table} ORDER BY ALL`)
  return JSON.stringify(rows)
}
