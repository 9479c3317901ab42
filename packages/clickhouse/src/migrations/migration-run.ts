import type { CallOptions } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { ClickHouseBaseError } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'
import { checksumOf } from './migration-files.ts'
import type { Direction, MigrationEvent, MigrationHistory } from './migration-history.ts'
import type { MigrationLock } from './migration-lock.ts'
import type { MigrationState } from './migration-state.ts'
import { isRepeatable, leavesNothingWhenItFails, splitStatements } from './migration-statements.ts'

/** One migration in one direction. */
export interface MigrationTask {
  readonly version: number
  readonly name: string
  readonly direction: Direction
  readonly text: string
  /** Text that takes it back, recorded when an `up` begins. */
  readonly down: string
  /** Where it stands. */
  readonly state: MigrationState | undefined
}

/** What a run works with. */
export interface MigrationRunner {
  readonly adapter: ClickHouseAdapter
  readonly history: MigrationHistory
  readonly lock: MigrationLock
  readonly nextStep: () => number
  /** Bounds one statement. */
  readonly call: CallOptions
}

/**
 * The statements of a task that are still to be sent, with their places in the whole.
 * @throws OperationalError `ERR_CLICKHOUSE_MIGRATION_CHANGED` when a statement that took effect reads differently now
 * @throws OperationalError `ERR_CLICKHOUSE_MIGRATION_UNCERTAIN` when nobody knows whether the next one took effect, and sending it twice may harm
 */
export function remainingStatements(task: MigrationTask): { index: number; statement: string }[] {
  const statements = splitStatements(task.text)
  const { done, uncertain } = progressOf(task)
  const changed = done.findIndex((checksum, index) => statements[index] === undefined || checksumOf(statements[index]) !== checksum)
  if (changed !== -1) throw changedError(task, `statement ${changed + 1}, which took effect, reads differently now; put it back as it was`)
  const next = statements[done.length]
  if (uncertain !== undefined && next !== undefined && !isRepeatable(next)) throw uncertainError(task, next)
  return statements.map((statement, index) => ({ index, statement })).slice(done.length)
}

/** Sends what is left of a task, one statement after the other, each written down before and after. Tells how many were sent. */
export async function runMigration(task: MigrationTask, runner: MigrationRunner): Promise<number> {
  const { history, lock, nextStep, call } = runner
  const remaining = remainingStatements(task)
  const record = async (
    event: MigrationEvent['event'],
    statement: number,
    checksum: string,
    more: { down?: string; error?: string } = {},
  ): Promise<void> => {
    const { version, name, direction } = task
    await history.record(
      { version, name, direction, event, statement, checksum, down: '', error: '', ...more },
      lock.epoch,
      nextStep(),
      call,
    )
  }

  await record('started', 0, checksumOf(task.text), { down: task.down })
  for (const { index, statement } of remaining) {
    const checksum = checksumOf(statement)
    await lock.assertHeld()
    await record('begun', index, checksum)
    try {
      await runner.adapter.execute(statement, {}, { ...call, retry: false })
    } catch (error) {
      if (tookNoEffect(error, statement)) await record('failed', index, checksum, { error: (error as Error).message })
      throw error
    }
    await record('done', index, checksum)
  }
  await record('finished', 0, checksumOf(task.text))
  return remaining.length
}

function progressOf({ state, direction }: MigrationTask): Pick<MigrationState, 'done' | 'uncertain'> {
  return state?.state === 'half-done' && state.direction === direction ? state : { done: [], uncertain: undefined }
}

/** Whether the server itself said no, to a statement that does nothing by halves. Anything else may have taken effect behind the failure. */
function tookNoEffect(error: unknown, statement: string): boolean {
  if (!ClickHouseBaseError.isInstance(error) || error.serverCode === undefined) return false
  const ended = error.code === 'ERR_CLICKHOUSE_QUERY_TIMEOUT' || error.code === 'ERR_CLICKHOUSE_QUERY_CANCELLED'
  return !ended && leavesNothingWhenItFails(statement)
}

/** The error for a migration whose text is not what was applied. */
export function changedError({ version, name }: Pick<MigrationTask, 'version' | 'name'>, what: string): OperationalError {
  return new OperationalError(`migration ${version} "${name}": ${what}`, {
    code: 'ERR_CLICKHOUSE_MIGRATION_CHANGED',
    status: 409,
    context: { version },
  })
}

function uncertainError({ version, name, state }: MigrationTask, statement: string): OperationalError {
  const place = (state?.done.length ?? 0) + 1
  const start = statement.slice(0, 80).replace(/\s+/g, ' ')
  return new OperationalError(
    `migration ${version} "${name}": statement ${place} (${start}) was sent, and the run ended before its answer came. ` +
      `See whether it took effect and say so by settleMigration(${version}, 'took-effect' or 'took-no-effect'), then run again`,
    { code: 'ERR_CLICKHOUSE_MIGRATION_UNCERTAIN', status: 409, context: { version, statement: place } },
  )
}
