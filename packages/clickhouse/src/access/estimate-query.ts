import type { ClickHouseAdapter, QueryEstimate, QueryOptions, QueryParams } from '../adapter-options.ts'
import { QuerySyntaxError } from '../errors.ts'
import { sqlTokens } from '../sql-tokens.ts'
import { BudgetExceededError } from './access-errors.ts'
import type { EstimateBudget } from './request-budget.ts'
import type { BudgetOptions } from './trust-level.ts'

export type { QueryEstimate } from '../adapter-options.ts'

const PREFIX = 'EXPLAIN ESTIMATE\n'
const ESTIMATED: ReadonlySet<string> = new Set(['SELECT', 'WITH', 'FROM'])

/**
 * Asks the server what a query would read, without running it: milliseconds, whatever the query costs. Subqueries whose value the plan
 * depends on are run all the same, within the user's limits. Tables of other engines than MergeTree's count nothing.
 * Undefined for a statement that reads no tables.
 */
export async function estimateQuery(adapter: ClickHouseAdapter, query: string, params: QueryParams | undefined, options: QueryOptions = {}): Promise<QueryEstimate | undefined> {
  const first = [...sqlTokens(query)].find(({ text }) => text !== '(')
  if (first === undefined || !ESTIMATED.has(first.value)) return undefined
  try {
    const { rows } = await adapter.execute<Record<'rows' | 'marks' | 'parts', bigint>>(`${PREFIX}${query}`, params, { ...options, queryId: undefined })
    const sum = (kind: 'rows' | 'marks' | 'parts'): number => rows.reduce((total, row) => total + Number(row[kind]), 0)
    return { rows: sum('rows'), marks: sum('marks'), parts: sum('parts') }
  } catch (error) {
    throw QuerySyntaxError.isInstance(error) ? placedInQuery(error) : error
  }
}

/** An adapter that estimates by rules of its own: those of a trust level. */
export interface Estimator {
  estimate(query: string, params: QueryParams | undefined, options: QueryOptions): Promise<QueryEstimate | undefined>
  /** Whether callers may know what was estimated. */
  readonly tellsEstimates: boolean
}

/**
 * Counts a query against what its request may read, before it is run.
 *
 * @returns what it is estimated to read; to be handed on to the query itself, which then needs no estimate of its own
 * @throws BudgetExceededError when it no longer fits
 */
export async function chargeBudget(budget: EstimateBudget, adapter: ClickHouseAdapter & Partial<Estimator>, query: string, params: QueryParams | undefined, options: QueryOptions): Promise<QueryEstimate | undefined> {
  const estimate = adapter.estimate === undefined ? await estimateQuery(adapter, query, params, options) : await adapter.estimate(query, params, options)
  if (estimate !== undefined) budget.charge(estimate, adapter.tellsEstimates ?? true)
  return estimate
}

/** The place as it is in the query alone. */
function placedInQuery(error: QuerySyntaxError): QuerySyntaxError {
  const { position, code, status, serverCode, serverCodeName, queryId, server } = error
  if (position === undefined) return error
  const moved = { offset: Math.max(0, position.offset - PREFIX.length), line: Math.max(1, position.line - 1), column: position.column }
  return new QuerySyntaxError(error.message, { code, status, serverCode, serverCodeName, queryId, server, position: moved, cause: error })
}

/**
 * Refuses a query that is estimated to read more than the budget has.
 *
 * @param tell whether the caller may know the estimate: by the index, it counts rows of all tenants
 * @throws BudgetExceededError `ERR_CLICKHOUSE_BUDGET` that names the limit
 */
export function refuseOverBudget(estimate: QueryEstimate, budget: BudgetOptions, tell: boolean): void {
  const findings = [
    ['rows', estimate.rows, budget.maxEstimatedRows],
    ['marks', estimate.marks, budget.maxEstimatedMarks],
    ['parts', estimate.parts, budget.maxEstimatedParts],
  ] as const
  for (const [kind, estimated, allowed] of findings) {
    if (allowed === undefined || estimated <= allowed) continue
    const amount = tell ? `${estimated} ${kind}` : `more ${kind} than it may`
    throw new BudgetExceededError(`the query would read ${amount}; at most ${allowed} ${kind} are allowed: narrow it by the columns that the tables are ordered by`, {
      kind,
      allowed,
      estimated: tell ? estimated : undefined,
    })
  }
}
