import type { CallOptions } from '@smart-whale/interfaces'
import type { BackupManifest } from './manifest.ts'
import type { TableFacts } from './table-facts.ts'

/** What is to be copied into a backup. */
export interface CopyTask {
  /** Name of the backup. */
  readonly backup: string
  /** The table as it is called. */
  readonly table: TableFacts
  /** Where its rows are read: the snapshot, or the table itself. */
  readonly source: TableFacts
  readonly partition: string | null
  /** Partitions to copy; those that an export finds in the base are left out. */
  readonly partitions: readonly string[]
  readonly base: BackupManifest | null
  readonly onFile: () => void
  readonly call: CallOptions
}

/** Where the rows of a backup go to. */
export interface RestoreTask {
  readonly manifest: BackupManifest
  readonly base: BackupManifest | null
  /** A name that is free. */
  readonly target: { readonly database: string; readonly name: string }
  readonly onFile: () => void
  readonly call: CallOptions
}

/** A way to copy the rows of a table into the store's folder of a backup, and back. */
export interface BackupMethod {
  /** What the manifest says of it. */
  methodFor(table: TableFacts): BackupManifest['method']
  copyOut(task: CopyTask): Promise<void>
  /** Makes the target and fills it, without a merge on the way. */
  copyIn(task: RestoreTask): Promise<void>
}

/** Where a backup's data lies in the store. */
export function dataFolder(backup: string): string {
  return `${backup}/data/`
}
