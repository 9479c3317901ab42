import { outsideOfCalls } from '@smart-whale/core-resilience'
import { type Row, systemClock } from '@smart-whale/interfaces'
import { chargeBudget } from '../access/estimate-query.ts'
import { createAdapter } from '../create-adapter.ts'
import { type AnalyticsBatchOptions, answerBatch } from './answer-batch.ts'
import type { ClickHouseAdapter, InsertOptions, InsertResult, QueryParams, QueryResult } from '../adapter-options.ts'
import type { AnalyticsCache, CacheLookup, KeptAnswer } from './analytics-cache.ts'
import { openAnalyticsCache, type OpenAnalyticsCache } from './open-cache.ts'
import { type TableWatcher, TableWatchers } from './table-watchers.ts'
import { SharedFlights } from './shared-flights.ts'
import { streamAnswer } from './stream-answer.ts'
import type { ExportFormat, ExportStream } from '../export/export-options.ts'
import { type AnalyticsLimits, type AnalyticsServiceOptions, checkLimits } from './analytics-options.ts'
import type { AnalyticsCacheStats, AnalyticsFailure, AnalyticsQuery, AnalyticsResult, CacheStatus } from './analytics-query.ts'
import { type AnalyticsQuestion, checkQuestion } from './check-question.ts'
import { abortedQuery, asQueryError, closedError } from './query-endings.ts'
import { canonical, digest } from '../stable-digest.ts'

/** A query that was checked, to be asked any number of times. */
export interface PreparedQuery {
  /**
   * Answers as `executeAnalyticsQuery` does, but at once, without a promise, when the answer is kept in this process.
   * @param signalOf makes what ends the wait; called only if there is one
   */
  answer(signalOf: () => AbortSignal): AnalyticsResult | Promise<AnalyticsResult>
}

/** Answers analytics queries: equal ones that run at the same time are asked once, answers are kept for a while. */
export interface AnalyticsService extends TableWatcher {
  /**
   * Answers one query.
   * @throws ValidationError `ERR_CLICKHOUSE_ANALYTICS_QUERY`, or what the adapter throws for the query
   */
  executeAnalyticsQuery<T extends Row = Row>(query: AnalyticsQuery): Promise<AnalyticsResult<T>>
  /**
   * Readies a query that comes again and again: it is checked once, and what its answer is kept under is worked out once. The query must
   * not be changed afterwards; its `signal` is not looked at.
   * @throws what `executeAnalyticsQuery` throws for a query that is wrong
   */
  prepareQuery(query: AnalyticsQuery): PreparedQuery
  /** Answers several queries at once, within a bound; each result carries its own data or error, in the order of the queries. */
  executeBatchQueries<T extends Row = Row>(
    queries: readonly AnalyticsQuery[],
    options?: AnalyticsBatchOptions,
  ): Promise<(AnalyticsResult<T> | AnalyticsFailure)[]>
  /**
   * Answers one query as a stream of bytes in a format for files, with bounded memory. It is asked in any case, and nothing is kept.
   * What fails before the first bytes is thrown here, what fails later by the stream.
   */
  streamAnswer(query: AnalyticsQuery, format: ExportFormat): Promise<ExportStream>
  /** Inserts rows and voids every kept answer that depends on the table. */
  insert(table: string, rows: readonly Row[], options?: InsertOptions): Promise<InsertResult>
  /** Forgets everything, every answer of one query, or its answer for certain parameters. Resolves to how many kept answers were removed. */
  invalidateCache(query?: string, params?: QueryParams): Promise<number>
  /** Voids every kept answer that depends on one of the tables, directly or through views. */
  invalidateTables(tables: readonly string[]): Promise<void>
  /** Voids every kept answer that was asked for under one of the tags. */
  invalidateTags(tags: readonly string[]): Promise<void>
  getCacheStats(): Promise<AnalyticsCacheStats>
  /** Ends what runs. An adapter and a cache that were handed in stay open. May be called twice. */
  close(): Promise<void>
}

/**
 * Makes an {@link AnalyticsService} over an adapter; without one, over an adapter of its own, by the `CLICKHOUSE_*` variables.
 * For queries that users write, the adapter's user must be a read-only one.
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the option
 */
export function createAnalyticsService(adapter?: ClickHouseAdapter, options: AnalyticsServiceOptions = {}): AnalyticsService {
  const limits = checkLimits(options)
  if (adapter !== undefined) return new CachedAnalyticsService(adapter, options, limits)
  const own = createAdapter({}, { logger: options.logger, clock: options.clock })
  return new CachedAnalyticsService(own, options, limits, () => own.close())
}

/** An answer together with what the cache has to say about it. */
type Loaded = Omit<KeptAnswer, 'stamp'>

