import { type AuditSink, type CachingInterface, type Clock, type Logger, type MetricsSink, type Row, silentAudit, silentLogger, silentMetrics, systemClock } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, InsertOptions, InsertResult, QueryParams } from '../adapter-options.ts'
import type { AnalyticsCacheStats, AnalyticsFailure, AnalyticsQuery, AnalyticsResult } from '../analytics/analytics-query.ts'
import { type AnalyticsLimits, type AnalyticsServiceOptions, checkLimits } from '../analytics/analytics-options.ts'
import { type AnalyticsBatchOptions, answerBatch } from '../analytics/answer-batch.ts'
import { type AnalyticsService, createAnalyticsService, type PreparedQuery } from '../analytics/analytics-service.ts'
import { tellingOtherwise } from '../analytics/stream-answer.ts'
import type { ExportFormat, ExportStream } from '../export/export-options.ts'
import { PermissionDeniedError } from '../operational-errors.ts'
import { QuotaExceededError } from './access-errors.ts'
import type { CheckedLevel } from './check-levels.ts'
import { FairTurns, type FairTurnsOptions } from './fair-turns.ts'
import { LastAnswers } from './last-answers.ts'
import { LevelAdapter, type LevelAdapterOptions } from './level-adapter.ts'
import { recordRefusals } from './record-refusals.ts'
import { refuseLookingAround } from './refuse-looking-around.ts'
import { createMemoryQuotaStore } from './quota/memory-quota-store.ts'
import { SlidingQuota } from './quota/sliding-quota.ts'
import type { QuotaStore } from './quota/spending.ts'
import type { TrustedReader } from './trust-level.ts'

/** What a service over several trust levels is made from. */
export interface TrustedAnalyticsOptions {
  /** Adapter of each level's user, by the level's name. @default none, required */
  adapters: ReadonlyMap<string, ClickHouseAdapter>
  /** Where answers are kept, apart for each level and tenant; null keeps none. @default none, required */
  cache: CachingInterface | null
  /** More for the service of each level. @default {} */
  analytics?: Omit<AnalyticsServiceOptions, 'cache' | 'cacheKeyPrefix' | 'logger' | 'clock'> | undefined
  /** Where it is kept what each tenant has spent. @default in this process */
  quotaStore?: QuotaStore | undefined
  /** How many queries run at once, over all levels. @default see {@link FairTurnsOptions} */
  turns?: FairTurnsOptions | undefined
  /** Where it is written down who was refused what is not allowed. No answer waits for it. @default silentAudit */
  audit?: AuditSink | undefined
  /** Where refusals are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Hears of what tenants are not told. @default silentLogger */
  logger?: Logger | undefined
}

/** Answers each query as the user of the level that it names in its options. */
export class TrustedAnalytics implements AnalyticsService {
  readonly #levels: ReadonlyMap<string, CheckedLevel>
  readonly #services = new Map<string, AnalyticsService>()
  readonly #parts = new Map<string, Omit<LevelAdapterOptions, 'tenant'>>()
  readonly #limits: AnalyticsLimits
  readonly #last: LastAnswers
  readonly #logger: Logger
  readonly #refused: ReturnType<typeof recordRefusals>
  readonly turns: FairTurns

  constructor(levels: readonly CheckedLevel[], options: TrustedAnalyticsOptions) {
    const { adapters, cache, analytics, clock = systemClock, logger = silentLogger } = options
    const store = options.quotaStore ?? createMemoryQuotaStore({ clock })
    this.#levels = new Map(levels.map((level) => [level.name, level]))
    this.#limits = checkLimits(analytics ?? {})
    this.#logger = logger
    this.#refused = recordRefusals({ audit: options.audit ?? silentAudit, metrics: options.metrics ?? silentMetrics, logger })
    this.turns = new FairTurns({ clock, ...options.turns })
    const first = adapters.values().next().value as ClickHouseAdapter
    const prefix = `smart-whale:trusted:${first.server}:`
    this.#last = new LastAnswers(cache, `${prefix}last:`, clock)
    for (const level of levels) {
      const parts = {
        adapter: adapters.get(level.name) as ClickHouseAdapter,
        level,
        turns: this.turns,
        quota: level.quota === undefined ? undefined : new SlidingQuota(level.quota, store, () => clock.now()),
        logger,
        clock,
      }
      this.#parts.set(level.name, parts)
      const adapter = new LevelAdapter(parts)
      this.#services.set(level.name, createAnalyticsService(adapter, { catalogue: adapters.get(level.name), ...analytics, cache: cache ?? false, cacheKeyPrefix: `${prefix}${level.name}:`, clock, logger }))
    }
  }

