import {
  type CallOptions,
  type Clock,
  InfrastructureError,
  type Logger,
  silentLogger,
  systemClock,
  ValidationError,
} from '@smart-whale/interfaces'
import { hostname } from 'node:os'
import { createAdapter } from '../create-adapter.ts'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'
import { checksumOf, type Migration, readMigrations } from './migration-files.ts'
import { MigrationHistory } from './migration-history.ts'
import { type MigrationLock, takeMigrationLock } from './migration-lock.ts'
import type {
  MigrationCallOptions,
  MigrationManagerOptions,
  MigrationOutcome,
  MigrationReport,
  MigrationStatus,
  PlannedMigration,
} from './migration-options.ts'
import { changedError, type MigrationRunner, type MigrationTask, remainingStatements, runMigration } from './migration-run.ts'
import { type MigrationState, statesAfter } from './migration-state.ts'

/** Brings a database's schema from version to version. */
export interface MigrationManager {
  /** Makes the table that remembers; the others do so themselves. */
  initialize(options?: CallOptions): Promise<void>
  /** Applies one migration, or what is left of it. */
  applyMigration(migration: Migration, options?: MigrationCallOptions): Promise<MigrationReport>
  /** Takes the latest migration back, by the text that was recorded when it was applied. */
  rollbackMigration(version: number, options?: MigrationCallOptions): Promise<MigrationReport>
  /** Applies what a folder has and the database has not, in order, up to the first failure. */
  runMigrations(folder: string, options?: MigrationCallOptions): Promise<MigrationReport>
  /** Where each migration of the folder and of the database stands. */
  getStatus(folder: string, options?: CallOptions): Promise<MigrationStatus[]>
  /** Says of a statement whose answer never came whether it took effect, so that the next run knows where to go on. */
  settleMigration(version: number, outcome: 'took-effect' | 'took-no-effect', options?: CallOptions): Promise<void>
  /** Closes an adapter that the manager made itself; one that was handed in stays open. May be called twice. */
  close(): Promise<void>
}

/**
 * Makes a {@link MigrationManager} over an adapter; without one, over an adapter of its own, by the `CLICKHOUSE_*` variables.
 * The adapter's user must be allowed to create, alter and drop tables.
 */
export function createMigrationManager(adapter?: ClickHouseAdapter, options: MigrationManagerOptions = {}): MigrationManager {
  if (adapter !== undefined) return new LockedMigrationManager(adapter, options)
  const own = createAdapter({}, { logger: options.logger, clock: options.clock })
  return new LockedMigrationManager(own, options, () => own.close())
}

type States = ReadonlyMap<number, MigrationState>

class LockedMigrationManager implements MigrationManager {
  readonly #adapter: ClickHouseAdapter
  readonly #options: MigrationManagerOptions
  readonly #history: MigrationHistory
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timeoutMs: number
  readonly #closeAdapter: () => Promise<void>

  constructor(adapter: ClickHouseAdapter, options: MigrationManagerOptions, closeAdapter = async (): Promise<void> => {}) {
    this.#closeAdapter = closeAdapter
    this.#adapter = adapter
    this.#options = options
    this.#history = new MigrationHistory(adapter, this.#table)
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger ?? silentLogger
    this.#timeoutMs = options.timeoutMs ?? 600_000
  }

  async initialize(options: CallOptions = {}): Promise<void> {
    await this.#history.create(this.#callOf(options))
  }

  async runMigrations(folder: string, options: MigrationCallOptions = {}): Promise<MigrationReport> {
    const migrations = await readMigrations(folder)
    return this.#run((states) => this.#pendingTasks(migrations, states), options)
  }

  async applyMigration(migration: Migration, options: MigrationCallOptions = {}): Promise<MigrationReport> {
    return this.#run((states) => this.#pendingTasks([migration], states), options)
  }

  async rollbackMigration(version: number, options: MigrationCallOptions = {}): Promise<MigrationReport> {
    return this.#run((states) => [this.#rollbackTask(version, states)], options)
  }

