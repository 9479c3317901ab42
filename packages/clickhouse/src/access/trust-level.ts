import type { QueryLimits } from '../embedded/start-options.ts'

/** What callers of one kind may do: each request of theirs runs as one ClickHouse user, who can do no more than this. */
export interface TrustLevel {
  /** Name of the ClickHouse user. @default none, required */
  user: string
  /** The user's password. @default none, required */
  password: string
  /** Roles of access tokens that this level is for. A caller with several roles gets the first level, in the order of definition, that names one of them. @default none, required */
  roles: readonly string[]
  /** Tables and views by name, `table` or `database.table`; nothing else is within reach. @default none, required */
  tables: Readonly<Record<string, TableAccess>>
  /** Whether a level whose tables are all shared serves callers whose token is bound to a tenant, too. @default false */
  admitsTenants?: boolean | undefined
  /** What one query may cost: the user's profile. @default see {@link LevelLimits} */
  limits?: LevelLimits | undefined
  /** What each tenant, or where there are no tenants the level as a whole, may do at once. @default see {@link ShareOptions} */
  share?: ShareOptions | undefined
  /** What each tenant, or where there are no tenants the level as a whole, may spend over time. @default no bound */
  quota?: QuotaOptions | undefined
  /** What a query may be estimated to read before it is run. @default nothing is estimated */
  budget?: BudgetOptions | undefined
}

/** Which rows and columns of a table a level may read. Exactly one of `tenantColumn` and `shared` must be given. */
export interface TableAccess {
  /** Column that holds the tenant of a row: a request reads the rows of its own tenant. @default none */
  tenantColumn?: string | undefined
  /** The column's type, where it is not text. @default 'String' */
  tenantType?: string | undefined
  /** Says that every caller of the level may read all of its rows. @default false */
  shared?: boolean | undefined
  /** Columns that may be read. @default all of them */
  columns?: readonly string[] | undefined
  /** A further SQL condition that a row has to meet. @default none */
  condition?: string | undefined
}

/** What one query of a level may cost, and how many run at once. */
export interface LevelLimits extends QueryLimits {
  /** Threads of one query. @default 2 */
  maxThreads?: number | undefined
  /** Queries of the level that the server runs at once; more are refused by it. @default 32 */
  maxConcurrentQueries?: number | undefined
  /** How the system's scheduler ranks the threads of a query against other work, -20 (first) to 19 (last). @default 0 */
  niceness?: number | undefined
  /**
   * The same for queries of a tenant who asks for more than its share while others ask, or whose queries are long: who asks for little doesn't wait for a processor then.
   * Works where the server may rank its threads (`CAP_SYS_NICE`) and the level's profile lets a request say so; without, nothing changes. @default 10
   */
  nicenessOverShare?: number | undefined
}

/** What one tenant may do at once. */
export interface ShareOptions {
  /** Queries of one tenant that run at once. @default 4 */
  maxConcurrent?: number | undefined
  /** Queries of one tenant that wait for their turn; more are refused. @default 16 */
  maxQueued?: number | undefined
  /** How long a query waits for its turn, in milliseconds. @default 5_000 */
  maxWaitMs?: number | undefined
  /** How long the reader of a stream or a download may take nothing before it is ended, in milliseconds: it has its turn all the time. @default 10_000 */
  maxReaderIdleMs?: number | undefined
}

/** What one tenant may spend within a sliding window. A kind that is left out is not bounded. */
export interface QuotaOptions {
  /** Length of the window, in seconds. @default 60 */
  windowSeconds?: number | undefined
  /** Queries that reach the server. @default unbounded */
  maxQueries?: number | undefined
  /** Rows read. @default unbounded */
  maxRowsRead?: number | undefined
  /** Bytes read, uncompressed. @default unbounded */
  maxBytesRead?: number | undefined
  /** Time on the server, in milliseconds. @default unbounded */
  maxServerMs?: number | undefined
  /** How old an answer may be that is given in place of a refusal, marked as degraded, in seconds; 0 refuses at once. @default 3_600 */
  maxDegradedAgeSeconds?: number | undefined
}

/** What a query may be estimated to read. A kind that is left out is not bounded. */
export interface BudgetOptions {
  /** Rows, by the index of the tables. @default unbounded */
  maxEstimatedRows?: number | undefined
  /** Marks (granules) of the index. @default unbounded */
  maxEstimatedMarks?: number | undefined
  /** Parts of the tables. @default unbounded */
  maxEstimatedParts?: number | undefined
}

/** As whom a request runs. */
export interface TrustedReader {
  /** Name of the trust level. */
  readonly level: string
  /** Whose rows it may read; undefined at a level without tenants. */
  readonly tenant: string | undefined
}
