import { type CachingInterface, type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { withDeadline } from '@smart-whale/core-resilience'
import type { QueryParams, QueryResult } from '../adapter-options.ts'
import { type AnalyticsKey, analyticsKey, type KeyedQuestion } from './answer-key.ts'
import { immediate, type ImmediateCache } from './immediate-cache.ts'
import { type CacheStamp, sameStamp, TagVersions } from './tag-versions.ts'
import { ANY_TABLE, allTables, type TableDependencies, tableTag } from './table-dependencies.ts'

/** What an {@link AnalyticsCache} is made from. */
export interface AnalyticsCacheOptions {
  /** Where answers are kept; `null` keeps none, but still counts and versions. @default none, required */
  cache: CachingInterface | null
  /** Tells which tables a query reads and which a written table changes. @default every query reads every table */
  dependencies?: TableDependencies
  /** Start of every key. Services whose users may see different rows need different prefixes. @default 'smart-whale:analytics:' */
  keyPrefix?: string
  /** How long the cache may take for an answer before the server is asked instead. @default 250 */
  cacheTimeoutMs?: number
  /** Whose time passes. @default systemClock */
  clock?: Clock
  /** Hears of a cache that fails. @default silentLogger */
  logger?: Logger
}

/** An answer as it is kept. */
export interface KeptAnswer {
  readonly result: QueryResult
  /** When its load began, in milliseconds since the epoch. */
  readonly loadedAtMs: number
  readonly ttlSeconds: number
  readonly stamp: CacheStamp
}

/** What the cache knows before a load. */
export interface CacheLookup {
  readonly key: AnalyticsKey
  /** Versions of what the answer will depend on; `null` when the cache failed: the answer is then not kept. */
  readonly stamp: CacheStamp | null
  readonly kept: KeptAnswer | undefined
}

/** Every answer depends on it; renewed by an invalidation of everything. */
const EVERYTHING = 'all'
/** How many entries `countEntries` counts before it stops. */
const MAX_COUNTED_ENTRIES = 10_000

/**
 * Keeps answers of analytics queries in any `CachingInterface`, tagged with the tables that they read.
 * An invalidation takes effect at once and for every process that shares the cache, for loads under way as well.
 * A cache that fails costs speed, never an answer.
 */
export class AnalyticsCache {
  readonly #cache: CachingInterface | null
  readonly #immediate: ImmediateCache | undefined
  readonly #versions: TagVersions
  readonly #dependencies: TableDependencies
  readonly #entryPrefix: string
  readonly #cacheTimeoutMs: number
  readonly #clock: Clock
  readonly #logger: Logger
  #outdated = 0
  #invalidations = 0
  #failures = 0

  constructor(options: AnalyticsCacheOptions) {
    const prefix = options.keyPrefix ?? 'smart-whale:analytics:'
    this.#cache = options.cache
    this.#immediate = immediate(options.cache)
    this.#versions = new TagVersions(options.cache, `${prefix}version:`)
    this.#dependencies = options.dependencies ?? allTables
    this.#entryPrefix = `${prefix}answer:`
    this.#cacheTimeoutMs = options.cacheTimeoutMs ?? 250
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger ?? silentLogger
  }

  /** Counts of what happened here. */
  get counts(): { outdated: number; invalidations: number; failures: number } {
    return { outdated: this.#outdated, invalidations: this.#invalidations, failures: this.#failures }
  }

  /** The kept answer of a query, if it is still good. */
  async getCachedResult(query: string, params?: QueryParams): Promise<KeptAnswer | undefined> {
    const { kept } = await this.lookUp({ query, params })
    return kept !== undefined && this.#ageMs(kept) < kept.ttlSeconds * 1000 ? kept : undefined
  }

  /**
   * Keeps an answer. Pass the `stamp` of the {@link lookUp} that came before the load:
   * without it, an invalidation during the load goes unnoticed.
   */
  async setCachedResult(query: string, result: QueryResult, ttlSeconds: number, params?: QueryParams, stamp?: CacheStamp): Promise<void> {
    const lookup = await this.lookUp({ query, params })
    await this.keep({ ...lookup, stamp: stamp ?? lookup.stamp }, { result, ttlSeconds, loadedAtMs: this.#clock.now() })
  }

  /** What is kept for a question, even past its life, and the versions under which an answer loaded from now on may be kept. */
  async lookUp(question: KeyedQuestion): Promise<CacheLookup> {
    const key = analyticsKey(question)
    const tables = await this.#dependencies.readBy(question.query)
    const tags = tagsOf(tables, question)
    const atOnce = this.#lookUpAtOnce(key, tags)
    if (atOnce !== undefined) return atOnce
    return this.#guarded(
      'look up an answer',
      async (): Promise<CacheLookup> => {
        const [kept, stamp] = await Promise.all([this.#get(key), this.#versions.read(tags, tagsOfKey(key))])
        return lookupOf(key, kept, stamp)
      },
      { key, stamp: null, kept: undefined },
    )
  }

  /**
   * Readies the look-up of a question that comes again and again: everything that doesn't change is worked out once. What it gives is
   * {@link lookUp} without a wait; undefined when it takes one.
   */
  readyLookUp(question: KeyedQuestion): () => CacheLookup | undefined {
    const key = analyticsKey(question)
    const entryKey = this.#entryKey(key)
    let tables: readonly string[] | 'any' | undefined
    let tags: readonly string[] = []
    let isCurrent: ReturnType<TagVersions['checkOf']>
    return () => {
      const read = this.#dependencies.readAtOnce?.(question.query)
      if (read === undefined) return undefined
      if (read !== tables) {
        tables = read
        tags = tagsOf(read, question)
        isCurrent = this.#versions.checkOf(tags, tagsOfKey(key))
      }
      const kept = isCurrent === undefined ? undefined : this.#immediate?.fastGet<KeptAnswer>(entryKey)
      if (kept !== undefined && isCurrent?.(kept.stamp) === true) return { key, stamp: kept.stamp, kept }
      const stamp = this.#versions.readAtOnce(tags, tagsOfKey(key))
      return stamp === undefined ? undefined : { key, stamp, kept: undefined }
    }
  }

  /** Keeps what was loaded after `lookup`, unless something that it depends on was invalidated since. Tells whether it was kept. */
  async keep(lookup: CacheLookup, answer: Omit<KeptAnswer, 'stamp'>, staleSeconds = 0): Promise<boolean> {
    const { stamp } = lookup
    if (this.#cache === null || stamp === null) return false
    return this.#guarded(
      'keep an answer',
      async () => {
        const ofKey = tagsOfKey(lookup.key)
        const lasting = Object.keys(stamp).filter((tag) => !ofKey.includes(tag))
        const current = await this.#versions.read(lasting, ofKey)
        if (!sameStamp(stamp, current)) {
          this.#outdated += 1
          return false
        }
        await this.#cache?.set(this.#entryKey(lookup.key), { ...answer, stamp }, answer.ttlSeconds + staleSeconds)
        return true
      },
      false,
    )
  }

  /**
   * Forgets everything, every answer of one query, or its answer for certain parameters.
   * @returns how many kept answers were removed
   */
  async invalidateCache(query?: string, params?: QueryParams): Promise<number> {
    this.#invalidations += 1
    if (query === undefined) {
      await this.#versions.renew([EVERYTHING])
      return this.#remove('*')
    }
    const key = analyticsKey({ query, params })
    await this.#versions.renew([params === undefined ? queryTag(key) : variantTag(key)])
    return this.#remove(params === undefined ? `${key.query}:*` : `${key.query}:${key.params}:*`)
  }

  /** Voids every answer that reads one of the tables, directly or through a view. */
  async invalidateTables(tables: readonly string[]): Promise<void> {
    this.#invalidations += 1
    const affected = await Promise.all(tables.map((table) => this.#dependencies.affectedBy(table)))
    const tags = affected.flatMap((names) => (names === 'any' ? [EVERYTHING] : names.map(tableTag)))
    await this.#versions.renew(new Set([ANY_TABLE, ...tags]))
  }

  /** Voids every answer that was asked for under one of the tags. */
  async invalidateTags(tags: readonly string[]): Promise<void> {
    this.#invalidations += 1
    await this.#versions.renew(tags.map(ownTag))
  }

  /** Answers kept, counted up to 10,000; `null` when the cache can't be asked. */
  async countEntries(): Promise<number | null> {
    if (this.#cache === null) return 0
    const cache = this.#cache
    return this.#guarded(
      'count the answers',
      async () => {
        let count = 0
        for await (const _ of cache.scanKeys(`${globLiteral(this.#entryPrefix)}*`)) if (++count === MAX_COUNTED_ENTRIES) break
        return count
      },
      null,
    )
  }

  #ageMs(kept: KeptAnswer): number {
    return this.#clock.now() - kept.loadedAtMs
  }

  /** What memory holds needs neither a promise nor a deadline. */
  #lookUpAtOnce(key: AnalyticsKey, tags: readonly string[]): CacheLookup | undefined {
    const stamp = this.#versions.readAtOnce(tags, tagsOfKey(key))
    if (stamp === undefined) return undefined
    return lookupOf(key, this.#immediate?.fastGet<KeptAnswer>(this.#entryKey(key)), stamp)
  }

  async #get(key: AnalyticsKey): Promise<KeptAnswer | undefined> {
    return this.#cache?.get<KeptAnswer>(this.#entryKey(key))
  }

  async #remove(pattern: string): Promise<number> {
    if (this.#cache === null) return 0
    let removed = 0
    for await (const key of this.#cache.scanKeys(globLiteral(this.#entryPrefix) + pattern)) if (await this.#cache.delete(key)) removed += 1
    return removed
  }

  #entryKey(key: AnalyticsKey): string {
    return `${this.#entryPrefix}${key.query}:${key.params}:${key.reader}`
  }

  async #guarded<T>(what: string, work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await withDeadline(work, { timeoutMs: this.#cacheTimeoutMs, clock: this.#clock, what })
    } catch (error) {
      this.#failures += 1
      this.#logger.warn({ err: error }, `the result cache could not ${what}; the server is asked instead`)
      return otherwise
    }
  }
}

/** An answer that was loaded under other versions is as good as none. */
function lookupOf(key: AnalyticsKey, kept: KeptAnswer | undefined, stamp: CacheStamp): CacheLookup {
  return { key, stamp, kept: kept !== undefined && sameStamp(kept.stamp, stamp) ? kept : undefined }
}

/** What the answer depends on, besides what is said of its very query. */
const tagsOf = (tables: readonly string[] | 'any', { tags = [] }: KeyedQuestion): string[] => [EVERYTHING, ...(tables === 'any' ? [ANY_TABLE] : tables.map(tableTag)), ...tags.map(ownTag)]
const queryTag = (key: AnalyticsKey): string => `query:${key.query}`
const variantTag = (key: AnalyticsKey): string => `query:${key.query}:${key.params}`
/** Tags that exist only once somebody invalidates that very query: the others would double the number of keys. */
const tagsOfKey = (key: AnalyticsKey): string[] => [queryTag(key), variantTag(key)]
const ownTag = (tag: string): string => `tag:${tag}`

/** Text as a glob that matches it and nothing else. */
function globLiteral(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&')
}
