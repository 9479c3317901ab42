import { randomUUID } from 'node:crypto'
import { type CallOptions, type ColumnBatch, type Clock, type HealthResult, type Logger, type Row, silentLogger, systemClock } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, DownloadOptions, DownloadResult, ExecuteManyOptions, InsertOptions, InsertResult, QueryEstimate, QueryOptions, QueryParams, QueryResult } from '../adapter-options.ts'
import { contentTypeOf } from '../adapter/describe-statement.ts'
import { runBounded } from '../adapter/run-bounded.ts'
import { QueryCancellationError, QueryError } from '../errors.ts'
import { PermissionDeniedError } from '../operational-errors.ts'
import { QuotaExceededError } from './access-errors.ts'
import type { CheckedLevel } from './check-levels.ts'
import { NICENESS, yields } from './level-settings.ts'
import { type Estimator, estimateQuery, refuseOverBudget } from './estimate-query.ts'
import type { FairTurns, Turn } from './fair-turns.ts'
import type { QuotaExcess, SlidingQuota } from './quota/sliding-quota.ts'
import { ReaderWatch } from './reader-watch.ts'
import { refuseLookingAround } from './refuse-looking-around.ts'
import { veilError } from './veil-error.ts'

/** What a {@link LevelAdapter} is made from. */
export interface LevelAdapterOptions {
  /** Logged in as the level's user. @default none, required */
  readonly adapter: ClickHouseAdapter
  /** Whose rules hold. @default none, required */
  readonly level: CheckedLevel
  /** Whose turn it is, over all levels. @default none, required */
  readonly turns: FairTurns
  /** What each tenant may spend; undefined where nothing bounds it. @default undefined */
  readonly quota: SlidingQuota | undefined
  /** Whose rows it reads, whatever a call says; undefined leaves it to the calls. @default undefined */
  readonly tenant?: string | undefined
  /** Whether others use the connections, too: closing it closes nothing then. @default false */
  readonly shared?: boolean | undefined
  /** Hears what the server said, where a tenant is told less. @default silentLogger */
  readonly logger?: Logger | undefined
  /** Measures what a query took. @default systemClock */
  readonly clock?: Clock | undefined
}

/** What a query cost, as far as it is known. */
interface Cost {
  queries: number
  rowsRead: number
  bytesRead: number
  serverMs: number
}

/** A query that has its turn. */
interface Begun {
  /** How it is to be run: behind others where its tenant asks for more than its share. */
  readonly ranked: QueryOptions
  /** To be called when it has ended; once more does nothing. */
  readonly ended: (cost?: Cost) => void
  /** What it is estimated to read, where the level has a budget. */
  readonly estimate: QueryEstimate | undefined
}

/** What was asked, when an estimate was made. */
interface Estimated {
  readonly query: string
  readonly params: QueryParams | undefined
  readonly tenant: string | undefined
}

/**
 * An adapter that is a level, or one tenant at a level: every query through it belongs to a tenant (where the level has them), is within the quota, has its turn,
 * is within the budget, and is then counted. It only reads.
 */
export class LevelAdapter implements ClickHouseAdapter, Estimator {
  readonly #options: LevelAdapterOptions
  readonly #clock: Clock
  /** Only what was estimated here, of the same query, is believed. */
  readonly #estimated = new WeakMap<QueryEstimate, Estimated>()

