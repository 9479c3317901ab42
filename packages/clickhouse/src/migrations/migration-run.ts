import { type CallOptions, type Clock, InfrastructureError } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { ClickHouseBaseError } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'
import { checksumOf } from './migration-files.ts'
import type { Direction, HistoryIdentity, MigrationEvent, MigrationHistory } from './migration-history.ts'
import type { MigrationLock } from './migration-lock.ts'
import type { MigrationManagerOptions } from './migration-options.ts'
import type { MigrationState } from './migration-state.ts'
import { isRepeatable, leavesNothingWhenItFails } from './migration-statements.ts'
import { fateOf, type SentStatement, waitUntilItEnded } from './statement-fate.ts'

/** One migration in one direction. */
export interface MigrationTask {
  readonly version: number
  readonly name: string
  readonly direction: Direction
  /** As it was written. */
  readonly text: string
  /** What is sent for it. */
  readonly statements: readonly string[]
  /** Text that takes it back, recorded when an `up` begins. */
  readonly down: string
  /** Where it stands. */
  readonly state: MigrationState | undefined
}

/** What a run works with. */
export interface MigrationRunner {
  readonly adapter: ClickHouseAdapter
  readonly history: MigrationHistory
  readonly identity: HistoryIdentity
  readonly lock: MigrationLock
  readonly clock: Clock
  /** How long a request may be on its way after its sender died, in milliseconds. */
  readonly onItsWayMs: number
  readonly nextStep: () => number
  /** Bounds one statement. */
  readonly call: CallOptions
  readonly onStatement: MigrationManagerOptions['onStatement']
}

/** A statement of a task, and its place in the whole, from 0. */
export interface PlacedStatement {
  readonly index: number
  readonly statement: string
}

/** Why a run of a migration ended, and at which of its statements. */
export class StatementFailure extends Error {
  readonly at: PlacedStatement
  constructor(at: PlacedStatement, cause: unknown) {
    super(`statement ${at.index + 1} failed`, { cause })
    this.at = at
  }
}

// An answer means that it happened: what the server would otherwise do afterwards is waited for.
const STATEMENT_SETTINGS = { async_insert: 0, mutations_sync: 1, alter_sync: 1 } as const

/**
 * The statements of a task that are still to be sent, with their places in the whole.
 * @throws OperationalError `ERR_CLICKHOUSE_MIGRATION_CHANGED` when a statement that took effect reads differently now
 */
export function remainingStatements(task: MigrationTask): PlacedStatement[] {
  const { done } = progressOf(task)
  const changed = done.findIndex((checksum, index) => task.statements[index] === undefined || checksumOf(task.statements[index]) !== checksum)
  if (changed !== -1) throw changedError(task, `statement ${changed + 1}, which took effect, reads differently now; put it back as it was`)
  return task.statements.map((statement, index) => ({ index, statement })).slice(done.length)
}

/**
 * Sends what is left of a task, one statement after the other, each written down before and after. Tells how many were sent.
 * @throws StatementFailure with what ended it as its cause
 * @throws OperationalError `ERR_CLICKHOUSE_MIGRATION_UNCERTAIN` when nobody knows whether the next one took effect, and sending it twice may harm
 */
export async function runMigration(task: MigrationTask, runner: MigrationRunner): Promise<number> {
  const remaining = await settleUncertain(task, remainingStatements(task), runner)
  await record(runner, task, 'started', 0, checksumOf(task.text), { down: task.down })
  for (const placed of remaining) await sendStatement(task, placed, runner)
  await record(runner, task, 'finished', 0, checksumOf(task.text))
  return remaining.length
}

async function sendStatement(task: MigrationTask, placed: PlacedStatement, runner: MigrationRunner): Promise<void> {
  const { index, statement } = placed
  const { adapter, lock, identity, call } = runner
  const checksum = checksumOf(statement)
  await lock.assertHeld()
  const step = await record(runner, task, 'begun', index, checksum)
  // Writing it down may have taken longer than the lease: somebody else may be about to send it by now.
  await lock.assertStillHeld()
  runner.onStatement?.({ version: task.version, name: task.name, statement, place: index + 1, of: task.statements.length })
  try {
    await adapter.execute(statement, {}, { ...call, retry: false, queryId: queryIdOf(identity, lock.epoch, step), settings: STATEMENT_SETTINGS })
  } catch (error) {
    if (tookNoEffect(error, statement)) await record(runner, task, 'failed', index, checksum, { error: (error as Error).message })
    throw new StatementFailure(placed, error)
  }
  await record(runner, task, 'done', index, checksum)
}