  async executeAnalyticsQuery<T extends Row = Row>(query: AnalyticsQuery): Promise<AnalyticsResult<T>> {
    const level = this.#levelOf(query)
    return this.#settle<T>(level, query, async () => {
      admit(level, query)
      return this.#serviceOf(level).executeAnalyticsQuery<T>(query)
    })
  }

  prepareQuery(query: AnalyticsQuery): PreparedQuery {
    const level = this.#levelOf(query)
    try {
      admit(level, query)
      const prepared = this.#serviceOf(level).prepareQuery(query)
      return {
        answer: (signalOf) => {
          const answer = prepared.answer(signalOf)
          // What costs nothing is neither refused nor new; all else may be either.
          if (!(answer instanceof Promise) && answer.cache.status === 'hit') return shownTo(level, answer)
          return this.#settle(level, query, async () => answer)
        },
      }
    } catch (error) {
      this.#refused(error, query, level)
      throw error
    }
  }

  /** An adapter that is the reader: for streams, downloads and exports, within the same bounds. Closing it closes nothing. */
  adapterFor({ level: name, tenant }: TrustedReader): ClickHouseAdapter {
    const parts = this.#parts.get(name)
    if (parts === undefined) throw new PermissionDeniedError('the caller has no trust level; one of its roles must be named by one')
    if (parts.level.byTenant && tenant === undefined) throw new PermissionDeniedError('the caller belongs to no tenant; its token needs a tenant')
    return new LevelAdapter({ ...parts, tenant, shared: true })
  }

  async streamAnswer(query: AnalyticsQuery, format: ExportFormat): Promise<ExportStream> {
    const level = this.#levelOf(query)
    const told = (error: unknown): unknown => {
      this.#refused(error, query, level)
      return error
    }
    try {
      admit(level, query)
      return tellingOtherwise(await this.#serviceOf(level).streamAnswer(query, format), told)
    } catch (error) {
      throw told(error)
    }
  }

  async executeBatchQueries<T extends Row = Row>(queries: readonly AnalyticsQuery[], options: AnalyticsBatchOptions = {}): Promise<(AnalyticsResult<T> | AnalyticsFailure)[]> {
    return answerBatch((query) => this.executeAnalyticsQuery<T>(query), queries, options, this.#limits)
  }

  async insert(table: string, rows: readonly Row[], options?: InsertOptions): Promise<InsertResult> {
    const [first, ...others] = [...this.#services.values()] as [AnalyticsService, ...AnalyticsService[]]
    try {
      return await first.insert(table, rows, options)
    } finally {
      // The first one has done so itself. That it can't be done makes no failure of an insert that is stored.
      await Promise.all(others.map((service) => service.invalidateTables([table]))).catch((error: unknown) => {
        this.#logger.error({ err: error, table }, 'answers that read the table could not be voided; they are served until their life ends')
      })
    }
  }

  async invalidateCache(query?: string, params?: QueryParams): Promise<number> {
    const removed = await this.#each((service) => service.invalidateCache(query, params))
    return removed.reduce((sum, count) => sum + count, 0)
  }

  async invalidateTables(tables: readonly string[]): Promise<void> {
    await this.#each((service) => service.invalidateTables(tables))
  }

  /** Every level is told of the same tables; one of them passes it on. */
  watchTables(listener: (tables: readonly string[]) => void): () => void {
    return (this.#services.values().next().value as AnalyticsService).watchTables(listener)
  }

  async invalidateTags(tags: readonly string[]): Promise<void> {
    await this.#each((service) => service.invalidateTags(tags))
  }

  /** Sums over all levels and tenants: not for tenants to see. */
  async getCacheStats(): Promise<AnalyticsCacheStats> {
    const all = await this.#each((service) => service.getCacheStats())
    const total = (name: keyof AnalyticsCacheStats): number => all.reduce((sum, stats) => sum + (stats[name] ?? 0), 0)
    const names = ['hits', 'staleHits', 'misses', 'shared', 'bypassed', 'outdated', 'invalidations', 'failures', 'inFlight', 'waiting'] as const
    const counts = Object.fromEntries(names.map((name) => [name, total(name)])) as Record<(typeof names)[number], number>
    const answers = counts.hits + counts.staleHits + counts.misses + counts.shared + counts.bypassed
    return {
      ...counts,
      entries: all.some(({ entries }) => entries === null) ? null : total('entries'),
      hitRatio: answers === 0 ? 0 : (counts.hits + counts.staleHits + counts.shared) / answers,
    }
  }

  async close(): Promise<void> {
    await this.#each((service) => service.close())
  }

  /** Keeps an answer for bad times; gives one from better times when the quota is spent; tells of every refusal. */
  async #settle<T extends Row>(level: CheckedLevel, query: AnalyticsQuery, ask: () => Promise<AnalyticsResult<T>>): Promise<AnalyticsResult<T>> {
    try {
      const result = await ask()
      await this.#keep(level, query, result as AnalyticsResult)
      return shownTo(level, result)
    } catch (error) {
      this.#refused(error, query, level)
      const degraded = QuotaExceededError.isInstance(error) ? await this.#degraded<T>(level, query, error) : undefined
      if (degraded !== undefined) return degraded
      throw error
    }
  }

  #levelOf(query: AnalyticsQuery): CheckedLevel {
    const level = this.#levels.get(query.options?.level ?? '')
    if (level !== undefined) return level
    const refusal = new PermissionDeniedError('the caller has no trust level; one of its roles must be named by one')
    this.#refused(refusal, query, undefined)
    throw refusal
  }

  #serviceOf({ name }: CheckedLevel): AnalyticsService {
    return this.#services.get(name) as AnalyticsService
  }

  #each<T>(work: (service: AnalyticsService) => Promise<T>): Promise<T[]> {
    return Promise.all([...this.#services.values()].map(work))
  }

  async #keep(level: CheckedLevel, query: AnalyticsQuery, result: AnalyticsResult): Promise<void> {
    if (level.quota === undefined) return
    await this.#last.keep(level.name, query, result, level.quota.maxDegradedAgeSeconds ?? 3600).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'an answer could not be kept for when the quota is spent')
    })
  }

  async #degraded<T extends Row>(level: CheckedLevel, query: AnalyticsQuery, { quota, retryAfterMs }: QuotaExceededError): Promise<AnalyticsResult<T> | undefined> {
    const known = await this.#last.find(level.name, query).catch(() => undefined)
    return known === undefined ? undefined : shownTo(level, { ...(known as AnalyticsResult<T>), degraded: { quota, retryAfterMs } })
  }
}

/** Before anything is looked up, in the cache too. */
function admit({ byTenant }: CheckedLevel, { query, params, options }: AnalyticsQuery): void {
  if (!byTenant) return
  if (options?.tenant === undefined) throw new PermissionDeniedError('the caller belongs to no tenant; its token needs a tenant')
  if (typeof query === 'string') refuseLookingAround(query, params)
}

/** Rows read are counted before the row policies: to a tenant they would tell how much there is of others. */
function shownTo<T extends Row>(level: CheckedLevel, result: AnalyticsResult<T>): AnalyticsResult<T> {
  return level.byTenant ? { ...result, statistics: null } : result
}
