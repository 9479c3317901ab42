import { type CallOptions, type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { createAdapter } from '../create-adapter.ts'
import { splitTableName } from '../adapter/table-columns.ts'
import { BackupError } from '../operational-errors.ts'
import { backupFolder } from './backup-config.ts'
import { readBackupName } from './backup-names.ts'
import type {
  BackupCallOptions,
  BackupInfo,
  BackupManager,
  BackupManagerOptions,
  BackupRetention,
  BackupSchedule,
  BackupScheduleOptions,
  BackupVerification,
  CreateBackupOptions,
  RestoreOptions,
} from './backup-options.ts'
import { RepeatedBackups } from './backup-schedule.ts'
import type { BackupStore } from './backup-store.ts'
import { boundedStore } from './bounded-store.ts'
import { MethodChoice } from './choose-method.ts'
import { copyTable } from './copy-table.ts'
import { folderStore } from './folder-store.ts'
import { findPartitionId } from '../lifecycle/kept-table.ts'
import { listBackups } from './list-backups.ts'
import type { BackupManifest } from './manifest.ts'
import { restoreTable } from './restore-table.ts'
import { warningsOfRestore } from './restore-warnings.ts'
import { backupsToDelete } from './retention.ts'
import { makeViews, missingViews } from './table-views.ts'
import { MANIFEST, readManifest, requireSound, verifyBackup } from './verify-backup.ts'
import { WorkTables } from './work-tables.ts'

/**
 * Makes a {@link BackupManager} over an adapter; without one, over an adapter of its own, by the `CLICKHOUSE_*` variables.
 * The adapter's user must be allowed to create, alter and drop tables; for backups that the server writes itself, also `BACKUP`.
 */
export function createBackupManager(adapter?: ClickHouseAdapter, options: BackupManagerOptions = {}): BackupManager {
  if (adapter !== undefined) return new StoredBackupManager(adapter, options)
  const own = createAdapter({}, { logger: options.logger, clock: options.clock })
  return new StoredBackupManager(own, options, () => own.close())
}

const DAY_MS = 86_400_000

class StoredBackupManager implements BackupManager {
  readonly #adapter: ClickHouseAdapter
  readonly #store: BackupStore
  readonly #methods: MethodChoice
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timeoutMs: number
  readonly #abandonedAfterMs: number
  readonly #schedules = new Set<BackupSchedule>()
  readonly #closeAdapter: () => Promise<void>

  constructor(adapter: ClickHouseAdapter, options: BackupManagerOptions, closeAdapter = async (): Promise<void> => {}) {
    const { store = backupFolder() } = options
    this.#adapter = adapter
    this.#clock = options.clock ?? systemClock
    this.#timeoutMs = options.timeoutMs ?? DAY_MS / 24
    this.#store = boundedStore(typeof store === 'string' ? folderStore(store) : store, this.#timeoutMs, this.#clock)
    this.#logger = options.logger ?? silentLogger
    this.#methods = new MethodChoice(adapter, this.#store, options, this.#logger)
    this.#abandonedAfterMs = options.abandonedAfterMs ?? DAY_MS
    this.#closeAdapter = closeAdapter
  }

  async createBackup(table: string, partition?: string, options: CreateBackupOptions = {}): Promise<string> {
    const call = this.#callOf(table, options)
    const base = await this.#baseOf(table, partition, options, call)
    const copy = {
      adapter: this.#adapter,
      store: this.#store,
      methods: this.#methods,
      clock: this.#clock,
      logger: this.#logger,
      oldestMs: this.#oldestMs,
      onProgress: options.onProgress ?? ((): void => {}),
      call,
    }
    const { name, rows, dependents } = await copyTable(copy, table, partition ?? null, base)
    this.#logger.info({ table, partition, backup: name, rows, base: base?.name ?? null, dependents }, 'a table was backed up; of views over it only how they were made')
    return name
  }

  async restoreBackup(table: string, file: string, options: RestoreOptions = {}): Promise<true> {
    const { onProgress = (): void => {}, onWarning = (warning: string): void => this.#logger.warn({ table, backup: file }, warning) } = options
    const call = this.#callOf(table, options)
    const manifest = await requireSound(this.#store, file, options)
    const base = manifest.base === null ? null : await readManifest(this.#store, manifest.base, call)
    const views = await missingViews(this.#adapter, table, manifest, options.views, call)
    for (const warning of await warningsOfRestore(this.#adapter, table, manifest, views, call)) onWarning(warning)
    const [database, name] = splitTableName(table, this.#adapter.database)
    const work = new WorkTables(database, name, this.#clock)
    try {
      const method = this.#methods.forReading(manifest)
      await restoreTable({ adapter: this.#adapter, method, manifest, base, table, work, oldestMs: this.#oldestMs, onProgress, logger: this.#logger, call })
    } finally {
      work.end()
    }
    // The table is in its place whatever becomes of them.
    for (const { view, error } of await makeViews(this.#adapter, views.made, call)) onWarning(`view "${view.name}" could not be made again: ${String(error)}; make it by its statement: ${view.definition}`)
    onProgress({ step: 'done', done: 1, total: 1 })
    this.#logger.info({ table, backup: file, rows: manifest.rows }, 'a table was restored')
    return true
  }

  async listBackups(table?: string, options: CallOptions = {}): Promise<BackupInfo[]> {
    const all = await listBackups(this.#store, options)
    if (table === undefined) return all
    const wanted = splitTableName(table, this.#adapter.database).join('.')
    return all.filter((backup) => (backup.table ?? nameInFile(backup.file)) === wanted)
  }

  async deleteBackup(file: string, options: CallOptions = {}): Promise<void> {
    const backups = await listBackups(this.#store, options)
    if (!backups.some((backup) => backup.file === file)) await readManifest(this.#store, file, options)
    const dependent = backups.find(({ base }) => base === file)
    if (dependent !== undefined) {
      const message = `backup "${file}" is the base of "${dependent.file}", which could not be restored without it; delete that one first`
      throw new BackupError(message, { code: 'ERR_CLICKHOUSE_BACKUP_IN_USE', status: 409, context: { backup: file, dependent: dependent.file } })
    }
    const unknown = backups.find((backup) => backup.state === 'unreadable' && backup.file !== file && nameInFile(backup.file) === nameInFile(file))
    if (unknown !== undefined) {
      const message = `backup "${file}" may be the base of "${unknown.file}", whose manifest can't be read; try again when it can, or delete that one first`
      throw new BackupError(message, { code: 'ERR_CLICKHOUSE_BACKUP_IN_USE', status: 409, context: { backup: file, dependent: unknown.file } })
    }
    // Without its manifest it is no backup any more, however far the rest gets.
    await this.#store.remove(`${file}/${MANIFEST}`, options)
    await this.#store.remove(`${file}/`, options)
    this.#logger.info({ backup: file }, 'a backup was deleted')
  }

  async verify(file: string, options: BackupCallOptions = {}): Promise<BackupVerification> {
    return verifyBackup(this.#store, file, options)
  }

  async warningsOf(table: string, file: string, options: CallOptions = {}): Promise<string[]> {
    const call = this.#callOf(table, options)
    const manifest = await readManifest(this.#store, file, call)
    return warningsOfRestore(this.#adapter, table, manifest, await missingViews(this.#adapter, table, manifest, undefined, call), call)
  }

  async applyRetention(table: string, retention: BackupRetention, { dryRun = false, ...call }: CallOptions & { readonly dryRun?: boolean | undefined } = {}): Promise<string[]> {
    const goes = backupsToDelete(await this.listBackups(table, call), retention, this.#clock.now())
    if (!dryRun) for (const { file } of goes) await this.deleteBackup(file, call)
    return goes.map(({ file }) => file)
  }

  schedule(tables: readonly string[], options: BackupScheduleOptions = {}): BackupSchedule {
    const schedule = new RepeatedBackups(this, tables, options, this.#clock, this.#logger)
    this.#schedules.add(schedule)
    return schedule
  }

  async close(): Promise<void> {
    await Promise.all([...this.#schedules].map((schedule) => schedule.stop()))
    await this.#closeAdapter()
  }

  /** A base that can't be restored makes no backup that can: it is read first. Null for a full backup. */
  async #baseOf(table: string, partition: string | undefined, options: CreateBackupOptions, call: CallOptions): Promise<BackupManifest | null> {
    if (options.base === undefined) return null
    const [database, name] = splitTableName(table, this.#adapter.database)
    const id = partition === undefined ? null : await findPartitionId(this.#adapter, { database, name }, partition, call)
    const file = options.base === 'latest' ? await this.#latestFull(table, id, call) : options.base
    if (file === null) return null
    const base = await requireSound(this.#store, file, options)
    if (base.base !== null) throw wrongBase(file, `is based on another one itself; take "${base.base}" as the base`)
    if (base.database === database && base.table === name && base.partition === id) return base
    throw wrongBase(file, `is of ${base.database}.${base.table}${base.partition === null ? '' : `, partition "${base.partition}"`}; a base has to be of the same table and partition`)
  }

  async #latestFull(table: string, partition: string | null, call: CallOptions): Promise<string | null> {
    const backups = await this.listBackups(table, call)
    return backups.find((backup) => backup.state === 'complete' && backup.kind === 'full' && backup.partition === partition)?.file ?? null
  }

  /** All of a table's statements go to the same server: a snapshot is nowhere else. */
  #callOf(table: string, { signal, timeoutMs }: CallOptions): CallOptions & { readonly stickTo: string } {
    return { signal, timeoutMs: timeoutMs ?? this.#timeoutMs, stickTo: `backups of ${table}` }
  }

  get #oldestMs(): number {
    return this.#clock.now() - this.#abandonedAfterMs
  }
}

function wrongBase(file: string, what: string): BackupError {
  return new BackupError(`backup "${file}" ${what}`, { code: 'ERR_CLICKHOUSE_BACKUP', status: 400, context: { backup: file } })
}

function nameInFile(file: string): string | null {
  const name = readBackupName(file)
  return name === null ? null : `${name.database}.${name.table}`
}
