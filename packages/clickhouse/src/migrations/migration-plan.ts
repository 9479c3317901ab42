import { ValidationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'
import { checksumOf, type Migration } from './migration-files.ts'
import type { MigrationStatus, PlannedMigration } from './migration-options.ts'
import { changedError, type MigrationTask, remainingStatements } from './migration-run.ts'
import type { MigrationState } from './migration-state.ts'

/** Where each migration stands, by its version. */
export type States = ReadonlyMap<number, MigrationState>

/** What decides which tasks there are. */
export interface PlanRules {
  readonly allowOutOfOrder: boolean
  /** The statements that a migration's text comes to, on the servers that there are. */
  readonly statementsOf: (text: string) => string[]
}

/**
 * What is still to be applied of these migrations, in order.
 * @throws OperationalError `ERR_CLICKHOUSE_MIGRATION_CHANGED`, `ERR_CLICKHOUSE_MIGRATION_ORDER`
 */
export function pendingTasks(migrations: readonly Migration[], states: States, { allowOutOfOrder, statementsOf }: PlanRules): MigrationTask[] {
  const applied = [...states.values()].filter(({ state }) => state === 'applied')
  const latest = applied.reduce((highest, { version }) => Math.max(highest, version), 0)
  return migrations.flatMap((migration) => {
    const { version, name, up, down } = migration
    const state = states.get(version)
    if (state?.state === 'applied') {
      if (state.checksum !== checksumOf(up)) throw changedError(migration, 'was applied and reads differently now; put it back and write a new migration')
      return []
    }
    if (state?.state === 'half-done' && state.direction === 'down')
      throw orderError(`migration ${version} "${name}" is half taken back; finish that first, by rollbackMigration(${version})`, version)
    if (version < latest && state?.state !== 'half-done' && !allowOutOfOrder)
      throw orderError(`migration ${version} "${name}" comes before ${latest}, which is applied; give it a higher number, or set allowOutOfOrder`, version)
    return [{ version, name, direction: 'up' as const, text: up, statements: statementsOf(up), down: down ?? '', state }]
  })
}

/**
 * What takes a migration back.
 * @throws ValidationError `ERR_CLICKHOUSE_MIGRATION_ORDER` when it is not applied
 * @throws OperationalError `ERR_CLICKHOUSE_MIGRATION_ORDER`, `ERR_CLICKHOUSE_MIGRATION_IRREVERSIBLE`
 */
export function rollbackTask(version: number, states: States, { allowOutOfOrder, statementsOf }: PlanRules): MigrationTask {
  const state = states.get(version)
  if (state === undefined || state.state === 'rolled-back') throw wrongVersion(version, 'is not applied; there is nothing to take back')
  const later = [...states.values()].find((other) => other.version > version && other.state !== 'rolled-back')
  if (later !== undefined && !allowOutOfOrder) throw orderError(`migration ${later.version} "${later.name}" comes after ${version}; take it back first`, version)
  if (state.down === '') {
    const message = `migration ${version} "${state.name}" had no .down.sql when it was applied; write a new migration that undoes it`
    throw new OperationalError(message, { code: 'ERR_CLICKHOUSE_MIGRATION_IRREVERSIBLE', status: 409, context: { version } })
  }
  return { version, name: state.name, direction: 'down', text: state.down, statements: statementsOf(state.down), down: '', state }
}

/** A task as a dry run tells it. */
export function planned(task: MigrationTask): PlannedMigration {
  return { version: task.version, name: task.name, statements: remainingStatements(task).map(({ statement }) => statement) }
}

/** Where the migrations of a folder and of the database stand, in order. */
export function statusOfAll(migrations: readonly Migration[], states: States): MigrationStatus[] {
  const known = new Set(migrations.map(({ version }) => version))
  const missing = [...states.values()].filter(({ version, state }) => !known.has(version) && state !== 'rolled-back')
  return [...migrations.map((migration) => statusOf(migration, states.get(migration.version))), ...missing.map((state) => statusOf(undefined, state))].sort(
    (one, other) => one.version - other.version,
  )
}

function statusOf(migration: Migration | undefined, state: MigrationState | undefined): MigrationStatus {
  const { version, name } = (migration ?? state) as Pick<Migration, 'version' | 'name'>
  if (state === undefined || state.state === 'rolled-back') return { version, name, state: 'pending', statementsDone: 0, uncertain: false, error: null, at: null }
  const common = { version, name, statementsDone: state.done.length, uncertain: state.uncertain !== undefined, error: state.error ?? null, at: state.at }
  if (state.state === 'half-done') return { ...common, state: 'half-done' }
  if (migration === undefined) return { ...common, state: 'missing' }
  return { ...common, state: checksumOf(migration.up) === state.checksum ? 'applied' : 'changed' }
}

function orderError(message: string, version: number): OperationalError {
  return new OperationalError(message, { code: 'ERR_CLICKHOUSE_MIGRATION_ORDER', status: 409, context: { version } })
}

/** The error for a version that a call can't be about. */
export function wrongVersion(version: number, what: string): ValidationError<ClickHouseErrorCode> {
  return new ValidationError<ClickHouseErrorCode>(`migration ${version} ${what}`, {
    code: 'ERR_CLICKHOUSE_MIGRATION_ORDER',
    issues: [{ path: ['version'], message: what }],
  })
}
