import { randomUUID } from 'node:crypto'
import type { CallOptions, Logger } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { BackupError } from '../operational-errors.ts'
import type { BackupMethod } from './backup-method.ts'
import type { BackupManagerOptions, NativeBackupPlace } from './backup-options.ts'
import type { BackupStore } from './backup-store.ts'
import { ExportMethod } from './export-method.ts'
import type { FolderStore } from './folder-store.ts'
import type { BackupManifest } from './manifest.ts'
import { NativeMethod, placeExpression } from './native-method.ts'
import { afterwards } from './work-tables.ts'
import { isRefusal } from '../server-refusal.ts'
import { quotedNameOf, type TableFacts } from './table-facts.ts'

const DEFAULT_MAX_FILE_BYTES = 32 * 1024 * 1024

/** Decides by which method backups are made, and by which a given one is read. */
export class MethodChoice {
  readonly #adapter: ClickHouseAdapter
  readonly #store: BackupStore
  readonly #native: BackupManagerOptions['native']
  readonly #exporting: ExportMethod
  readonly #logger: Logger
  #mayWriteItself: boolean | null = null

  constructor(adapter: ClickHouseAdapter, store: BackupStore | FolderStore, options: BackupManagerOptions, logger: Logger) {
    this.#adapter = adapter
    this.#store = store
    this.#native = options.native ?? 'auto'
    this.#exporting = new ExportMethod(adapter, store, options.maxFileBytes ?? DEFAULT_MAX_FILE_BYTES)
    this.#logger = logger
  }

  /** For a new backup of a table. A base decides: a backup is of its base's kind. */
  async forNew(table: TableFacts, base: BackupManifest | null, call: CallOptions): Promise<BackupMethod> {
    if (base !== null) return this.forReading(base)
    const place = this.#place
    if (place === null) return this.#exporting
    if (this.#native !== 'auto') return new NativeMethod(this.#adapter, place)
    this.#mayWriteItself ??= await this.#tryOut(place, table, call)
    return this.#mayWriteItself ? new NativeMethod(this.#adapter, place) : this.#exporting
  }

  /** For a backup that is there. @throws BackupError for one of the server's when nobody said where the server finds it */
  forReading({ name, method }: BackupManifest): BackupMethod {
    if (method !== 'native') return this.#exporting
    const place = this.#place
    if (place !== null) return new NativeMethod(this.#adapter, place)
    throw new BackupError(`backup "${name}" was written by the server, which has to read it as well; tell it where, by the option native`, { code: 'ERR_CLICKHOUSE_BACKUP', status: 400, context: { backup: name } })
  }

  get #place(): NativeBackupPlace | null {
    if (this.#native === 'never' || this.#native === undefined) return null
    if (this.#native !== 'auto') return this.#native
    return 'folder' in this.#store ? { file: String(this.#store.folder) } : null
  }

  /** Whether the server can write to the folder, and this process can read what it wrote: a backup of the table without its rows tells. */
  async #tryOut(place: NativeBackupPlace, table: TableFacts, call: CallOptions): Promise<boolean> {
    const folder = `.trial-${randomUUID()}`
    try {
      await this.#adapter.execute(`BACKUP TABLE ${quotedNameOf(table)} TO ${placeExpression(place, folder)} SETTINGS structure_only = 1`, {}, call)
      const written = await this.#store.list(`${folder}/`, call)
      for (const { name } of written) for await (const chunk of this.#store.read(name, call)) void chunk
      if (written.length === 0) this.#logger.info({}, "the server's backups can't be read from here: rows are exported instead")
      return written.length > 0
    } catch (error) {
      if (!isRefusal(error) && !('code' in (error as object) && String((error as { code: unknown }).code).startsWith('ERR_CLICKHOUSE_BACKUP'))) throw error
      this.#logger.info({ err: error }, "the server can't write backups there: rows are exported instead")
      return false
    } finally {
      await this.#store.remove(`${folder}/`, afterwards(call)).catch(() => {})
    }
  }
}
