import { createHash, randomUUID } from 'node:crypto'
import { type Clock, type LatestTurn, OperationError, type Row, type SliceClaim, type SliceScope, staleEpochError, type WriteTurn } from '@smart-whale/interfaces'
import { sleep } from '@smart-whale/core-resilience'
import type { ClickHouseAdapter, InsertOptions, QueryParams } from '../adapter-options.ts'
import { splitTableName } from '../adapter/table-columns.ts'
import { ClickHouseBaseError, type ClickHouseErrorCode } from '../errors.ts'
import { deniedProcesses } from './denied-processes.ts'
import type { EpochsTable } from './epochs-table.ts'
import type { TableClaims } from './table-claims.ts'

/** What {@link WriteTurns} works with. */
export interface WriteTurnsOptions {
  /** Speaks to the server. @default none, required */
  readonly adapter: ClickHouseAdapter
  /** Table that the turns are for. @default none, required */
  readonly target: string
  /** Where the turns are kept. @default none, required */
  readonly epochs: EpochsTable
  /** Says whether the table is another pipeline's by now. @default none, required */
  readonly claims: Pick<TableClaims, 'refuseOthers'>
  /** How long one statement may take, in milliseconds. @default none, required */
  readonly timeoutMs: number
  /** How long a turn may wait for inserts under earlier ones to end, in milliseconds. @default none, required */
  readonly takeoverTimeoutMs: number
  /** Whose time passes. @default none, required */
  readonly clock: Clock
}

interface Call {
  readonly signal?: AbortSignal | undefined
}

/** What the table of turns says of one partition. */
interface TakenTurns {
  /** The newest turn. */
  readonly epoch: bigint
  readonly attempt: number
  readonly owner: string
  readonly holder: string
  /** Who took the last one, by the server's time; and all that have taken any. */
  readonly pipeline: string
  readonly pipelines: readonly string[]
}

/** How the server says that a turn is over. */
const STALE = 'smart_whale_stale_epoch'
/** All pipelines that store a partition into a table take turns with each other: rows of two would be doubles. */
const SCOPE = 'target = {target:String} AND topic_id = {topic_id:String} AND `partition` = {partition:Int32}'
/** Of the ids of inserts: what tells the partition, and what comes before it. */
const ID_HEAD = 'smart-whale-ingest-'
const HASH_LENGTH = 24
const PREFIX_LENGTH = ID_HEAD.length + HASH_LENGTH + 1
/** What makes a turn newer than another one. */
const ORDER = '(turns.epoch, turns.attempt, turns.holder)'
const TAKEN = `max(turns.epoch) AS epoch, argMax(turns.attempt, ${ORDER}) AS attempt, argMax(turns.owner, ${ORDER}) AS owner, argMax(turns.holder, ${ORDER}) AS holder,
  argMax(turns.pipeline, (turns.taken_at, turns.epoch, turns.attempt, turns.holder)) AS pipeline, groupUniqArray(turns.pipeline) AS pipelines`

/**
 * The order of all who write into a table for one partition, kept in ClickHouse itself.
 *
 * An insert carries its turn, and the server looks when the insert begins whether that is the newest; so whoever takes a turn first writes it
 * down and then waits until no insert of an earlier one is running. What begins later is refused, what began before has ended:
 * from then on nobody else changes what the table holds of that partition. No clock, no lease and no memory of tokens is needed for it.
 */
export class WriteTurns {
  readonly #options: WriteTurnsOptions
  readonly #epochs: string

  constructor(options: WriteTurnsOptions) {
    this.#options = options
    this.#epochs = options.epochs.quoted
  }

  /**
   * Which turns were taken so far, by whichever pipeline. Whose the last one was goes by the server's time, since a pipeline that was renamed before
   * all took turns with each other may have begun with smaller epochs than it had under its old name. Who may write is decided by the order of turns alone.
   */
  async latest(scope: SliceScope, call: Call = {}): Promise<LatestTurn | null> {
    await this.#options.epochs.make()
    const taken = await this.#taken(scope, call)
    return taken === null ? null : { epoch: taken.epoch, pipeline: taken.pipeline }
  }

  /** Takes the newest turn, and returns when everything under earlier ones has ended. @throws `ERR_STALE_EPOCH` */
  async take(claim: SliceClaim, call: Call = {}): Promise<WriteTurn> {
    const { scope, epoch, owner } = claim
    await this.#options.epochs.make()
    const before = await this.#taken(scope, call)
    if (before !== null && (before.epoch > epoch || (before.epoch === epoch && before.owner !== owner))) throw staleEpochError(scope, epoch)

    const turn: WriteTurn = { scope, epoch, attempt: before?.epoch === epoch ? before.attempt + 1 : 0, holder: randomUUID() }
    await this.#writeDown(turn, owner, call)
    // Two who took a turn at once both believed theirs to be the newest. Whoever takes one from here on finds this one, and makes it an earlier one.
    const after = await this.#taken(scope, call)
    if (after?.holder !== turn.holder) throw staleEpochError(scope, epoch)
    // Behind the turn: who takes the table over claims it first, and then every turn that is there.
    await this.#options.claims.refuseOthers({ ...scope, topic: scope.topicId }, call)
    await this.#endEarlier(turn, after.pipelines, call)
    return turn
  }

