import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, QueryOptions, QueryParams, QueryResult } from '../adapter-options.ts'
import { analyzeQuery, type QueryAnalysis } from '../advisor/analyze-query.ts'
import { QueryError } from '../errors.ts'
import { expandStar, findStars } from './expand-columns.ts'
import { applyEdits, findRewrite, type FoundRewrite, type Rewrite } from './rewrite-rules.ts'
import { takeApart } from './select-clauses.ts'

/** A query with the same rows, and what was changed. */
export interface OptimizedQuery {
  readonly query: string
  /** In the order in which they were made; empty when the query is as it was. */
  readonly rewrites: readonly Rewrite[]
}

/** An answer to a query that was optimized before. */
export interface OptimizedResult<T extends Row = Row> extends QueryResult<T> {
  /** What was run. */
  readonly optimized: OptimizedQuery
}

/** Rewrites queries into ones with the same rows that cost less. */
export interface QueryOptimizer {
  /** Makes every rewrite that is sure to leave the rows as they are. What is not understood is left alone; never throws. */
  optimizeQuery(query: string): OptimizedQuery
  /** The same, and names the columns in place of `*`, by the catalogue. */
  optimizeQueryWithColumnExpansion(query: string, options?: CallOptions): Promise<OptimizedQuery>
  /** What the server would read for a query, and what would spare it some: {@link analyzeQuery}. */
  analyzeQuery(query: string, params?: QueryParams, options?: QueryOptions): Promise<QueryAnalysis>
  /** Optimizes a query and runs it. Should the server refuse what was made of it, the query is run as it was. */
  executeOptimizedQuery<T extends Row = Row>(query: string, params?: QueryParams, options?: QueryOptions): Promise<OptimizedResult<T>>
}

/** More rewrites of one query than this can't be meant. */
const MAX_REWRITES = 100
/** Longer ones are machine-made, and left to the server. */
const MAX_LENGTH = 100_000

/** Makes an optimizer over an adapter; a read-only user will do. */
export function createQueryOptimizer(adapter: ClickHouseAdapter): QueryOptimizer {
  return {
    optimizeQuery,
    analyzeQuery: (query, params, options) => analyzeQuery(adapter, query, params, options),
    optimizeQueryWithColumnExpansion: (query, options) => expanded(adapter, optimizeQuery(query), options),
    executeOptimizedQuery: async <T extends Row>(query: string, params?: QueryParams, options?: QueryOptions) => {
      const optimized = optimizeQuery(query)
      try {
        return { ...(await adapter.execute<T>(optimized.query, params, options)), optimized }
      } catch (error) {
        if (optimized.rewrites.length === 0 || !isRefusal(error)) throw error
        return { ...(await adapter.execute<T>(query, params, options)), optimized: { query, rewrites: [] } }
      }
    },
  }
}

/**
 * Rewrites a query, step by step, as long as there is something to be had.
 * @example
 * optimizeQuery('SELECT a, count() FROM t GROUP BY a HAVING a > 5').query // SELECT a, count() FROM t WHERE a > 5 GROUP BY a
 */
export function optimizeQuery(query: string): OptimizedQuery {
  const rewrites: Rewrite[] = []
  let text = query
  if (query.length > MAX_LENGTH) return { query, rewrites }
  for (let found = findRewrite(takeApart(text)); found !== null && rewrites.length < MAX_REWRITES; found = findRewrite(takeApart(text))) {
    text = applyEdits(text, found.edits)
    rewrites.push(plain(found))
  }
  return { query: text, rewrites }
}

function plain({ rule, reason, before, after }: FoundRewrite): Rewrite {
  return { rule, reason, before, after }
}

async function expanded(adapter: Pick<ClickHouseAdapter, 'execute' | 'database'>, optimized: OptimizedQuery, options: CallOptions | undefined): Promise<OptimizedQuery> {
  const rewrites = [...optimized.rewrites]
  let text = optimized.query
  const stars = findStars(takeApart(text))
  // From the end on: so the places of the others stay where they are.
  for (const star of [...stars].reverse()) {
    const [name = '', database = adapter.database] = [...star.table].reverse()
    const found = expandStar(takeApart(text), star, await columnsOf(adapter, database, name, options))
    if (found === null) continue
    text = applyEdits(text, found.edits)
    rewrites.push(plain(found))
  }
  return { query: text, rewrites }
}

/** The columns that `*` stands for: materialized columns and aliases only where a setting of the user's says so. */
async function columnsOf(adapter: Pick<ClickHouseAdapter, 'execute'>, database: string, table: string, options: CallOptions | undefined): Promise<readonly string[]> {
  const { rows } = await adapter.execute<{ name: string }>(
    `SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} AND default_kind != 'EPHEMERAL'
      AND (default_kind != 'MATERIALIZED' OR toString(getSetting('asterisk_include_materialized_columns')) IN ('1', 'true')) AND (default_kind != 'ALIAS' OR toString(getSetting('asterisk_include_alias_columns')) IN ('1', 'true'))
      ORDER BY position`,
    { database, table },
    options,
  )
  return rows.map(({ name }) => name)
}

const REFUSALS = new Set(['ERR_CLICKHOUSE_QUERY_SYNTAX', 'ERR_CLICKHOUSE_UNKNOWN_OBJECT', 'ERR_CLICKHOUSE_QUERY', 'ERR_CLICKHOUSE_DATA_TYPE'])

/** Whether the server did not take the query, rather than failed to carry it out. */
function isRefusal(error: unknown): boolean {
  return QueryError.isInstance(error) && REFUSALS.has(error.code)
}
