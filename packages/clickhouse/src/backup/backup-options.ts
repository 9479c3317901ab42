import type { CallOptions, Clock, Logger } from '@smart-whale/interfaces'
import type { BackupStore } from './backup-store.ts'
import type { BackupManifest } from './manifest.ts'

/**
 * How the server itself names the place where the backups lie, so that it can write them there with `BACKUP`.
 * `file` is a folder inside of its `backups.allowed_path`, `disk` one of its `backups.allowed_disk`, `s3` an address with credentials, or a named collection.
 */
export type NativeBackupPlace =
  | { readonly file: string }
  | { readonly disk: string; readonly path?: string | undefined }
  | { readonly s3: string; readonly accessKeyId?: string | undefined; readonly secretAccessKey?: string | undefined }

/** What a {@link BackupManager} is made from. */
export interface BackupManagerOptions {
  /** Where backups lie: a folder of this machine, or any {@link BackupStore}. @default `CLICKHOUSE_BACKUP_FOLDER`, else the folder 'clickhouse-backups' */
  store?: string | BackupStore | undefined
  /**
   * Whether the server writes the backups itself. `'auto'`: into the store's folder, if the server may and this process can read what it wrote there;
   * else the rows are exported. `'never'`: always exported. @default 'auto' for a folder, 'never' for another store
   */
  native?: 'auto' | 'never' | NativeBackupPlace | undefined
  /** How long one statement, or one call to the store, may take, in milliseconds: a copy of a whole table is one. @default 3_600_000 */
  timeoutMs?: number | undefined
  /** Uncompressed size that an exported file is cut at, in bytes; each is held in memory once while it is restored. @default 33_554_432 */
  maxFileBytes?: number | undefined
  /** When what an interrupted run left behind is cleaned up, in milliseconds since it began. @default 86_400_000 */
  abandonedAfterMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of backups, restores, and what they don't cover. @default silentLogger */
  logger?: Logger | undefined
}

/** What a backup or a restore has done so far. */
export interface BackupProgress {
  /** What is being done, e.g. `checksums`. */
  readonly step: 'snapshot' | 'hash' | 'copy' | 'checksums' | 'restore' | 'compare' | 'swap' | 'done'
  readonly done: number
  /** How much there is of it; 0 where that isn't known. */
  readonly total: number
}

/** What a call may be told. */
export interface BackupCallOptions extends CallOptions {
  /** Hears how far it is. @default nobody */
  onProgress?: ((progress: BackupProgress) => void) | undefined
}

/** What a single backup may be told. */
export interface CreateBackupOptions extends BackupCallOptions {
  /**
   * Stores only what has changed since another backup: its name, or `'latest'` for the newest full one of the same table and partition (a full one is made
   * when there is none). The base must be a full backup, is verified first, and can't be deleted while this one is kept. @default none: a full backup
   */
  base?: string | undefined
}

/** What a restore may be told. */
export interface RestoreOptions extends BackupCallOptions {
  /** Hears what the restore doesn't cover, e.g. a view whose rows stay as they are. @default the logger */
  onWarning?: ((warning: string) => void) | undefined
  /**
   * Whether views that were over the table when it was backed up, and are missing, are made again, without rows. Where the table still stands, a missing view was dropped on
   * purpose. A table that is restored under another name gets none. @default when the table itself is missing
   */
  views?: boolean | undefined
}

/** A backup as it lies there. */
export interface BackupInfo {
  /** What the other methods call it. */
  readonly file: string
  /** `database.table`. Null when the manifest can't be read. */
  readonly table: string | null
  /** The partition's id, when it holds just this one. */
  readonly partition: string | null
  readonly createdAt: Date
  readonly kind: 'full' | 'incremental'
  /** The backup that it needs besides itself. */
  readonly base: string | null
  readonly rows: bigint
  /** Bytes that it takes in the store, without its base. */
  readonly bytes: number
  /**
   * `damaged`: the manifest doesn't read as it was written. Whether the data does, `verify` tells. `unreadable`: the store could not give the manifest; the backup may
   * be sound.
   */
  readonly state: 'complete' | 'damaged' | 'unreadable'
}

/** One thing that is wrong with a backup. */
export interface BackupFault {
  /** The backup, which may be the base. */
  readonly backup: string
  readonly file: string
  readonly fault: 'missing' | 'damaged' | 'unexpected'
}

