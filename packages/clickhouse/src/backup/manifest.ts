import { hash } from 'node:crypto'
import { BackupError } from '../operational-errors.ts'

/** A file of a backup, as it was when it was written. */
export interface ManifestFile {
  /** Path from the backup's own folder. */
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

/** What a partition held. */
export interface ManifestPartition {
  /** Empty for a table whose engine has no partitions. */
  readonly id: string
  /** A decimal text: there may be more rows than a JSON number counts. */
  readonly rows: string
  /** Sum of the hashes of its rows: the same rows have it in any order. */
  readonly contentHash: string
  /** Exported rows that lie in the base because they haven't changed. */
  readonly inBase: boolean
}

/** What a backup is, written when everything else of it is there. */
export interface BackupManifest {
  readonly format: 1
  readonly name: string
  readonly database: string
  readonly table: string
  /** The partition's id, when the backup holds just this one. */
  readonly partition: string | null
  readonly createdAt: string
  readonly serverVersion: string
  readonly engine: string
  /** The statement that made the table. */
  readonly definition: string
  /** Columns that the hash and the export go over, in their order. */
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** `native`: by `BACKUP`. Else the format of the exported files. */
  readonly method: 'native' | 'Parquet' | 'Native'
  readonly base: string | null
  readonly rows: string
  readonly partitions: readonly ManifestPartition[]
  readonly files: readonly ManifestFile[]
  /** Views that are filled from the table, whose rows are not in the backup. */
  readonly dependents: readonly string[]
  /** Views over the table, those that others read first. Manifests of earlier versions have none. */
  readonly views?: readonly ManifestView[]
}

/** A view over the table, as it was when the table was backed up: how it was made, and no rows. */
export interface ManifestView {
  /** `database.name`. */
  readonly name: string
  readonly isMaterialized: boolean
  /** The statement that made it. */
  readonly definition: string
}

/** A manifest as the text of its file: its last member is the hash of everything before it. */
export function renderManifest(manifest: BackupManifest): string {
  return `${JSON.stringify({ ...manifest, sha256: hash('sha256', JSON.stringify(manifest), 'hex') }, null, 1)}\n`
}

/**
 * Reads what {@link renderManifest} wrote. A single other byte is found out: the text must be what its content renders to.
 * @throws BackupError `ERR_CLICKHOUSE_BACKUP_DAMAGED`
 */
export function parseManifest(text: string, backup: string): BackupManifest {
  const manifest = readWritten(text)
  if (manifest === undefined) throw damagedManifest(backup, 'does not read as it was written')
  if (manifest.format !== 1) throw damagedManifest(backup, `has format ${String(manifest.format)}, which this version does not know`)
  if (manifest.name !== backup) throw damagedManifest(backup, `is of another backup, "${manifest.name}"`)
  return manifest
}

function readWritten(text: string): BackupManifest | undefined {
  try {
    const { sha256: _sha256, ...manifest } = JSON.parse(text) as BackupManifest & { sha256: string }
    return renderManifest(manifest) === text ? manifest : undefined
  } catch {
    return undefined
  }
}

function damagedManifest(backup: string, what: string): BackupError {
  return new BackupError(`the manifest of backup "${backup}" ${what}; restore from another backup`, {
    code: 'ERR_CLICKHOUSE_BACKUP_DAMAGED',
    context: { backup, faults: [{ backup, file: 'manifest.json', fault: 'damaged' }] },
  })
}
