import type { CallOptions, InfrastructureError, Row } from '@smart-whale/interfaces'
import type { EstimateBudget } from '../access/request-budget.ts'
import type { ColumnDescription, QueryParams, QueryStatistics } from '../adapter-options.ts'

/** A question to ClickHouse, with what bounds its answer. */
export interface AnalyticsQuery {
  /** One statement that reads. */
  readonly query: string
  /** Values of `:name` and `{name:Type}`; the server binds them. */
  readonly params?: QueryParams | undefined
  readonly options?: AnalyticsQueryOptions | undefined
}

/** What a single analytics query may be told. */
export interface AnalyticsQueryOptions extends CallOptions {
  /** `false` asks the server in any case, alone, and keeps nothing. @default true */
  cache?: boolean | undefined
  /** How long the answer may be served again. @default the service's `defaultTtlSeconds` */
  ttlSeconds?: number | undefined
  /** ClickHouse role to run under; answers of one role are never given to another. @default the user's default roles */
  role?: string | undefined
  /** Whose answer it is (a tenant, a user) where rows depend on that; answers of one scope are never given to another. @default '' */
  scope?: string | undefined
  /** Whose rows it may read, where row policies go by tenant; answers of one tenant are never given to another. @default none */
  tenant?: string | undefined
  /** Which trust level it runs at, where the service has several (`createAccessControl`); another service takes no notice. @default none */
  level?: string | undefined
  /** What it may be estimated to read, together with others of the same request; an answer that is kept costs nothing. @default nothing is estimated */
  budget?: EstimateBudget | undefined
  /** Names of one's own under which `invalidateTags` forgets the answer, besides the tables that it reads. @default [] */
  tags?: readonly string[] | undefined
}

/**
 * Where an answer came from. `hit`: kept from before. `stale`: kept from before and past its life, being loaded anew behind it.
 * `miss`: loaded for this caller. `shared`: loaded once for several callers who asked at the same time. `bypass`: the caller wanted no cache.
 */
export type CacheStatus = 'hit' | 'stale' | 'miss' | 'shared' | 'bypass'

/** What the cache had to do with an answer. */
export interface CacheState {
  readonly status: CacheStatus
  /** Time since the answer's load began. */
  readonly ageMs: number
  /** Life of the kept answer, counted from its load; 0 when it is not kept. */
  readonly ttlSeconds: number
}

/** An answer. It may be shared between callers: read it, don't change it. */
export interface AnalyticsResult<T extends Row = Row> {
  /** Rows by column name: 64-bit integers are `bigint`, decimals strings; `toWire` makes JSON of them. */
  readonly data: readonly T[]
  readonly columns: readonly ColumnDescription[]
  /** What the query cost; null where that would tell a tenant how much there is of others. */
  readonly statistics: QueryStatistics | null
  readonly cache: CacheState
  /** Set when the answer is less than what was asked for, because the quota is spent. */
  readonly degraded?: DegradedAnswer | undefined
  /** Id of the query in the server's logs; of the load that an answer from the cache goes back to. */
  readonly queryId: string
  readonly error?: undefined
}

/** In place of a refusal: what is known from before. */
export interface DegradedAnswer {
  /** The kind of quota that is spent. */
  readonly quota: string
  /** When the quota allows a query again, in milliseconds from now. */
  readonly retryAfterMs: number
}

/** A query of a batch that failed; the others are not touched by it. */
export interface AnalyticsFailure {
  readonly data?: undefined
  readonly error: InfrastructureError
}

/** What became of the cache's part in all answers since the service was made. */
export interface AnalyticsCacheStats {
  readonly hits: number
  readonly staleHits: number
  readonly misses: number
  /** Answers that several callers shared while they were loaded. */
  readonly shared: number
  readonly bypassed: number
  /** Loads whose answer was not kept because what it read was invalidated meanwhile. */
  readonly outdated: number
  readonly invalidations: number
  /** Calls to the cache that failed or took too long; the answer then came from the server. */
  readonly failures: number
  /** Answers kept, counted up to 10,000; `null` when the cache could not be asked. */
  readonly entries: number | null
  /** Loads under way. */
  readonly inFlight: number
  /** Callers who wait for them. */
  readonly waiting: number
  /** Share of answers that needed no load of their own, 0 to 1. */
  readonly hitRatio: number
}