  async getStatus(folder: string, options: CallOptions = {}): Promise<MigrationStatus[]> {
    const migrations = await readMigrations(folder)
    const states = await this.#readStates(this.#callOf(options))
    const known = new Set(migrations.map(({ version }) => version))
    const missing = [...states.values()].filter(({ version, state }) => !known.has(version) && state !== 'rolled-back')
    return [
      ...migrations.map((migration) => statusOf(migration, states.get(migration.version))),
      ...missing.map((state) => statusOf(undefined, state)),
    ].sort((one, other) => one.version - other.version)
  }

  async settleMigration(version: number, outcome: 'took-effect' | 'took-no-effect', options: CallOptions = {}): Promise<void> {
    await this.#locked(options.signal, async (runner) => {
      const state = (await this.#readStates(runner.call)).get(version)
      if (state?.uncertain === undefined)
        throw wrongVersion(version, 'has no statement whose effect is unknown; getStatus tells which one has')
      const { name, direction, uncertain } = state
      const event = outcome === 'took-effect' ? 'done' : 'failed'
      const error = outcome === 'took-effect' ? '' : 'took no effect, as settled by hand'
      await this.#history.record(
        { version, name, direction, event, ...uncertain, down: '', error },
        runner.lock.epoch,
        runner.nextStep(),
        runner.call,
      )
    })
  }

  async close(): Promise<void> {
    await this.#closeAdapter()
  }

  /** Everything that changes the database goes through here: under the lock, by what the history says once the lock is held. */
  async #run(plan: (states: States) => MigrationTask[], options: MigrationCallOptions): Promise<MigrationReport> {
    if (options.dryRun === true) {
      const tasks = plan(await this.#readStates(this.#callOf(options)))
      return { dryRun: true, succeeded: [], failed: [], planned: tasks.map(planned) }
    }
    return this.#locked(options.signal, async (runner) => this.#runAll(plan(await this.#readStates(runner.call)), runner))
  }

  async #runAll(tasks: readonly MigrationTask[], runner: MigrationRunner): Promise<MigrationReport> {
    const succeeded: MigrationOutcome[] = []
    for (const [index, task] of tasks.entries()) {
      const outcome = await this.#runOne(task, runner)
      if (outcome.error !== undefined) return { dryRun: false, succeeded, failed: [outcome], planned: tasks.slice(index + 1).map(planned) }
      succeeded.push(outcome)
    }
    return { dryRun: false, succeeded, failed: [], planned: [] }
  }

  async #runOne(task: MigrationTask, runner: MigrationRunner): Promise<MigrationOutcome> {
    const { version, name, direction } = task
    const startedAt = this.#clock.monotonic()
    const outcome = (statements: number): MigrationOutcome => ({
      version,
      name,
      statements,
      durationMs: Math.round(this.#clock.monotonic() - startedAt),
    })
    try {
      const done = outcome(await runMigration(task, runner))
      this.#logger.info({ ...done, direction }, 'a migration was run')
      return done
    } catch (error) {
      this.#logger.error({ err: error, version, name, direction }, 'a migration failed')
      // A lock that was lost is why the statement was ended, and the better thing to say.
      const reason: unknown = runner.lock.signal.aborted ? runner.lock.signal.reason : error
      return {
        ...outcome(0),
        error: InfrastructureError.isInstance(reason)
          ? reason
          : new OperationalError('the migration failed; see the cause', { cause: reason }),
      }
    }
  }

  async #locked<T>(signal: AbortSignal | undefined, work: (runner: MigrationRunner) => Promise<T>): Promise<T> {
    const waiting = this.#callOf({ signal })
    await this.#history.create(waiting)
    const lock = await this.#takeLock(waiting)
    try {
      let step = 0
      const call = this.#callOf({ signal: signal === undefined ? lock.signal : AbortSignal.any([signal, lock.signal]) })
      return await work({ adapter: this.#adapter, history: this.#history, lock, nextStep: () => step++, call })
    } finally {
      await lock
        .release()
        .catch((error: unknown) => this.#logger.warn({ err: error }, 'the migration lock could not be released; it ends with its lease'))
    }
  }

  async #takeLock(call: CallOptions): Promise<MigrationLock> {
    const { leaseSeconds = 30, lockTimeoutMs = 60_000, holder = `${hostname()}:${process.pid}` } = this.#options
    const firstEpoch = async (): Promise<number> =>
      (await this.#history.read(call)).reduce((highest, { epoch }) => Math.max(highest, epoch + 1), 1)
    const options = { adapter: this.#adapter, prefix: `${this.#table}_lock_`, holder, leaseSeconds, lockTimeoutMs, clock: this.#clock }
    return takeMigrationLock(options, firstEpoch, call)
  }

  #pendingTasks(migrations: readonly Migration[], states: States): MigrationTask[] {
    const applied = [...states.values()].filter(({ state }) => state === 'applied')
    const latest = applied.reduce((highest, { version }) => Math.max(highest, version), 0)
    return migrations.flatMap((migration) => {
      const { version, name, up, down } = migration
      const state = states.get(version)
      if (state?.state === 'applied') {
        if (state.checksum !== checksumOf(up))
          throw changedError(migration, 'was applied and reads differently now; put it back and write a new migration')
        return []
      }
      if (state?.state === 'half-done' && state.direction === 'down') {
        throw orderError(`migration ${version} "${name}" is half taken back; finish that first, by rollbackMigration(${version})`, version)
      }
      if (version < latest && state?.state !== 'half-done' && this.#options.allowOutOfOrder !== true) {
        throw orderError(
          `migration ${version} "${name}" comes before ${latest}, which is applied; give it a higher number, or set allowOutOfOrder`,
          version,
        )
      }
      return [{ version, name, direction: 'up' as const, text: up, down: down ?? '', state }]
    })
  }

  #rollbackTask(version: number, states: States): MigrationTask {
    const state = states.get(version)
    if (state === undefined || state.state === 'rolled-back') throw wrongVersion(version, 'is not applied; there is nothing to take back')
    const later = [...states.values()].find((other) => other.version > version && other.state !== 'rolled-back')
    if (later !== undefined && this.#options.allowOutOfOrder !== true)
      throw orderError(`migration ${later.version} "${later.name}" comes after ${version}; take it back first`, version)
    if (state.down === '') {
      const message = `migration ${version} "${state.name}" had no .down.sql when it was applied; write a new migration that undoes it`
      throw new OperationalError(message, { code: 'ERR_CLICKHOUSE_MIGRATION_IRREVERSIBLE', status: 409, context: { version } })
    }
    return { version, name: state.name, direction: 'down', text: state.down, down: '', state }
  }

  async #readStates(call: CallOptions): Promise<States> {
    return statesAfter(await this.#history.read(call))
  }

  #callOf({ signal, timeoutMs }: CallOptions): CallOptions {
    return { signal, timeoutMs: timeoutMs ?? this.#timeoutMs }
  }

  get #table(): string {
    return this.#options.table ?? 'smart_whale_migrations'
  }
}

