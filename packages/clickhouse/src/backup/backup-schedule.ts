import { abortedError, type Clock, type Logger } from '@smart-whale/interfaces'
import { BackupError } from '../operational-errors.ts'
import type { BackupInfo, BackupManager, BackupRound, BackupSchedule, BackupScheduleOptions } from './backup-options.ts'

const HOUR_MS = 3_600_000
/** Timers of Node.js count no further. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Rounds of backups, one after the other: a round never begins before the last one is over. */
export class RepeatedBackups implements BackupSchedule {
  readonly #manager: BackupManager
  readonly #tables: readonly string[]
  readonly #options: BackupScheduleOptions
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #intervalMs: number
  readonly #stopping = new AbortController()
  #timer: unknown
  #dueMs: number
  #running: Promise<void> | null = null
  #lastRound: BackupRound | null = null

  constructor(manager: BackupManager, tables: readonly string[], options: BackupScheduleOptions, clock: Clock, logger: Logger) {
    const { intervalHours = 24, immediately = true } = options
    if (!(intervalHours > 0)) throw wrongOption(`intervalHours must be a number above 0, got ${String(intervalHours)}`)
    this.#manager = manager
    this.#tables = tables
    this.#options = options
    this.#clock = clock
    this.#logger = logger
    this.#intervalMs = intervalHours * HOUR_MS
    this.#dueMs = clock.now() + (immediately ? 0 : this.#intervalMs)
    this.#wait()
  }

  get nextAt(): Date | null {
    return this.#running !== null || this.#stopping.signal.aborted ? null : new Date(this.#dueMs)
  }

  get lastRound(): BackupRound | null {
    return this.#lastRound
  }

  async stop(): Promise<void> {
    this.#clock.clearTimeout(this.#timer)
    this.#stopping.abort()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** By several timers where one doesn't reach that far. */
  #wait(): void {
    if (this.#stopping.signal.aborted) return
    const leftMs = this.#dueMs - this.#clock.now()
    const wake = leftMs > MAX_TIMER_MS ? (): void => this.#wait() : (): void => this.#begin()
    this.#timer = this.#clock.setTimeout(wake, Math.min(Math.max(0, leftMs), MAX_TIMER_MS))
  }

  #begin(): void {
    // Rounds that were due while this one's predecessor ran are not made up for.
    this.#dueMs = this.#clock.now() + this.#intervalMs
    this.#running = this.#round().finally(() => {
      this.#running = null
      this.#wait()
    })
  }

  async #round(): Promise<void> {
    const startedAt = new Date(this.#clock.now())
    const made: string[] = []
    const deleted: string[] = []
    const failed: { table: string; error: Error }[] = []
    for (const table of this.#tables) {
      if (this.#stopping.signal.aborted) break
      try {
        made.push(await this.#backUp(table))
        if (this.#options.retention !== undefined) deleted.push(...(await this.#manager.applyRetention(table, this.#options.retention, { signal: this.#stopping.signal })))
      } catch (error) {
        failed.push({ table, error: error as Error })
        this.#report(table, error as Error)
      }
    }
    this.#lastRound = { startedAt, finishedAt: new Date(this.#clock.now()), made, failed, deleted }
  }

  async #backUp(table: string): Promise<string> {
    const { signal } = this.#stopping
    const base = (await this.#isTimeForFull(table)) ? undefined : 'latest'
    const file = await this.#manager.createBackup(table, undefined, { signal, base })
    if (this.#options.verify !== false) await this.#verify(file)
    const info = (await this.#manager.listBackups(table, { signal })).find((backup) => backup.file === file)
    if (info !== undefined) this.#tell(info)
    return file
  }

  /** A backup that doesn't read as it was written is a failure, and no reason to delete an older one. */
  async #verify(file: string): Promise<void> {
    const { signal } = this.#stopping
    const { ok, faults } = await this.#manager.verify(file, { signal })
    if (signal.aborted) throw abortedError('the backup', signal)
    if (!ok) throw new BackupError(`backup "${file}" does not read as it was written`, { code: 'ERR_CLICKHOUSE_BACKUP_DAMAGED', context: { faults: faults.slice(0, 100) } })
  }

  /** When the newest full backup has as many successors as a cycle has, or there is none. */
  async #isTimeForFull(table: string): Promise<boolean> {
    const { fullEvery = 1 } = this.#options
    if (fullEvery <= 1) return true
    const backups = (await this.#manager.listBackups(table)).filter(({ state, partition }) => state === 'complete' && partition === null)
    const full = backups.find(({ kind }) => kind === 'full')
    return full === undefined || backups.filter(({ base }) => base === full.file).length >= fullEvery - 1
  }

  #tell(info: BackupInfo): void {
    if (this.#options.onBackup === undefined) this.#logger.info({ backup: info.file, table: info.table, bytes: info.bytes }, 'a scheduled backup was made')
    else this.#safely(() => this.#options.onBackup?.(info))
  }

  #report(table: string, error: Error): void {
    if (this.#stopping.signal.aborted) return
    if (this.#options.onFailure === undefined) this.#logger.error({ err: error, table }, 'a scheduled backup failed; the next round tries again')
    else this.#safely(() => this.#options.onFailure?.(table, error))
  }

  /** A listener that throws doesn't end the schedule. */
  #safely(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#logger.error({ err: error }, 'a listener of scheduled backups failed')
    }
  }
}

function wrongOption(message: string): BackupError {
  return new BackupError(message, { code: 'ERR_CLICKHOUSE_BACKUP', status: 400 })
}
