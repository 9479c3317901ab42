import type { CallOptions } from '@smart-whale/interfaces'
import { BackupError } from '../operational-errors.ts'
import { readBackupName } from './backup-names.ts'
import type { BackupInfo } from './backup-options.ts'
import type { BackupStore, StoredFile } from './backup-store.ts'
import { MANIFEST, readManifest } from './verify-backup.ts'

/** Every backup of a store, newest first. What has no manifest was never finished and is none. */
export async function listBackups(store: BackupStore, call: CallOptions = {}): Promise<BackupInfo[]> {
  const files = await store.list('', call)
  const names = files.filter(({ name }) => /^[^/]+\/manifest\.json$/.test(name)).map(({ name }) => name.slice(0, -MANIFEST.length - 1))
  const backups = await Promise.all(names.map((name) => describe(store, name, files, call)))
  return backups.sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime() || (one.file < other.file ? 1 : -1))
}

async function describe(store: BackupStore, file: string, files: readonly StoredFile[], call: CallOptions): Promise<BackupInfo> {
  const bytes = files.filter(({ name }) => name.startsWith(`${file}/`)).reduce((sum, one) => sum + one.bytes, 0)
  try {
    const { database, table, partition, createdAt, base, rows } = await readManifest(store, file, call)
    return { file, table: `${database}.${table}`, partition, createdAt: new Date(createdAt), kind: base === null ? 'full' : 'incremental', base, rows: BigInt(rows), bytes, state: 'complete' }
  } catch (error) {
    if (!BackupError.isInstance(error)) throw error
    const name = readBackupName(file)
    return { file, table: null, partition: name?.partition ?? null, createdAt: name?.createdAt ?? new Date(0), kind: 'full', base: null, rows: 0n, bytes, state: 'damaged' }
  }
}