function planned(task: MigrationTask): PlannedMigration {
  return { version: task.version, name: task.name, statements: remainingStatements(task).map(({ statement }) => statement) }
}

function statusOf(migration: Migration | undefined, state: MigrationState | undefined): MigrationStatus {
  const { version, name } = (migration ?? state) as Pick<Migration, 'version' | 'name'>
  if (state === undefined || state.state === 'rolled-back')
    return { version, name, state: 'pending', statementsDone: 0, uncertain: false, error: null, at: null }
  const changed = migration !== undefined && state.state === 'applied' && checksumOf(migration.up) !== state.checksum
  return {
    version,
    name,
    state: changed
      ? 'changed'
      : migration === undefined && state.state === 'applied'
        ? 'missing'
        : (state.state as 'applied' | 'half-done'),
    statementsDone: state.done.length,
    uncertain: state.uncertain !== undefined,
    error: state.error ?? null,
    at: state.at,
  }
}

function orderError(message: string, version: number): OperationalError {
  return new OperationalError(message, { code: 'ERR_CLICKHOUSE_MIGRATION_ORDER', status: 409, context: { version } })
}

function wrongVersion(version: number, what: string): ValidationError<ClickHouseErrorCode> {
  return new ValidationError<ClickHouseErrorCode>(`migration ${version} ${what}`, {
    code: 'ERR_CLICKHOUSE_MIGRATION_ORDER',
    issues: [{ path: ['version'], message: what }],
  })
}
