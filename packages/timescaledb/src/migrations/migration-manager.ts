import { type CallOptions, type Clock, InfrastructureError, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { TimescaleOperationError } from '../errors.ts'
import { PartitionManager } from '../partitions/partition-manager.ts'
import { quoteTable } from '../quote-identifier.ts'
import type { TimescaleStorage, TimescaleTransaction } from '../timescale-storage.ts'
import { builtInMigrations } from './built-in-migrations.ts'
import { checksumOf, describeStep, inOrder, type Migration, type MigrationStep } from './migration.ts'
import { type AppliedMigration, createMigrationTable, lockMigrations, readApplied } from './migration-table.ts'

/** What is migrated, and how patiently. */
export interface MigrationManagerOptions {
  /** What to apply. @default builtInMigrations */
  migrations?: readonly Migration[]
  /** Where it is written down what was applied. @default 'smart_whale_migrations' */
  table?: string
  /** How long to wait for another deployer, or for a table that is in use. @default 60_000 */
  lockTimeoutMs?: number
  /** How long one migration may take. @default 600_000 */
  timeoutMs?: number
  /** Whether a migration may be applied that comes before one that is applied already. @default false */
  allowOutOfOrder?: boolean
  /** Hears of every migration that ran. @default silent */
  logger?: Logger
  /** Where time comes from. @default the machine's clock */
  clock?: Clock
}

/** Where one migration stands. `changed`: it was altered after it was applied. `unknown`: applied by a newer or another program. */
export interface MigrationStatus {
  readonly id: string
  readonly description: string
  readonly state: 'applied' | 'pending' | 'changed' | 'unknown'
  readonly appliedAt: Date | null
}

/** What one migration did, or would do. */
export interface MigrationRun {
  readonly id: string
  /** Statements and actions, in order. */
  readonly steps: readonly string[]
  readonly durationMs: number
}

/** What a run came to; with `dryRun`, what it would have done. */
export interface MigrationReport {
  readonly direction: 'up' | 'down'
  readonly dryRun: boolean
  readonly ran: readonly MigrationRun[]
}

/** What this class needs of the storage. */
export type MigrationStorage = Pick<TimescaleStorage, 'execute' | 'withTransaction' | 'capabilities'>

type Signalled = { signal?: AbortSignal | undefined }
type Direction = 'up' | 'down'

/**
 * Brings a database's schema up to date, and back.
 *
 * Each migration is one transaction that begins by taking a lock of the whole database and looking again whether it is still
 * wanted: of two deployers at once, one applies it and the other finds it applied. A start over an up-to-date database takes no lock.
 */
export class MigrationManager {
  readonly #storage: MigrationStorage
  readonly #migrations: readonly Migration[]
  readonly #table: string
  readonly #lockTimeoutMs: number
  readonly #timeoutMs: number
  readonly #allowOutOfOrder: boolean
  readonly #logger: Logger
  readonly #clock: Clock

  constructor(storage: MigrationStorage, options: MigrationManagerOptions = {}) {
    this.#storage = storage
    this.#migrations = inOrder(options.migrations ?? builtInMigrations)
    this.#table = quoteTable(options.table ?? 'smart_whale_migrations')
    this.#lockTimeoutMs = options.lockTimeoutMs ?? 60_000
    this.#timeoutMs = options.timeoutMs ?? 600_000
    this.#allowOutOfOrder = options.allowOutOfOrder ?? false
    this.#logger = options.logger ?? silentLogger
    this.#clock = options.clock ?? systemClock
  }

  /**
   * Applies what is pending, up to and including `to`. Safe to call at every start.
   *
   * @throws TimescaleOperationError `ERR_TIMESCALEDB_MIGRATION`, `…_CHANGED`, `…_ORDER`
   */
  async up(options: Signalled & { to?: string; dryRun?: boolean } = {}): Promise<MigrationReport> {
    const wanted = options.to === undefined ? this.#migrations : this.#migrations.slice(0, this.#indexOf(options.to) + 1)
    const applied = await readApplied(this.#storage, this.#table, this.#call(options))
    this.#checkHistory(applied)
    const pending = wanted.filter(({ id }) => !applied.has(id))
    return this.#run('up', pending, options)
  }

  /** Takes back the last `steps` applied migrations, or all that come after `to`. */
  async down(options: Signalled & { to?: string; steps?: number; dryRun?: boolean } = {}): Promise<MigrationReport> {
    const applied = await readApplied(this.#storage, this.#table, this.#call(options))
    this.#checkHistory(applied)
    const newestFirst = this.#migrations.filter(({ id }) => applied.has(id)).reverse()
    const { to } = options
    const kept = to === undefined ? -1 : this.#indexOf(to)
    const chosen = to === undefined ? newestFirst.slice(0, options.steps ?? 1) : newestFirst.filter((migration) => this.#migrations.indexOf(migration) > kept)
    const final = chosen.find(({ down }) => down.length === 0)
    if (final) throw this.#failure(final.id, 'has no way back', 'ERR_TIMESCALEDB_MIGRATION')
    return this.#run('down', chosen, options)
  }

  /** Where every migration stands: this program's, and those that the database knows besides. */
  async status(options: Signalled = {}): Promise<MigrationStatus[]> {
    const applied = await readApplied(this.#storage, this.#table, this.#call(options))
    const own = this.#migrations.map((migration): MigrationStatus => {
      const found = applied.get(migration.id)
      const state = !found ? 'pending' : found.checksum === checksumOf(migration) ? 'applied' : 'changed'
      return { id: migration.id, description: migration.description, state, appliedAt: found?.appliedAt ?? null }
    })
    const ids = new Set(this.#migrations.map(({ id }) => id))
    const others = [...applied.values()].filter(({ id }) => !ids.has(id))
    return [...own, ...others.map(({ id, description, appliedAt }): MigrationStatus => ({ id, description, state: 'unknown', appliedAt }))]
  }

  /** @throws TimescaleOperationError when a migration is pending, or was altered after it was applied */
  async verify(options: Signalled = {}): Promise<void> {
    this.#checkHistory(await readApplied(this.#storage, this.#table, this.#call(options)))
    const pending = (await this.status(options)).filter(({ state }) => state === 'pending')
    if (pending[0]) throw this.#failure(pending[0].id, 'is not applied: run the migrations', 'ERR_TIMESCALEDB_MIGRATION')
  }

  async #run(direction: Direction, migrations: readonly Migration[], options: Signalled & { dryRun?: boolean }): Promise<MigrationReport> {
    const dryRun = options.dryRun ?? false
    const ran: MigrationRun[] = []
    for (const migration of migrations) {
      const steps = migration[direction].map(describeStep)
      const startedAt = this.#clock.monotonic()
      if (!dryRun && !(await this.#runOne(direction, migration, options))) continue
      const durationMs = dryRun ? 0 : Math.round(this.#clock.monotonic() - startedAt)
      ran.push({ id: migration.id, steps, durationMs })
      if (!dryRun) this.#logger.info({ migration: migration.id, direction, durationMs }, 'a migration ran')
    }
    return { direction, dryRun, ran }
  }

  /** Whether it had to be run; another deployer may have been faster. */
  async #runOne(direction: Direction, migration: Migration, options: Signalled): Promise<boolean> {
    const call = this.#call(options)
    // Known before the transaction takes its connection, which may be the only one.
    await this.#storage.capabilities()
    return this.#storage.withTransaction(async (transaction) => {
      await lockMigrations(transaction, this.#table, this.#lockTimeoutMs, call)
      if (direction === 'up') await createMigrationTable(transaction, this.#table, call)
      const applied = await readApplied(transaction, this.#table, call)
      if (applied.has(migration.id) === (direction === 'up')) return false
      const startedAt = this.#clock.monotonic()
      for (const [index, step] of migration[direction].entries()) await this.#runStep(migration, { step, index, transaction }, call)
      await this.#writeDown(direction, migration, { transaction, durationMs: Math.round(this.#clock.monotonic() - startedAt) }, call)
      return true
    }, call)
  }

  async #runStep(migration: Migration, at: { step: MigrationStep; index: number; transaction: TimescaleTransaction }, call: CallOptions): Promise<void> {
    const { step, index, transaction } = at
    try {
      if (typeof step === 'string') {
        await transaction.execute(step, [], call)
        return
      }
      const capabilities = await this.#storage.capabilities()
      const partitions = new PartitionManager(this.#storage, { lockTimeoutMs: this.#lockTimeoutMs })
      await step.run({ transaction, capabilities, partitions, signal: call.signal })
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error)
      throw this.#failure(migration.id, `failed at step ${index + 1}, and nothing of it was kept: ${words}`, 'ERR_TIMESCALEDB_MIGRATION', error)
    }
  }

  async #writeDown(
    direction: Direction,
    migration: Migration,
    at: { transaction: TimescaleTransaction; durationMs: number },
    call: CallOptions,
  ): Promise<void> {
    if (direction === 'down') {
      await at.transaction.execute(`delete from ${this.#table} where id = $1`, [migration.id], call)
      return
    }
    await at.transaction.execute(
      `insert into ${this.#table} (id, description, checksum, duration_ms) values ($1, $2, $3, $4)`,
      [migration.id, migration.description, checksumOf(migration), at.durationMs],
      call,
    )
  }

  /** What was applied must be what this program has, and in its order. */
  #checkHistory(applied: ReadonlyMap<string, AppliedMigration>): void {
    const changed = this.#migrations.find((migration) => applied.has(migration.id) && applied.get(migration.id)?.checksum !== checksumOf(migration))
    if (changed) {
      const remedy = 'restore it and put the change into a new migration'
      throw this.#failure(changed.id, `was altered after it was applied: ${remedy}`, 'ERR_TIMESCALEDB_MIGRATION_CHANGED')
    }
    const lastApplied = this.#migrations.findLastIndex(({ id }) => applied.has(id))
    const skipped = this.#migrations.slice(0, Math.max(0, lastApplied)).find(({ id }) => !applied.has(id))
    if (skipped && !this.#allowOutOfOrder) {
      throw this.#failure(skipped.id, 'comes before one that is applied already: give it a later id, or set allowOutOfOrder', 'ERR_TIMESCALEDB_MIGRATION_ORDER')
    }
  }

  #indexOf(id: string): number {
    const index = this.#migrations.findIndex((migration) => migration.id === id)
    if (index < 0) throw this.#failure(id, 'is not among the migrations of this program', 'ERR_TIMESCALEDB_MIGRATION')
    return index
  }

  #failure(
    id: string,
    message: string,
    code: 'ERR_TIMESCALEDB_MIGRATION' | 'ERR_TIMESCALEDB_MIGRATION_CHANGED' | 'ERR_TIMESCALEDB_MIGRATION_ORDER',
    cause?: unknown,
  ): TimescaleOperationError {
    const retryable = InfrastructureError.isInstance(cause) && cause.retryable
    return new TimescaleOperationError(`migration ${id} ${message}`, { code, cause, retryable, context: { migration: id } })
  }

  #call(options: Signalled): CallOptions {
    return { signal: options.signal, timeoutMs: this.#timeoutMs }
  }
}

/** The built-in migrations, or yours, over a storage. */
export function createMigrationManager(storage: MigrationStorage, options?: MigrationManagerOptions): MigrationManager {
  return new MigrationManager(storage, options)
}
