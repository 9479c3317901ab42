import { type CallOptions, TimeoutError } from '@smart-whale/interfaces'
import { runBounded } from '../adapter/run-bounded.ts'
import { BackupError } from '../operational-errors.ts'
import { readBackupName } from './backup-names.ts'
import type { BackupInfo } from './backup-options.ts'
import type { BackupStore, StoredFile } from './backup-store.ts'
import { MANIFEST, readListedManifest } from './verify-backup.ts'

/** Manifests that are read at once: a place may hold thousands of backups, each a request to it. */
const AT_ONCE = 8

/**
 * Every backup of a store, newest first. What has no manifest was never finished and is none. A manifest that is damaged or can't be read hides no other backup.
 *
 * @throws what the caller or a deadline ended it by
 */
export async function listBackups(store: BackupStore, call: CallOptions = {}): Promise<BackupInfo[]> {
  const files = await store.list('', call)
  const bytes = new Map<string, number>()
  for (const { name, bytes: more } of files) bytes.set(folderOf(name), (bytes.get(folderOf(name)) ?? 0) + more)
  const manifests = files.filter(({ name }) => name === `${folderOf(name)}/${MANIFEST}`)
  const backups = await runBounded(manifests, AT_ONCE, call.signal, (manifest, signal) => describe(store, manifest, bytes.get(folderOf(manifest.name)) ?? 0, { ...call, signal }))
  return backups.sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime() || (one.file < other.file ? 1 : -1))
}

async function describe(store: BackupStore, manifest: StoredFile, bytes: number, call: CallOptions): Promise<BackupInfo> {
  const file = folderOf(manifest.name)
  try {
    const { database, table, partition, createdAt, base, rows } = await readListedManifest(store, file, manifest, call)
    return { file, table: `${database}.${table}`, partition, createdAt: new Date(createdAt), kind: base === null ? 'full' : 'incremental', base, rows: BigInt(rows), bytes, state: 'complete' }
  } catch (error) {
    if (call.signal?.aborted === true || TimeoutError.isInstance(error)) throw error
    const name = readBackupName(file)
    const state = BackupError.isInstance(error) && IS_DAMAGED.has(error.code) ? 'damaged' : 'unreadable'
    return { file, table: null, partition: name?.partition ?? null, createdAt: name?.createdAt ?? new Date(0), kind: 'full', base: null, rows: 0n, bytes, state }
  }
}

const IS_DAMAGED: ReadonlySet<string> = new Set(['ERR_CLICKHOUSE_BACKUP_DAMAGED', 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND'])

/** The backup that a file of the store is of. */
const folderOf = (name: string): string => name.slice(0, Math.max(0, name.indexOf('/')))
