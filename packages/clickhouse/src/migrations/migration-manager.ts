import { type CallOptions, type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { hostname } from 'node:os'
import { createAdapter } from '../create-adapter.ts'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { requireOneServer } from '../servers/one-place.ts'
import { DeclaredSchemas, declaredAfter } from './declared-schema.ts'
import { driftBetween, readSchema, type Schema } from './drift.ts'
import { type Migration, readMigrations } from './migration-files.ts'
import { MigrationHistory } from './migration-history.ts'
import { type MigrationLock, takeMigrationLock } from './migration-lock.ts'
import type { DriftReport, MigrationCallOptions, MigrationManagerOptions, MigrationOutcome, MigrationReport, MigrationStatus, SettleOptions } from './migration-options.ts'
import { pendingTasks, planned, type PlanRules, rollbackTask, type States, statusOfAll, wrongVersion } from './migration-plan.ts'
import { asInfrastructureError, type MigrationRunner, type MigrationTask, runMigration, StatementFailure } from './migration-run.ts'
import { statesAfter } from './migration-state.ts'
import { splitStatements } from './migration-statements.ts'
import { type ShardedTables, statementsFor, tablesThatShard } from './statements-for-topology.ts'
import { planOf, type Topology } from './topology.ts'

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
  settleMigration(version: number, outcome: 'took-effect' | 'took-no-effect', options?: SettleOptions): Promise<void>
  /** What of the database is not as the latest run left it: what was changed by other hands. */
  getDrift(options?: CallOptions): Promise<DriftReport>
  /** Takes the database as it is for declared: what was changed by other hands is no drift any more. */
  acceptDrift(options?: CallOptions): Promise<void>
  /** Closes an adapter that the manager made itself; one that was handed in stays open. May be called twice. */
  close(): Promise<void>
}

/**
 * Makes a {@link MigrationManager} over an adapter; without one, over an adapter of its own, by the `CLICKHOUSE_*` variables.
 * The adapter's user must be allowed to create, alter and drop tables.
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` for an adapter over several servers: what was applied is remembered at one
 */
export function createMigrationManager(adapter?: ClickHouseAdapter, options: MigrationManagerOptions = {}): MigrationManager {
  if (adapter !== undefined) return new LockedMigrationManager(adapter, options)
  const own = createAdapter({}, { logger: options.logger, clock: options.clock })
  return new LockedMigrationManager(own, options, () => own.close())
}

const LEASE_SECONDS = 30

class LockedMigrationManager implements MigrationManager {
  readonly #adapter: ClickHouseAdapter
  readonly #options: MigrationManagerOptions
  readonly #history: MigrationHistory
  readonly #declared: DeclaredSchemas
  readonly #topology: Topology
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timeoutMs: number
  readonly #closeAdapter: () => Promise<void>

