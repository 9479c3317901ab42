import { type CallOptions, type Clock, InfrastructureError, type Row } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { ClickHouseBaseError } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'
import type { HistoryIdentity } from './migration-history.ts'
import { leavesNothingWhenItFails } from './migration-statements.ts'

/** What became of a statement whose answer nobody heard. */
export type StatementFate = 'took-effect' | 'took-no-effect' | 'unknown'

/** A statement that was sent, or was about to be, when its run ended. */
export interface SentStatement {
  readonly statement: string
  /** Under which the server knows it, if it ever came there. */
  readonly queryId: string
  /** Of the record that it was about to be sent: proof that the log was kept at that time, on the server that is asked now. */
  readonly witnessId: string
  /** When it was about to be sent, by the server's clock. */
  readonly begunAt: Date
}

const POLL_MS = 250

/**
 * Waits until the server no longer works at a statement of an earlier run: who sent it may be dead, the server goes on all the same.
 * @throws OperationalError `ERR_CLICKHOUSE_MIGRATION_LOCKED` when it takes longer than the call may
 */
export async function waitUntilItEnded(adapter: ClickHouseAdapter, sent: SentStatement, clock: Clock, call: CallOptions): Promise<void> {
  const giveUpAt = clock.monotonic() + (call.timeoutMs ?? 600_000)
  while (await isRunning(adapter, sent.queryId, call)) {
    if (clock.monotonic() >= giveUpAt) {
      const message = `a statement of an earlier run is still at work on the server (query ${sent.queryId}); wait until it is done, or KILL QUERY it, then run again`
      throw new OperationalError(message, { code: 'ERR_CLICKHOUSE_MIGRATION_LOCKED', retryable: true, status: 409, queryId: sent.queryId })
    }
    await sleep(POLL_MS, { clock, signal: call.signal })
  }
}

/** How long to believe that a request is still on its way, and by whose clock to wait. */
export interface FatePatience {
  readonly onItsWayMs: number
  readonly clock: Clock
}

/**
 * Asks the server's own log what became of a statement. What it says is certain; that it says nothing means that the statement never came, if the log
 * was kept then, if the server is the same one and has not been started anew since, and if the request can't be on its way any more.
 */
export async function fateOf(adapter: ClickHouseAdapter, sent: SentStatement, identity: HistoryIdentity, patience: FatePatience, call: CallOptions): Promise<StatementFate> {
  try {
    const known = await fateInLog(adapter, sent, call)
    if (known !== 'no-trace') return known
    if (identity.isShared || !(await startedBefore(adapter, sent.begunAt, call))) return 'unknown'
    await waitUntilItArrived(adapter, sent, patience, call)
    const late = await fateInLog(adapter, sent, call)
    return late === 'no-trace' ? 'took-no-effect' : late
  } catch (error) {
    // No log, or no right to it: nobody can tell.
    const isHidden = ClickHouseBaseError.isInstance(error) && (error.code === 'ERR_CLICKHOUSE_UNKNOWN_OBJECT' || error.code === 'ERR_CLICKHOUSE_PERMISSION_DENIED')
    if (isHidden) return 'unknown'
    throw error
  }
}

/** `no-trace`: the log was kept, and has nothing of the statement. */
async function fateInLog(adapter: ClickHouseAdapter, sent: SentStatement, call: CallOptions): Promise<StatementFate | 'no-trace'> {
  await adapter.execute('SYSTEM FLUSH LOGS', {}, call)
  const { rows } = await adapter.execute<Row & { id: string; types: string[] }>(
    `SELECT query_id AS id, groupArray(toString(type)) AS types FROM system.query_log
    WHERE query_id IN ({query:String}, {witness:String}) AND event_date >= toDate({begun:DateTime64(3)}) - 1 GROUP BY id`,
    { query: sent.queryId, witness: sent.witnessId, begun: sent.begunAt },
    call,
  )
  const types = new Set(rows.find(({ id }) => id === sent.queryId)?.types)
  if (types.has('QueryFinish')) return 'took-effect'
  if (types.has('ExceptionBeforeStart')) return 'took-no-effect'
  if (types.has('ExceptionWhileProcessing')) return leavesNothingWhenItFails(sent.statement) ? 'took-no-effect' : 'unknown'
  const wasLogged = rows.some(({ id }) => id === sent.witnessId)
  return types.size === 0 && wasLogged ? 'no-trace' : 'unknown'
}

async function waitUntilItArrived(adapter: ClickHouseAdapter, sent: SentStatement, { onItsWayMs, clock }: FatePatience, call: CallOptions): Promise<void> {
  const { rows } = await adapter.execute<Row & { age: number }>('SELECT toFloat64(now64(3)) - toFloat64({begun:DateTime64(3)}) AS age', { begun: sent.begunAt }, call)
  const leftMs = onItsWayMs - Number(rows[0]?.age ?? 0) * 1000
  if (leftMs > 0) await sleep(Math.min(leftMs, onItsWayMs), { clock, signal: call.signal })
  await waitUntilItEnded(adapter, sent, clock, call)
}

async function isRunning(adapter: ClickHouseAdapter, queryId: string, call: CallOptions): Promise<boolean> {
  try {
    const { rows } = await adapter.execute('SELECT 1 AS found FROM system.processes WHERE query_id = {queryId:String}', { queryId }, call)
    return rows.length > 0
  } catch (error) {
    if (InfrastructureError.isInstance(error) && error.code === 'ERR_CLICKHOUSE_PERMISSION_DENIED') return false
    throw error
  }
}

async function startedBefore(adapter: ClickHouseAdapter, moment: Date, call: CallOptions): Promise<boolean> {
  const { rows } = await adapter.execute<Row & { before: number }>('SELECT now64(3) - toIntervalSecond(uptime() + 1) < {moment:DateTime64(3)} AS before', { moment }, call)
  return Number(rows[0]?.before) === 1
}