/** What {@link BackupManager.verify} found. */
export interface BackupVerification {
  readonly file: string
  readonly ok: boolean
  readonly faults: readonly BackupFault[]
  /** Files that were read, those of the base included. */
  readonly files: number
  readonly bytes: number
  /** Null when it can't be read. */
  readonly manifest: BackupManifest | null
}

/** Which backups of a table are kept. A backup goes when every rule that is given would let it go; the newest one, and bases of kept ones, never go. */
export interface BackupRetention {
  /** The newest ones. @default not counted */
  keep?: number | undefined
  /** Those that are younger, in milliseconds. @default not counted */
  maxAgeMs?: number | undefined
}

/** How backups are made in turn. */
export interface BackupScheduleOptions {
  /** Time from one round's start to the next one's, in hours. A round that takes longer is let finish; the next one follows it at once. @default 24 */
  intervalHours?: number | undefined
  /** Whether the first round begins at once; else after one interval. @default true */
  immediately?: boolean | undefined
  /** Every so manieth backup of a table is a full one, those between store what changed since. 1: all are full. @default 1 */
  fullEvery?: number | undefined
  /** Which backups are deleted after a round that made a new one. @default none is deleted */
  retention?: BackupRetention | undefined
  /** Whether each new backup is read again and compared before an older one is deleted. @default true */
  verify?: boolean | undefined
  /** Hears of each backup that was made. @default the logger */
  onBackup?: ((backup: BackupInfo) => void) | undefined
  /** Hears of each one that was not: the schedule goes on. @default the logger */
  onFailure?: ((table: string, error: Error) => void) | undefined
}

/** Backups that are made in turn. */
export interface BackupSchedule extends AsyncDisposable {
  /** When the next round begins; null while one runs and after `stop`. */
  readonly nextAt: Date | null
  /** The latest round: what was made, what failed. */
  readonly lastRound: BackupRound | null
  /** Begins no more rounds and waits for the one that runs. Its backup under way is given up. May be called twice. */
  stop(): Promise<void>
}

/** What a round of a schedule did. */
export interface BackupRound {
  readonly startedAt: Date
  readonly finishedAt: Date
  readonly made: readonly string[]
  readonly failed: readonly { readonly table: string; readonly error: Error }[]
  readonly deleted: readonly string[]
}

/** Makes, checks and restores backups of tables. */
export interface BackupManager {
  /**
   * Backs a table up, or one partition of it (by its value or id), as it is at one moment. Resolves with the backup's name when all of it is stored.
   * @throws BackupError
   */
  createBackup(table: string, partition?: string, options?: CreateBackupOptions): Promise<string>
  /**
   * Puts a table back as it was: checked against its checksums first, restored beside the table, compared, then put in its place at one stroke. A backup of
   * a partition replaces this partition. Whatever goes wrong, the table is as it was or as it is to be; a second call goes on.
   * @throws BackupError `ERR_CLICKHOUSE_BACKUP_DAMAGED`, `_NOT_FOUND`, `_MISMATCH`
   */
  restoreBackup(table: string, file: string, options?: RestoreOptions): Promise<true>
  /** What there is, newest first; of one table, or of all. */
  listBackups(table?: string, options?: CallOptions): Promise<BackupInfo[]>
  /** Removes a backup. @throws BackupError `ERR_CLICKHOUSE_BACKUP_IN_USE` when another one is based on it */
  deleteBackup(file: string, options?: CallOptions): Promise<void>
  /** Reads every file of a backup, and of its base, and compares it with what was written. */
  verify(file: string, options?: BackupCallOptions): Promise<BackupVerification>
  /** What a restore would not cover, and would do to what stands there now. Changes nothing. */
  warningsOf(table: string, file: string, options?: CallOptions): Promise<string[]>
  /** Deletes what a retention lets go. Answers the names; with `dryRun` they are still there. */
  applyRetention(table: string, retention: BackupRetention, options?: CallOptions & { readonly dryRun?: boolean | undefined }): Promise<string[]>
  /** Backs tables up in turn until stopped. */
  schedule(tables: readonly string[], options?: BackupScheduleOptions): BackupSchedule
  /** Stops the schedules; closes an adapter that the manager made itself. May be called twice. */
  close(): Promise<void>
}