class CachedAnalyticsService implements AnalyticsService {
  readonly #adapter: ClickHouseAdapter
  readonly #options: AnalyticsServiceOptions
  readonly #limits: AnalyticsLimits
  readonly #flights: SharedFlights<Loaded>
  readonly #watchers = new TableWatchers()
  readonly #counts = { hit: 0, stale: 0, miss: 0, shared: 0, bypass: 0 }
  #open: Promise<OpenAnalyticsCache> | undefined
  #opened: AnalyticsCache | undefined
  readonly #closeAdapter: () => Promise<void>
  #generation = 0
  #closed = false

  constructor(
    adapter: ClickHouseAdapter,
    options: AnalyticsServiceOptions,
    limits: AnalyticsLimits,
    closeAdapter = async (): Promise<void> => {},
  ) {
    this.#closeAdapter = closeAdapter
    this.#adapter = adapter
    this.#options = options
    this.#limits = limits
    this.#flights = new SharedFlights(options.clock)
  }

  async executeAnalyticsQuery<T extends Row = Row>(query: AnalyticsQuery): Promise<AnalyticsResult<T>> {
    return this.#reply<T>(checkQuestion(query, this.#limits))
  }

  prepareQuery(query: AnalyticsQuery): PreparedQuery {
    const question = checkQuestion(query, this.#limits)
    let lookUp: (() => CacheLookup | undefined) | undefined
    return {
      answer: (signalOf) => {
        this.#refuseWhenClosed()
        const cache = question.cache ? this.#opened : undefined
        lookUp ??= cache?.readyLookUp(question)
        const lookup = lookUp?.()
        const known = cache === undefined || lookup === undefined ? undefined : this.#serveKept(cache, question, lookup)
        return known ?? this.#reply({ ...question, signal: signalOf() }, lookup)
      },
    }
  }

  async executeBatchQueries<T extends Row = Row>(
    queries: readonly AnalyticsQuery[],
    options: AnalyticsBatchOptions = {},
  ): Promise<(AnalyticsResult<T> | AnalyticsFailure)[]> {
    return answerBatch((query) => this.executeAnalyticsQuery<T>(query), queries, options, this.#limits)
  }

  async streamAnswer(query: AnalyticsQuery, format: ExportFormat): Promise<ExportStream> {
    const question = checkQuestion(query, this.#limits)
    this.#refuseWhenClosed()
    return streamAnswer(this.#adapter, question, format, this.#options)
  }

  async insert(table: string, rows: readonly Row[], options?: InsertOptions): Promise<InsertResult> {
    try {
      return await (this.#options.writer ?? this.#adapter).insert(table, rows, options)
    } finally {
      // Also after a failure: what broke may have broken after the rows were stored.
      await this.invalidateTables([table]).catch((error: unknown) => {
        this.#options.logger?.error({ err: error, table }, 'answers that read the table could not be voided; they are served until their life ends')
      })
    }
  }

  async invalidateCache(query?: string, params?: QueryParams): Promise<number> {
    this.#generation += 1
    return (await this.#cache()).invalidateCache(query, params)
  }

  async invalidateTables(tables: readonly string[]): Promise<void> {
    this.#generation += 1
    try {
      await (await this.#cache()).invalidateTables(tables)
    } finally {
      this.#watchers.tell(tables)
    }
  }

  watchTables(listener: (tables: readonly string[]) => void): () => void {
    return this.#watchers.watchTables(listener)
  }

  async invalidateTags(tags: readonly string[]): Promise<void> {
    this.#generation += 1
    await (await this.#cache()).invalidateTags(tags)
  }

  async getCacheStats(): Promise<AnalyticsCacheStats> {
    const cache = await this.#cache()
    const { hit, stale, miss, shared, bypass } = this.#counts
    const answers = hit + stale + miss + shared + bypass
    return {
      hits: hit,
      staleHits: stale,
      misses: miss,
      shared,
      bypassed: bypass,
      ...cache.counts,
      entries: await cache.countEntries(),
      inFlight: this.#flights.size,
      waiting: this.#flights.passengers,
      hitRatio: answers === 0 ? 0 : (hit + stale + shared) / answers,
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#flights.abortAll(closedError())
    await (await this.#open?.catch(() => undefined))?.close()
    await this.#closeAdapter()
  }

  async #reply<T extends Row>(question: AnalyticsQuestion, found?: CacheLookup): Promise<AnalyticsResult<T>> {
    this.#refuseWhenClosed()
    if (question.signal?.aborted) throw abortedQuery(question.signal.reason)
    if (!question.cache) return this.#answer<T>('bypass', await this.#ask(await this.#charged(question), question.signal, question.timeoutMs))
    const cache = await this.#cache()
    const lookup = found ?? (await cache.lookUp(question))
    const kept = this.#serveKept<T>(cache, question, lookup)
    if (kept !== undefined) return kept
    return this.#fly<T>(cache, await this.#charged(question), lookup)
  }

  /** Before it boards what others may wait for: each request answers for itself alone. */
  async #charged(question: AnalyticsQuestion): Promise<AnalyticsQuestion> {
    const { budget, query, params, role, tenant, signal, timeoutMs } = question
    if (budget === undefined) return question
    return { ...question, estimate: await chargeBudget(budget, this.#adapter, query, params, { role, tenant, signal, timeoutMs }) }
  }

  /** The answer that is kept, while it may be served; past its life it is loaded anew behind it. */
  #serveKept<T extends Row>(cache: AnalyticsCache, question: AnalyticsQuestion, lookup: CacheLookup): AnalyticsResult<T> | undefined {
    const freshness = this.#freshnessOf(lookup.kept, question)
    if (freshness === 'outlived' || lookup.kept === undefined) return undefined
    if (freshness === 'stale') this.#renewBehind(cache, question, lookup)
    return this.#answer<T>(freshness, lookup.kept)
  }

  async #fly<T extends Row>(cache: AnalyticsCache, question: AnalyticsQuestion, lookup: CacheLookup): Promise<AnalyticsResult<T>> {
    const { shared, result } = this.#board(cache, question, lookup, question.signal)
    return this.#answer<T>(
      shared ? 'shared' : 'miss',
      await result.catch((error: unknown) => Promise.reject(asQueryError(error, question))),
    )
  }

  /** Loads anew what was just served past its life. Nobody waits for it; a failure leaves the old answer to its end. */
  #renewBehind(cache: AnalyticsCache, question: AnalyticsQuestion, lookup: CacheLookup): void {
    if (this.#flights.has(this.#flightKey(lookup))) return
    this.#board(cache, question, lookup, undefined).result.catch((error: unknown) => {
      this.#options.logger?.warn({ err: error }, 'an answer past its life could not be loaded anew')
    })
  }

  #board(cache: AnalyticsCache, question: AnalyticsQuestion, lookup: CacheLookup, signal: AbortSignal | undefined) {
    const load = async (flightSignal: AbortSignal): Promise<Loaded> => {
      const loaded = await this.#ask(question, flightSignal, this.#limits.maxTimeoutMs)
      const small = loaded.result.rows.length <= this.#limits.maxCachedRows
      const kept = small && (await cache.keep(lookup, loaded, this.#limits.staleSeconds))
      return kept ? loaded : { ...loaded, ttlSeconds: 0 }
    }
    return this.#flights.join(this.#flightKey(lookup), load, { timeoutMs: question.timeoutMs, signal, what: 'the analytics query' })
  }

  /** Versions are part of it: who asks after an invalidation must not board a load that began before. */
  #flightKey({ key, stamp }: CacheLookup): string {
    const versions = stamp === null ? `generation ${this.#generation}` : digest(canonical(stamp))
    return `${key.query}:${key.params}:${key.reader}:${versions}`
  }

  async #ask(question: AnalyticsQuestion, signal: AbortSignal | undefined, timeoutMs: number): Promise<Loaded> {
    const loadedAtMs = this.#now()
    const { role, tenant, ttlSeconds, estimate } = question
    const result: QueryResult = await this.#adapter.execute(question.query, question.params, {
      signal,
      timeoutMs,
      role,
      tenant,
      settings: this.#options.settings,
      estimate,
    })
    return { result, loadedAtMs, ttlSeconds: question.cache ? ttlSeconds : 0 }
  }

  #freshnessOf(kept: KeptAnswer | undefined, question: AnalyticsQuestion): 'hit' | 'stale' | 'outlived' {
    if (kept === undefined) return 'outlived'
    const ageSeconds = (this.#now() - kept.loadedAtMs) / 1000
    // Who asks for a shorter life than the answer was kept for gets what it asks for.
    const lifeSeconds = Math.min(kept.ttlSeconds, question.ttlSeconds)
    if (ageSeconds < lifeSeconds) return 'hit'
    return ageSeconds < lifeSeconds + this.#limits.staleSeconds ? 'stale' : 'outlived'
  }

  #answer<T extends Row>(status: CacheStatus, { result, loadedAtMs, ttlSeconds }: Loaded): AnalyticsResult<T> {
    this.#counts[status] += 1
    const { rows, columns, statistics, queryId } = result as QueryResult<T>
    return { data: rows, columns, statistics, queryId, cache: { status, ageMs: Math.max(0, this.#now() - loadedAtMs), ttlSeconds } }
  }

  async #cache(): Promise<AnalyticsCache> {
    this.#open ??= outsideOfCalls(() => openAnalyticsCache(this.#adapter, this.#options, this.#limits))
    this.#opened = (await this.#open).cache
    return this.#opened
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw closedError()
  }

  #now(): number {
    return (this.#options.clock ?? systemClock).now()
  }
}