/** Finds out what became of the statement that an earlier run ended at, and writes it down. Answers what is left. */
async function settleUncertain(task: MigrationTask, remaining: PlacedStatement[], runner: MigrationRunner): Promise<PlacedStatement[]> {
  const { adapter, identity, clock, call } = runner
  const uncertain = task.state?.state === 'half-done' ? task.state.uncertain : undefined
  if (uncertain === undefined) return remaining
  const goesOn = task.state?.direction === task.direction
  const [next, ...others] = remaining
  const sent: SentStatement = {
    // What may have been sent is what was written down, not what the file says now.
    statement: goesOn && next !== undefined && checksumOf(next.statement) === uncertain.checksum ? next.statement : '',
    queryId: queryIdOf(identity, uncertain.epoch, uncertain.step),
    witnessId: witnessIdOf(identity, uncertain.epoch, uncertain.step),
    begunAt: uncertain.at,
  }
  await waitUntilItEnded(adapter, sent, clock, call)
  // The other way begins at its beginning, whatever became of it.
  if (!goesOn || next === undefined) return remaining
  if (sent.statement !== '' && isRepeatable(next.statement)) return remaining
  const fate = await fateOf(adapter, sent, identity, runner, call)
  if (fate === 'unknown') throw uncertainError(task, next.statement)
  if (fate === 'took-no-effect') {
    await record(runner, task, 'failed', uncertain.statement, uncertain.checksum, { error: "took no effect, by the server's log" })
    return remaining
  }
  await record(runner, task, 'done', uncertain.statement, uncertain.checksum)
  if (sent.statement === '') throw changedError(task, `statement ${next.index + 1}, which took effect, reads differently now; put it back as it was`)
  return others
}

/** Writes down what happened, and tells the place that it has among the records of this run. */
async function record(
  { history, identity, lock, nextStep, call }: MigrationRunner,
  { version, name, direction }: MigrationTask,
  event: MigrationEvent['event'],
  statement: number,
  checksum: string,
  more: { down?: string; error?: string } = {},
): Promise<number> {
  const step = nextStep()
  const queryId = event === 'begun' ? witnessIdOf(identity, lock.epoch, step) : undefined
  await history.record({ version, name, direction, event, statement, checksum, down: '', error: '', ...more }, lock.epoch, step, { ...call, queryId })
  return step
}

/** Under which the server's log has a statement; the same one never again, also after the history was dropped and made anew. */
const queryIdOf = ({ id }: HistoryIdentity, epoch: number, step: number): string => `migration-${id}-${epoch}-${step}`
const witnessIdOf = (identity: HistoryIdentity, epoch: number, step: number): string => `${queryIdOf(identity, epoch, step)}-begun`

function progressOf({ state, direction }: MigrationTask): Pick<MigrationState, 'done' | 'uncertain'> {
  return state?.state === 'half-done' && state.direction === direction ? state : { done: [], uncertain: undefined }
}

/** Whether the server itself said no, to a statement that does nothing by halves. Anything else may have taken effect behind the failure. */
function tookNoEffect(error: unknown, statement: string): boolean {
  if (!ClickHouseBaseError.isInstance(error) || error.serverCode === undefined) return false
  const ended = error.code === 'ERR_CLICKHOUSE_QUERY_TIMEOUT' || error.code === 'ERR_CLICKHOUSE_QUERY_CANCELLED'
  return !ended && leavesNothingWhenItFails(statement)
}

/** What a caller hears of a failure: an error of ours, whatever it was. */
export function asInfrastructureError(reason: unknown): InfrastructureError {
  return InfrastructureError.isInstance(reason) ? reason : new OperationalError('the migration failed; see the cause', { cause: reason })
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
    `migration ${version} "${name}": statement ${place} (${start}) was sent, the run ended before its answer came, and the server's log does not tell. ` +
      `See whether it took effect and say so by settleMigration(${version}, 'took-effect' or 'took-no-effect', { statement: ${place} }), then run again`,
    { code: 'ERR_CLICKHOUSE_MIGRATION_UNCERTAIN', status: 409, context: { version, statement: place } },
  )
}
