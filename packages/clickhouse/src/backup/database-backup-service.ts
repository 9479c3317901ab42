import { BackupError } from '../operational-errors.ts'
import { createBackupManager } from './backup-manager.ts'
import type { BackupManager, BackupSchedule, BackupScheduleOptions } from './backup-options.ts'

/** What a {@link DatabaseBackupService} does besides; `intervalHours` comes with the call. */
export type DatabaseBackupOptions = Omit<BackupScheduleOptions, 'intervalHours'>

/** Backs tables up at intervals, from one call to start it to one to stop it. */
export class DatabaseBackupService {
  readonly #manager: BackupManager
  readonly #ownsManager: boolean
  readonly #options: DatabaseBackupOptions
  #schedule: BackupSchedule | null = null

  /** Without a manager it makes one of its own, by the `CLICKHOUSE_*` variables, and closes it with `stop`. */
  constructor(manager?: BackupManager, options: DatabaseBackupOptions = {}) {
    this.#manager = manager ?? createBackupManager()
    this.#ownsManager = manager === undefined
    this.#options = options
  }

  /**
   * Backs the tables up now and every so many hours; a table that fails is reported and tried again in the next round.
   * @throws BackupError when it runs already: two schedules would make every backup twice
   */
  startScheduledBackups(tables: readonly string[], intervalHours = 24): BackupSchedule {
    if (this.#schedule !== null) throw new BackupError('scheduled backups run already; stop them before you start others', { code: 'ERR_CLICKHOUSE_BACKUP', status: 409 })
    this.#schedule = this.#manager.schedule(tables, { ...this.#options, intervalHours })
    return this.#schedule
  }

  /** Begins no more rounds and waits for the one that runs. May be called twice. */
  async stop(): Promise<void> {
    const schedule = this.#schedule
    this.#schedule = null
    await schedule?.stop()
    if (this.#ownsManager) await this.#manager.close()
  }
}