  constructor(adapter: ClickHouseAdapter, options: MigrationManagerOptions, closeAdapter = async (): Promise<void> => {}) {
    requireOneServer(adapter, 'migrations')
    this.#closeAdapter = closeAdapter
    this.#adapter = adapter
    this.#options = options
    this.#history = new MigrationHistory(adapter, this.#table)
    this.#declared = new DeclaredSchemas(adapter, `${this.#table}_schema`)
    this.#topology = options.topology ?? { kind: 'single' }
    planOf(this.#topology)
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger ?? silentLogger
    this.#timeoutMs = options.timeoutMs ?? 600_000
  }

  async initialize(options: CallOptions = {}): Promise<void> {
    await this.#history.create(this.#callOf(options))
  }

  async runMigrations(folder: string, options: MigrationCallOptions = {}): Promise<MigrationReport> {
    const migrations = await readMigrations(folder)
    return this.#run(migrations, (states, rules) => pendingTasks(migrations.filter(({ version }) => version <= (options.upTo ?? Infinity)), states, rules), options)
  }

  async applyMigration(migration: Migration, options: MigrationCallOptions = {}): Promise<MigrationReport> {
    return this.#run([migration], (states, rules) => pendingTasks([migration], states, rules), options)
  }

  async rollbackMigration(version: number, options: MigrationCallOptions = {}): Promise<MigrationReport> {
    return this.#run([], (states, rules) => [rollbackTask(version, states, rules)], options)
  }

  async getStatus(folder: string, options: CallOptions = {}): Promise<MigrationStatus[]> {
    return statusOfAll(await readMigrations(folder), await this.#readStates(this.#callOf(options)))
  }

  async getDrift(options: CallOptions = {}): Promise<DriftReport> {
    const call = this.#callOf(options)
    const declared = await this.#declared.latest(call)
    if (declared === undefined) return { since: null, drift: [] }
    return { since: declared.at, drift: driftBetween(declared.schema, await this.#readSchema(call)) }
  }

  async acceptDrift(options: CallOptions = {}): Promise<void> {
    await this.#locked(options.signal, async ({ lock, call }) => this.#declared.record(await this.#readSchema(call), lock.epoch, call))
  }

  async settleMigration(version: number, outcome: 'took-effect' | 'took-no-effect', options: SettleOptions = {}): Promise<void> {
    await this.#locked(options.signal, async (runner) => {
      const state = (await this.#readStates(runner.call)).get(version)
      if (state?.uncertain === undefined)
        throw wrongVersion(version, 'has no statement whose effect is unknown; getStatus tells which one has')
      const { name, direction, uncertain } = state
      const { statement, checksum } = uncertain
      if (options.statement !== undefined && options.statement !== statement + 1)
        throw wrongVersion(version, `is uncertain at statement ${statement + 1} by now, not at ${options.statement}; look again`)
      const event = outcome === 'took-effect' ? 'done' : 'failed'
      const error = outcome === 'took-effect' ? '' : 'took no effect, as settled by hand'
      await this.#history.record(
        { version, name, direction, event, statement, checksum, down: '', error },
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
  async #run(migrations: readonly Migration[], plan: (states: States, rules: PlanRules) => MigrationTask[], options: MigrationCallOptions): Promise<MigrationReport> {
    if (options.dryRun === true) {
      const call = this.#callOf(options)
      const tasks = plan(await this.#readStates(call), await this.#rules(migrations, call))
      return { dryRun: true, succeeded: [], failed: [], planned: tasks.map(planned) }
    }
    return this.#locked(options.signal, async (runner) => {
      const tasks = plan(await this.#readStates(runner.call), await this.#rules(migrations, runner.call))
      if (tasks.length === 0) return { dryRun: false, succeeded: [], failed: [], planned: [] }
      const before = await this.#readSchema(runner.call)
      const report = await this.#runAll(tasks, runner)
      await this.#declare(before, runner)
      return report
    })
  }

  /** Writes down how this run left the database. When that fails, drift is told against an earlier run: no reason to fail a run that is done. */
  async #declare(before: Schema, { lock }: MigrationRunner): Promise<void> {
    const call = this.#callOf({})
    try {
      const declared = await this.#declared.latest(call)
      await this.#declared.record(declaredAfter(declared?.schema, before, await this.#readSchema(call)), lock.epoch, call)
    } catch (error) {
      this.#logger.warn({ err: error }, 'how the migrations left the database could not be written down; drift is told against an earlier run')
    }
  }

  async #rules(migrations: readonly Migration[], call: CallOptions): Promise<PlanRules> {
    const sharded = this.#topology.kind === 'distributed' ? await this.#shardedTables(migrations, call) : new Set<string>()
    return {
      allowOutOfOrder: this.#options.allowOutOfOrder === true,
      statementsOf: (text) => splitStatements(text).flatMap((statement) => statementsFor(statement, this.#topology, sharded)),
    }
  }

  /** Tables that stand for shards already, or will once these migrations are applied. */
  async #shardedTables(migrations: readonly Migration[], call: CallOptions): Promise<ShardedTables> {
    const query = "SELECT name FROM system.tables WHERE database = {database:String} AND engine = 'Distributed'"
    const { rows } = await this.#adapter.execute<{ name: string }>(query, { database: this.#adapter.database }, call)
    return new Set([...rows.map(({ name }) => name), ...migrations.flatMap(({ up }) => tablesThatShard(splitStatements(up)))])
  }

  async #readSchema(call: CallOptions): Promise<Schema> {
    return readSchema(this.#adapter, this.#table, call)
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
      const cause: unknown = error instanceof StatementFailure ? error.cause : error
      const failed: Pick<MigrationOutcome, 'failedAt'> = error instanceof StatementFailure ? { failedAt: { place: error.at.index + 1, statement: error.at.statement } } : {}
      return { ...outcome(0), ...failed, error: asInfrastructureError(runner.lock.signal.aborted ? runner.lock.signal.reason : cause) }
    }
  }

  async #locked<T>(signal: AbortSignal | undefined, work: (runner: MigrationRunner) => Promise<T>): Promise<T> {
    const waiting = this.#callOf({ signal })
    await this.#history.create(waiting)
    const lock = await this.#takeLock(waiting)
    try {
      let step = 0
      const call = this.#callOf({ signal: signal === undefined ? lock.signal : AbortSignal.any([signal, lock.signal]) })
      const identity = await this.#history.identify(call)
      return await work({ adapter: this.#adapter, history: this.#history, identity, lock, clock: this.#clock, onItsWayMs: this.#onItsWayMs, nextStep: () => step++, call, onStatement: this.#options.onStatement })
    } catch (error) {
      // A lock that was lost is why calls were ended, and the better thing to say.
      throw lock.signal.aborted && signal?.aborted !== true ? lock.signal.reason : error
    } finally {
      await lock
        .release()
        .catch((error: unknown) => this.#logger.warn({ err: error }, 'the migration lock could not be released; it ends with its lease'))
    }
  }

  async #takeLock(call: CallOptions): Promise<MigrationLock> {
    const { leaseSeconds = LEASE_SECONDS, lockTimeoutMs = 60_000, holder = `${hostname()}:${process.pid}` } = this.#options
    const firstEpoch = async (): Promise<number> =>
      (await this.#history.read(call)).reduce((highest, { epoch }) => Math.max(highest, epoch + 1), 1)
    const options = { adapter: this.#adapter, prefix: `${this.#table}_lock_`, holder, leaseSeconds, lockTimeoutMs, clock: this.#clock }
    return takeMigrationLock(options, firstEpoch, call)
  }

  async #readStates(call: CallOptions): Promise<States> {
    return statesAfter(await this.#history.read(call))
  }

  #callOf({ signal, timeoutMs }: CallOptions): CallOptions {
    return { signal, timeoutMs: timeoutMs ?? this.#timeoutMs }
  }

  /** Whoever takes over from a dead runner has waited for a lease already. */
  get #onItsWayMs(): number {
    return Math.min(5000, (this.#options.leaseSeconds ?? LEASE_SECONDS) * 1000)
  }

  get #table(): string {
    return this.#options.table ?? 'smart_whale_migrations'
  }
}