  constructor(options: LevelAdapterOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  get server(): string {
    return this.#options.adapter.server
  }

  get database(): string {
    return this.#options.adapter.database
  }

  connect(options?: CallOptions): Promise<void> {
    return this.#options.adapter.connect(options)
  }

  async execute<T extends Row = Row>(query: string, params?: QueryParams, options: QueryOptions = {}): Promise<QueryResult<T>> {
    const call = this.#asTenant(options)
    return this.#within(query, params, call, async (cost, ranked) => {
      const result = await this.#options.adapter.execute<T>(query, params, ranked)
      const { rowsRead, bytesRead, elapsedMs } = result.statistics
      Object.assign(cost, { rowsRead, bytesRead, serverMs: elapsedMs })
      this.#refuseTooLong(result.rows.length)
      return result
    })
  }

  /** Within the same bounds: the plan may depend on subqueries that are run for it. It is no query of its own. */
  async estimate(query: string, params: QueryParams | undefined, options: QueryOptions): Promise<QueryEstimate | undefined> {
    const call = this.#asTenant(options)
    return this.#within(query, params, call, async (cost, ranked, known) => {
      cost.queries = 0
      const estimate = known ?? (await estimateQuery(this.#options.adapter, query, params, ranked))
      if (estimate !== undefined) this.#estimated.set(estimate, { query, params, tenant: call.tenant })
      return estimate
    })
  }

  get tellsEstimates(): boolean {
    return !this.#options.level.byTenant
  }

  async executeMany<T extends Row = Row>(queries: readonly (string | readonly [query: string, params: QueryParams])[], options: ExecuteManyOptions = {}): Promise<QueryResult<T>[]> {
    const { concurrency = 4, ...each } = options
    return runBounded(queries, concurrency, options.signal, (entry, signal) => {
      const [query, params] = typeof entry === 'string' ? [entry, {}] : entry
      return this.execute<T>(query, params, { ...each, signal })
    })
  }

  async *stream<T extends Row = Row>(query: string, params?: QueryParams, options: QueryOptions = {}): AsyncIterable<T> {
    const call = this.#asTenant(options)
    yield* this.#told(query, call, this.#begin(query, params, call), (ranked) => this.#options.adapter.stream<T>(query, params, ranked))
  }

  async download(query: string, params: QueryParams | undefined, options: DownloadOptions): Promise<DownloadResult> {
    const call = { ...options, ...this.#asTenant(options) }
    const queryId = call.queryId ?? randomUUID()
    // What can be refused at once is, so that whoever answers over HTTP can still say so. A turn is taken only for a body that is read.
    try {
      const key = this.#admit(query, params, call)
      refuseOverQuota(await this.#options.quota?.excess(key))
    } catch (error) {
      throw this.#veiled(error, query, call)
    }
    return { queryId, contentType: contentTypeOf(options.format), body: this.#downloaded(query, params, { ...call, queryId }) }
  }

  insert(_table: string, _rows: readonly Row[], _options?: InsertOptions): Promise<InsertResult> {
    return Promise.reject(readsOnly())
  }

  insertColumns(_table: string, _batch: ColumnBatch, _options?: InsertOptions): Promise<InsertResult | null> {
    return Promise.reject(readsOnly())
  }

  healthCheck(options?: CallOptions): Promise<HealthResult> {
    return this.#options.adapter.healthCheck(options)
  }

  async close(): Promise<void> {
    if (this.#options.shared !== true) await this.#options.adapter.close()
  }

  async #within<T>(query: string, params: QueryParams | undefined, options: QueryOptions, work: (cost: Cost, ranked: QueryOptions, estimate: QueryEstimate | undefined) => Promise<T>): Promise<T> {
    const cost: Cost = { queries: 1, rowsRead: 0, bytesRead: 0, serverMs: 0 }
    try {
      const { ranked, ended, estimate } = await this.#begin(query, params, options)
      return await work(cost, ranked, estimate).finally(() => ended(cost))
    } catch (error) {
      throw this.#veiled(error, query, options)
    }
  }

  async *#downloaded(query: string, params: QueryParams | undefined, call: DownloadOptions): AsyncIterable<Uint8Array> {
    const { adapter } = this.#options
    const open = async function* (ranked: QueryOptions): AsyncIterable<Uint8Array> {
      yield* (await adapter.download(query, params, { ...call, ...ranked })).body
    }
    yield* this.#told(query, call, this.#begin(query, params, call), open)
  }

  /** What a stream gives, with its turn given back at its end, however that comes: also when whoever reads it takes nothing any more. */
  async *#told<T>(query: string, options: QueryOptions, begun: Promise<Begun>, open: (ranked: QueryOptions) => AsyncIterable<T>): AsyncIterable<T> {
    try {
      const { ranked, ended } = await begun
      const leaving = new AbortController()
      const { maxReaderIdleMs } = this.#options.level.share
      const watch = new ReaderWatch(maxReaderIdleMs, this.#clock, () => {
        leaving.abort(new QueryCancellationError(`the reader of the answer took nothing for ${maxReaderIdleMs} ms`, { code: 'ERR_ABORTED' }))
        ended()
      })
      const signal = ranked.signal === undefined ? leaving.signal : AbortSignal.any([ranked.signal, leaving.signal])
      try {
        for await (const part of open({ ...ranked, signal })) {
          leaving.signal.throwIfAborted()
          watch.handOver()
          yield part
          watch.takeBack()
        }
      } finally {
        watch.end()
        ended()
      }
    } catch (error) {
      throw this.#veiled(error, query, options)
    }
  }

  #asTenant(options: QueryOptions): QueryOptions {
    return this.#options.tenant === undefined ? options : { ...options, tenant: this.#options.tenant }
  }

  /** The failure as a tenant may hear it. */
  #veiled(error: unknown, query: string, { tenant }: QueryOptions): unknown {
    const { level, logger = silentLogger } = this.#options
    if (!level.byTenant) return error
    const shown = veilError(error, query, level, this.database)
    if (shown !== error) logger.info({ err: error, tenant }, "a tenant's query failed; it was told less")
    return shown
  }

  /** All that must hold before the query goes out. */
  async #begin(query: string, params: QueryParams | undefined, options: QueryOptions): Promise<Begun> {
    const { adapter, level } = this.#options
    const { turn, ended } = await this.#enter(this.#admit(query, params, options), options.signal)
    const ranked = turn.isLight || !yields(level.limits) ? options : { ...options, settings: { ...options.settings, [NICENESS]: level.limits.nicenessOverShare } }
    try {
      if (level.budget === undefined) return { ranked, ended, estimate: undefined }
      const estimate = this.#knownEstimate(query, params, options) ?? (await estimateQuery(adapter, query, params, ranked))
      if (estimate !== undefined) refuseOverBudget(estimate, level.budget, !level.byTenant)
      return { ranked, ended, estimate }
    } catch (error) {
      ended()
      throw error
    }
  }

  #knownEstimate(query: string, params: QueryParams | undefined, { estimate, tenant }: QueryOptions): QueryEstimate | undefined {
    const of = estimate === undefined ? undefined : this.#estimated.get(estimate)
    return of?.query === query && of.params === params && of.tenant === tenant ? estimate : undefined
  }

  /** Within the quota, and with a turn. */
  async #enter(key: string, signal: AbortSignal | undefined): Promise<{ turn: Turn; ended: Begun['ended'] }> {
    const { level, turns, quota } = this.#options
    refuseOverQuota(await quota?.enter(key))
    let turn: Turn | undefined
    try {
      turn = await turns.take(key, level.share, signal)
      // Others of its tenant's may have spent it meanwhile.
      if (turn.hasWaited) refuseOverQuota(await quota?.excess(key, true))
    } catch (error) {
      turn?.end()
      quota?.leave(key)
      throw error
    }
    return { turn, ended: this.#ending(key, turn) }
  }

  #ending(key: string, turn: Turn): Begun['ended'] {
    const { quota, logger } = this.#options
    const startedAt = this.#clock.monotonic()
    let isOver = false
    return (cost) => {
      if (isOver) return
      isOver = true
      const tookMs = this.#clock.monotonic() - startedAt
      turn.end()
      // A query that failed has cost what it took. Nobody waits until other processes have been told.
      const spent = { queries: cost?.queries ?? 1, rowsRead: cost?.rowsRead ?? 0, bytesRead: cost?.bytesRead ?? 0, serverMs: cost?.serverMs || tookMs }
      quota?.spend(key, spent).catch((error: unknown) => logger?.error({ err: error }, 'what a query cost was not counted'))
      quota?.leave(key)
    }
  }

  /** What needs neither a turn nor the server. @returns who pays */
  #admit(query: string, params: QueryParams | undefined, options: QueryOptions): string {
    const key = this.#payer(options)
    if (this.#options.level.byTenant) refuseLookingAround(query, params)
    return key
  }

  /** The server holds the blocks of an answer against its limit, but not what ARRAY JOIN makes of the last one. */
  #refuseTooLong(rows: number): void {
    const { maxResultRows } = this.#options.level.limits
    if (rows > maxResultRows) throw new QueryError(`the query answers more than the ${maxResultRows} rows that it may; narrow it, or ask for an aggregate`, { code: 'ERR_CLICKHOUSE_LIMIT_EXCEEDED', status: 422 })
  }

  #payer({ tenant }: QueryOptions): string {
    const { byTenant, name } = this.#options.level
    if (byTenant && tenant === undefined) throw new PermissionDeniedError('the caller belongs to no tenant; its token needs a tenant')
    return `${name}:${tenant ?? ''}`
  }
}

function refuseOverQuota(excess: QuotaExcess | undefined): void {
  if (excess === undefined) return
  const seconds = Math.ceil(excess.retryAfterMs / 1000)
  throw new QuotaExceededError(`the quota of ${excess.allowed} ${WORDS[excess.kind]} is spent; there is some again in ${seconds} s`, { quota: excess.kind, retryAfterMs: excess.retryAfterMs })
}

const WORDS = { queries: 'queries', rowsRead: 'rows read', bytesRead: 'bytes read', serverMs: 'milliseconds on the server' } as const

const readsOnly = (): PermissionDeniedError => new PermissionDeniedError('what runs at a trust level only reads; insert through a writer')