  /** What makes an insert one of this turn's. */
  insertOptions(turn: WriteTurn): Pick<InsertOptions, 'guard' | 'queryId'> {
    const query = `SELECT throwIf(argMax(turns.holder, ${ORDER}) != {holder:String}, '${STALE}') FROM ${this.#epochs} AS turns WHERE ${SCOPE}`
    return { guard: { query, params: { ...this.#paramsOf(turn.scope), holder: turn.holder } }, queryId: `${this.#prefixOf(turn.scope, turn.scope.pipeline)}${turn.epoch}-${turn.attempt}-${randomUUID()}` }
  }

  /** The failure of an insert under a turn, by the name that callers know. */
  explain(error: unknown, { scope, epoch }: WriteTurn): unknown {
    return ClickHouseBaseError.isInstance(error) && error.serverCode === 395 && error.message.includes(STALE) ? staleEpochError(scope, epoch) : error
  }

  async #taken(scope: SliceScope, { signal }: Call): Promise<TakenTurns | null> {
    const { rows } = await this.#options.adapter.execute<Row & TakenTurns>(
      `SELECT ${TAKEN} FROM ${this.#epochs} AS turns WHERE ${SCOPE} HAVING count() > 0`,
      this.#paramsOf(scope),
      { signal, timeoutMs: this.#options.timeoutMs },
    ).catch((error: unknown) => {
      this.#options.epochs.lookAgainAfter(error)
      throw error
    })
    return rows[0] ?? null
  }

  async #writeDown({ scope, epoch, attempt, holder }: WriteTurn, owner: string, { signal }: Call): Promise<void> {
    const { target, topic_id, partition } = this.#paramsOf(scope)
    const row = { target, pipeline: scope.pipeline, topic_id, partition, epoch, attempt, owner, holder }
    await this.#options.adapter.insert(this.#epochs, [row], { signal, timeoutMs: this.#options.timeoutMs })
  }

  /**
   * Waits until no insert of an earlier turn is running. They are asked to end at once; one whose client is gone in the middle of a
   * request hears of it only when the server has given up waiting for the rest (`http_receive_timeout`, 30 seconds).
   */
  async #endEarlier(turn: WriteTurn, pipelines: readonly string[], { signal }: Call): Promise<void> {
    const { clock, takeoverTimeoutMs } = this.#options
    const deadline = clock.monotonic() + takeoverTimeoutMs
    for (let round = 0; ; round++) {
      const running = await this.#earlierThan(turn, pipelines, signal)
      if (running.length === 0) return
      if (clock.monotonic() >= deadline) throw stillRunning(turn.scope, running, takeoverTimeoutMs)
      if (round % 20 === 0) await this.#kill(running, signal)
      await sleep(Math.min(250, 10 * (round + 1)), { signal, clock })
    }
  }

  async #earlierThan(turn: WriteTurn, pipelines: readonly string[], signal: AbortSignal | undefined): Promise<string[]> {
    const prefixes = pipelines.map((pipeline) => this.#prefixOf(turn.scope, pipeline))
    const { rows } = await this.#options.adapter
      .execute<Row & { query_id: string }>('SELECT query_id FROM system.processes WHERE arrayExists(prefix -> startsWith(query_id, prefix), {prefixes:Array(String)})', { prefixes }, { signal, timeoutMs: this.#options.timeoutMs })
      .catch(deniedProcesses)
    return rows.map((row) => row.query_id).filter((id) => isEarlier(id.slice(PREFIX_LENGTH), turn))
  }

  /** Only makes it quicker: without the right to kill, they end by themselves. */
  async #kill(queryIds: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    await this.#options.adapter.execute('KILL QUERY WHERE query_id IN {ids:Array(String)} ASYNC', { ids: queryIds }, { signal, timeoutMs: this.#options.timeoutMs }).catch(() => {})
  }

  #paramsOf({ topicId, partition }: SliceScope): { target: string; topic_id: string; partition: number } & QueryParams {
    const [database, name] = splitTableName(this.#options.target, this.#options.adapter.database)
    return { target: `${database}.${name}`, topic_id: topicId, partition }
  }

  /** A pipeline's inserts for one partition have this in common; what follows is epoch, attempt and a name of their own. */
  #prefixOf(scope: SliceScope, pipeline: string): string {
    const { target, topic_id, partition } = this.#paramsOf(scope)
    return `${ID_HEAD}${createHash('sha256').update(JSON.stringify([target, pipeline, topic_id, partition])).digest('hex').slice(0, HASH_LENGTH)}-`
  }
}

function isEarlier(idRest: string, turn: WriteTurn): boolean {
  const [epoch = '', attempt = ''] = idRest.split('-')
  if (!/^\d+$/.test(epoch) || !/^\d+$/.test(attempt)) return true
  return BigInt(epoch) < turn.epoch || (BigInt(epoch) === turn.epoch && Number(attempt) <= turn.attempt)
}

function stillRunning(scope: SliceScope, queryIds: readonly string[], waitedMs: number): OperationError<ClickHouseErrorCode> {
  return new OperationError(`an insert of an earlier attempt for partition ${scope.partition} of pipeline "${scope.pipeline}" has been running for more than ${waitedMs} ms; nothing is written beside it`, {
    code: 'ERR_CLICKHOUSE_INSERT_RUNNING',
    retryable: true,
    context: { ...scope, queryIds: queryIds.slice(0, 5) },
  })
}
