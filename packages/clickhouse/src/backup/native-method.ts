import type { CallOptions } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { NativeBackupPlace } from './backup-options.ts'
import { type BackupMethod, type CopyTask, dataFolder, type RestoreTask } from './backup-method.ts'
import { quotedNameOf } from './table-facts.ts'

/** Copies by the server's own `BACKUP` and `RESTORE`: parts as they are, without a row leaving the server. */
export class NativeMethod implements BackupMethod {
  readonly #adapter: ClickHouseAdapter
  readonly #place: NativeBackupPlace

  constructor(adapter: ClickHouseAdapter, place: NativeBackupPlace) {
    this.#adapter = adapter
    this.#place = place
  }

  methodFor(): 'native' {
    return 'native'
  }

  async copyOut({ backup, table, source, partition, base, call }: CopyTask): Promise<void> {
    // The snapshot has the partition alone; the table itself has the others too.
    const which = partition === null || source !== table ? '' : ` PARTITION ID '${partition}'`
    const as = source === table ? '' : ` AS ${quotedNameOf(table)}`
    const settings = base === null ? '' : ` SETTINGS base_backup = ${this.#placeOf(base.name)}`
    await this.#adapter.execute(`BACKUP TABLE ${quotedNameOf(source)}${as}${which} TO ${this.#placeOf(backup)}${settings}`, {}, call)
  }

  async copyIn({ manifest, base, target, call }: RestoreTask): Promise<void> {
    const settings = base === null ? [] : [`base_backup = ${this.#placeOf(base.name)}`]
    const restore = (more: readonly string[]): Promise<unknown> => {
      const all = [...settings, ...more]
      const statement = `RESTORE TABLE ${quotedNameOf({ database: manifest.database, name: manifest.table })} AS ${quotedNameOf(target)} FROM ${this.#placeOf(manifest.name)}`
      return this.#adapter.execute(all.length === 0 ? statement : `${statement} SETTINGS ${all.join(', ')}`, {}, call)
    }
    await restore(['structure_only = 1'])
    await stopMerges(this.#adapter, target, manifest.engine, call)
    await restore([])
  }

  /** A backup's data as the server names it. */
  #placeOf(backup: string): string {
    return placeExpression(this.#place, dataFolder(backup))
  }
}

/** Until the rows are compared, nothing is to drop what has expired, or what another row replaces. */
export async function stopMerges(adapter: ClickHouseAdapter, table: { readonly database: string; readonly name: string }, engine: string, call: CallOptions): Promise<void> {
  if (engine.endsWith('MergeTree')) await adapter.execute(`SYSTEM STOP MERGES ${quotedNameOf(table)}`, {}, call)
}

/** `File('…')`, `Disk('…', '…')` or `S3('…', …)` for a folder in a place. */
export function placeExpression(place: NativeBackupPlace, folder: string): string {
  if ('file' in place) return `File(${quoted(joined(place.file, folder))})`
  if ('disk' in place) return `Disk(${quoted(place.disk)}, ${quoted(joined(place.path ?? '', folder))})`
  const credentials = [place.accessKeyId, place.secretAccessKey].filter((part) => part !== undefined).map(quoted)
  // An address, of which the server undoes the escapes: a key that has some of its own would become another one.
  return `S3(${[quoted(joined(place.s3, folder.replaceAll('%', '%25'))), ...credentials].join(', ')})`
}

function joined(base: string, folder: string): string {
  const path = folder.replace(/\/$/, '')
  return base === '' ? path : `${base.replace(/\/+$/, '')}/${path}`
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
