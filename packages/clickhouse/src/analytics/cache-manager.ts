import { type Row, systemClock } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, InsertOptions, InsertResult, QueryOptions, QueryParams, QueryResult } from '../adapter-options.ts'
import { type AnalyticsLimits, type AnalyticsServiceOptions, checkLimits } from './analytics-options.ts'
import type { KeptAnswer } from './analytics-cache.ts'
import { type OpenAnalyticsCache, openAnalyticsCache } from './open-cache.ts'
import { describeQuery } from './query-text.ts'

/** How one query is answered. */
export interface CachedQueryOptions extends QueryOptions {
  /** How long its answer may be served, in seconds. @default `defaultTtlSeconds` of the options, 30 */
  ttlSeconds?: number | undefined
}

/** An answer, and whether it was there. */
export interface CachedResult<T extends Row = Row> extends QueryResult<T> {
  readonly isCached: boolean
}

/** What the cache did. */
export interface CacheManagerStats {
  readonly hits: number
  readonly misses: number
  /** Queries that are not for the cache: what writes, and what comes with settings or a table of its own. */
  readonly bypassed: number
  /** Answers kept; null when the cache can't be asked. */
  readonly entries: number | null
}

/**
 * The cache of the analytics service for the queries of an adapter: the same keys, by text, parameters and reader, and the same invalidation by the tables that a query
 * reads. Each caller loads for itself; for one load for all, stale answers and cancellation see `createAnalyticsService`.
 */
export class CacheManager {
  readonly #adapter: ClickHouseAdapter
  readonly #options: AnalyticsServiceOptions
  readonly #limits: AnalyticsLimits
  readonly #counts = { hits: 0, misses: 0, bypassed: 0 }
  #open: Promise<OpenAnalyticsCache> | undefined

  /** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the option */
  constructor(adapter: ClickHouseAdapter, options: AnalyticsServiceOptions = {}) {
    this.#adapter = adapter
    this.#options = options
    this.#limits = checkLimits(options)
  }

  /** Answers from the cache, else from the server, and keeps that. What writes is run, and voids all that is kept. */
  async execute<T extends Row = Row>(query: string, params: QueryParams = {}, { ttlSeconds, ...options }: CachedQueryOptions = {}): Promise<CachedResult<T>> {
    const { cache } = await this.#opened()
    const isRead = describeQuery(query).reads
    if (!isRead || options.settings !== undefined || options.external !== undefined) {
      this.#counts.bypassed += 1
      const run = (): Promise<QueryResult<T>> => this.#adapter.execute<T>(query, params, options)
      const result = isRead ? await run() : await this.#voiding(run, () => cache.invalidateCache())
      return { ...result, isCached: false }
    }
    const lookup = await cache.lookUp({ query, params, role: options.role, tenant: options.tenant })
    const now = (this.#options.clock ?? systemClock).now()
    if (lookup.kept !== undefined && now - lookup.kept.loadedAtMs < lookup.kept.ttlSeconds * 1000) {
      this.#counts.hits += 1
      return { ...(lookup.kept.result as QueryResult<T>), isCached: true }
    }
    this.#counts.misses += 1
    const result = await this.#adapter.execute<T>(query, params, options)
    if (result.rows.length <= this.#limits.maxCachedRows) await cache.keep(lookup, { result: result as QueryResult, ttlSeconds: ttlSeconds ?? this.#limits.defaultTtlSeconds, loadedAtMs: now })
    return { ...result, isCached: false }
  }

  /** Inserts, and voids the answers that read the table. */
  async insert(table: string, rows: readonly Row[], options?: InsertOptions): Promise<InsertResult> {
    const { cache } = await this.#opened()
    return this.#voiding(() => this.#adapter.insert(table, rows, options), () => cache.invalidateTables([table]))
  }

  /** The kept answer of a query, if it is still good. */
  async getCachedResult(query: string, params?: QueryParams): Promise<KeptAnswer | undefined> {
    return (await this.#opened()).cache.getCachedResult(query, params)
  }

  /** Keeps an answer that came otherwise. */
  async setCachedResult(query: string, result: QueryResult, ttlSeconds: number, params?: QueryParams): Promise<void> {
    await (await this.#opened()).cache.setCachedResult(query, result, ttlSeconds, params)
  }

  /** Forgets everything, every answer of one query, or its answer for certain parameters. @returns how many were removed */
  async invalidateCache(query?: string, params?: QueryParams): Promise<number> {
    return (await this.#opened()).cache.invalidateCache(query, params)
  }

  /** Voids every answer that reads one of the tables, directly or through a view. */
  async invalidateTables(tables: readonly string[]): Promise<void> {
    await (await this.#opened()).cache.invalidateTables(tables)
  }

  async getStats(): Promise<CacheManagerStats> {
    return { ...this.#counts, entries: await (await this.#opened()).cache.countEntries() }
  }

  /** Closes a cache that it made itself. Adapter and cache that were handed in stay open. */
  async close(): Promise<void> {
    await (await this.#open)?.close()
  }

  /** Voids answers behind a write, also one that failed: some of it may be there. A cache that is away doesn't make a failure of a write that was done: who repeats that has it twice. */
  async #voiding<T>(write: () => Promise<T>, invalidate: () => Promise<unknown>): Promise<T> {
    try {
      return await write()
    } finally {
      await invalidate().catch((error: unknown) => {
        this.#options.logger?.error({ err: error }, 'answers that read what was written could not be voided; they are served until their life ends')
      })
    }
  }

  #opened(): Promise<OpenAnalyticsCache> {
    this.#open ??= openAnalyticsCache(this.#adapter, this.#options, this.#limits)
    return this.#open
  }
}
