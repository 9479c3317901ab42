import { hostname } from 'node:os'
import { type CallOptions, silentLogger, systemClock } from '@smart-whale/interfaces'
import { quoteName, splitTableName } from '../../adapter/table-columns.ts'
import { takeMigrationLock } from '../../migrations/migration-lock.ts'
import type { DefinedMetrics } from '../definition/define-metrics.ts'
import type { MetricsModel } from '../definition/metrics-model.ts'
import { type Building, buildRollup, dropMark, finishRollup, rollupError, rollupState } from './build-rollup.ts'
import type { RollupCallOptions, RollupManager, RollupManagerOptions, RollupOutcome, RollupStatus } from './rollup-options.ts'
import { namesOf, readMark, type RollupState, RollupStatements } from './rollup-statements.ts'

const LOCK = 'sw_rollup_lock_'

/**
 * Makes the manager of a definition's rollups.
 * @example
 * const rollups = createRollupManager(shop, { adapter: owner })
 * await rollups.apply()
 */
export function createRollupManager(metrics: DefinedMetrics, options: RollupManagerOptions): RollupManager {
  return new TableRollups(metrics.model, options)
}

interface FormerTable {
  readonly database: string
  readonly name: string
  readonly state: RollupState
}

class TableRollups implements RollupManager {
  readonly #model: MetricsModel
  readonly #options: RollupManagerOptions

  constructor(model: MetricsModel, options: RollupManagerOptions) {
    this.#model = model
    this.#options = options
  }

  async apply(options: RollupCallOptions = {}): Promise<RollupOutcome[]> {
    return this.#locked(options, async (building) => {
      const outcomes: RollupOutcome[] = []
      for (const statements of this.#chosen(options)) outcomes.push(await this.#applyOne(statements, building))
      return outcomes
    })
  }

  async status(options: RollupCallOptions = {}): Promise<RollupStatus[]> {
    const call = this.#call(options)
    return Promise.all(
      this.#chosen(options).map(async ({ rollup, statements }) => ({
        rollup,
        table: statements.table,
        state: (await rollupState(statements, this.#options.adapter, call)) ?? 'missing',
        former: (await this.#tablesOf(rollup, statements, call)).filter(({ name }) => name !== statements.table).map(({ name }) => name),
      })),
    )
  }

  async drop(options: RollupCallOptions = {}): Promise<string[]> {
    return this.#locked(options, async (building) => {
      const dropped: string[] = []
      for (const { rollup, statements } of this.#chosen(options)) {
        for (const table of await this.#tablesOf(rollup, statements, building.call)) dropped.push(await this.#dropTable(table, statements, building))
      }
      return dropped
    })
  }

  async #applyOne({ rollup, statements }: Chosen, building: Building): Promise<RollupOutcome> {
    const state = await rollupState(statements, building.adapter, building.call)
    let rows = 0
    if (state === 'filled') await finishRollup(statements, building)
    else if (state !== 'ready') rows = await buildRollup(statements, building)
    const former = (await this.#tablesOf(rollup, statements, building.call)).filter(({ name }) => name !== statements.table)
    const dropped: string[] = []
    for (const table of former) dropped.push(await this.#dropTable(table, statements, building))
    const outcome = state === 'ready' ? 'there' : state === 'filled' ? 'finished' : 'made'
    return { rollup, table: statements.table, outcome, rows, dropped }
  }

  /** Tables of a rollup, whatever its definition was when they were made. */
  async #tablesOf(rollup: string, { source }: RollupStatements, call: CallOptions): Promise<FormerTable[]> {
    const { adapter } = this.#options
    const [database] = splitTableName(source.table, adapter.database)
    const { rows } = await adapter.execute<{ name: string; comment: string }>(
      'SELECT name, comment FROM system.tables WHERE database = {database:String} AND startsWith(name, {start:String})',
      { database, start: namesOf(rollup) },
      call,
    )
    return rows.flatMap(({ name, comment }) => {
      const mark = readMark(comment)
      return mark?.rollup === rollup ? [{ database, name, state: mark.state }] : []
    })
  }

  /** The view first: an insert that knows it still finds its table. */
  async #dropTable({ database, name, state }: FormerTable, { source }: RollupStatements, building: Building): Promise<string> {
    const { adapter, call } = building
    const qualified = (table: string): string => `${quoteName(database)}.${quoteName(table)}`
    await building.step(`drop ${name}`)
    await adapter.execute(`DROP VIEW IF EXISTS ${qualified(`${name}_view`)} SYNC`, {}, call)
    // One that was ready has left its source before.
    if (state !== 'ready') await dropMark(source.table, name, building)
    await adapter.execute(`DROP TABLE IF EXISTS ${qualified(name)}`, {}, call)
    return name
  }

  #chosen({ only }: RollupCallOptions): Chosen[] {
    const unknown = only?.find((name) => !this.#model.rollups.has(name))
    if (unknown !== undefined) throw rollupError(`there is no rollup "${unknown}" in the definition`, 404)
    const rollups = [...this.#model.rollups.values()].filter(({ name }) => only === undefined || only.includes(name))
    return rollups.map((rollup) => ({ rollup: rollup.name, statements: new RollupStatements(this.#model, rollup) }))
  }

  #call({ signal, timeoutMs }: RollupCallOptions): CallOptions {
    return { signal, timeoutMs: timeoutMs ?? this.#options.timeoutMs ?? 3_600_000 }
  }

  /** One process at a time; who loses the lock stops before its next statement. */
  async #locked<T>(options: RollupCallOptions, work: (building: Building) => Promise<T>): Promise<T> {
    const { adapter, clock = systemClock, logger = silentLogger, leaseSeconds = 30, lockTimeoutMs = 60_000, waitForInsertsMs = 300_000 } = this.#options
    const holder = this.#options.holder ?? `${hostname()}:${process.pid}`
    // Every holder has an epoch of its own, so that a lock that was taken over is never taken for one's own.
    const epoch = clock.now()
    const lock = await takeMigrationLock({ adapter, prefix: LOCK, holder, leaseSeconds, lockTimeoutMs, clock }, async () => epoch, { timeoutMs: 30_000, signal: options.signal })
    const call = this.#call(options)
    const signal = call.signal === undefined ? lock.signal : AbortSignal.any([call.signal, lock.signal])
    const step = async (what: string): Promise<void> => {
      await lock.assertHeld()
      logger.info({ step: what }, 'rollups')
    }
    try {
      return await work({ adapter, waitForInsertsMs, clock, call: { ...call, signal }, step })
    } finally {
      await lock.release()
    }
  }
}

interface Chosen {
  readonly rollup: string
  readonly statements: RollupStatements
}
