import { ValidationError, type ValidationIssue } from '@smart-whale/interfaces'
import type { EstimateBudget } from '../access/request-budget.ts'
import type { QueryEstimate, QueryParams } from '../adapter-options.ts'
import type { AnalyticsLimits } from './analytics-options.ts'
import type { AnalyticsQuery } from './analytics-query.ts'
import { describeQuery } from './query-text.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { PermissionDeniedError } from '../operational-errors.ts'

/** An analytics query that was checked, with every default filled in. */
export interface AnalyticsQuestion {
  readonly query: string
  readonly params: QueryParams
  readonly cache: boolean
  readonly ttlSeconds: number
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly role: string | undefined
  readonly scope: string | undefined
  readonly tenant: string | undefined
  readonly budget: EstimateBudget | undefined
  /** What its budget was charged with. */
  readonly estimate?: QueryEstimate | undefined
  readonly tags: readonly string[]
}

/**
 * Checks a query before anything is asked for it.
 *
 * @throws ValidationError `ERR_CLICKHOUSE_ANALYTICS_QUERY` that names each wrong field
 * @throws PermissionDeniedError for a statement that doesn't read. This spares a round trip; what keeps writers out is the user's profile.
 */
export function checkQuestion(asked: AnalyticsQuery, limits: AnalyticsLimits): AnalyticsQuestion {
  const issues = [...findTextIssues(asked, limits), ...findOptionIssues(asked, limits)]
  if (issues.length > 0) throw refusal(issues)
  if (!describeQuery(asked.query).reads) {
    throw new PermissionDeniedError(
      'query: analytics only read; use SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN, and insert through a writer',
    )
  }
  const { cache, ttlSeconds, timeoutMs, signal, role, scope, tenant, budget, tags } = asked.options ?? {}
  return {
    query: asked.query,
    params: asked.params ?? {},
    cache: cache ?? true,
    ttlSeconds: ttlSeconds ?? Math.min(limits.defaultTtlSeconds, limits.maxTtlSeconds),
    timeoutMs: timeoutMs ?? Math.min(limits.defaultTimeoutMs, limits.maxTimeoutMs),
    signal,
    role,
    scope,
    tenant,
    budget,
    tags: tags ?? [],
  }
}

function refusal(issues: readonly ValidationIssue[]): ValidationError<ClickHouseErrorCode> {
  const sentence = issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')
  return new ValidationError<ClickHouseErrorCode>(sentence, { code: 'ERR_CLICKHOUSE_ANALYTICS_QUERY', issues })
}

function* findTextIssues(asked: AnalyticsQuery, limits: AnalyticsLimits): Iterable<ValidationIssue> {
  const { query, params } = (asked ?? {}) as Partial<AnalyticsQuery>
  if (typeof query !== 'string') yield { path: ['query'], message: `must be SQL text, got ${kindOf(query)}` }
  else if (query.trim() === '') yield { path: ['query'], message: 'must not be empty' }
  else if (query.length > limits.maxQueryLength) {
    yield { path: ['query'], message: `must have at most ${limits.maxQueryLength} characters, got ${query.length}; pass values as params` }
  }
  if (params !== undefined && !isPlainObject(params))
    yield { path: ['params'], message: `must be an object of values by name, got ${kindOf(params)}` }
}

function* findOptionIssues(asked: AnalyticsQuery, limits: AnalyticsLimits): Iterable<ValidationIssue> {
  const options = (asked as Partial<AnalyticsQuery> | null)?.options ?? {}
  if (!isPlainObject(options)) return void (yield { path: ['options'], message: `must be an object, got ${kindOf(options)}` })
  const { cache, ttlSeconds, timeoutMs, role, scope, tenant, level, tags } = options
  if (cache !== undefined && typeof cache !== 'boolean')
    yield { path: ['options', 'cache'], message: `must be true or false, got ${kindOf(cache)}` }
  yield* findNumberIssues('ttlSeconds', ttlSeconds, limits.maxTtlSeconds)
  yield* findNumberIssues('timeoutMs', timeoutMs, limits.maxTimeoutMs)
  for (const [name, value] of Object.entries({ role, scope, tenant, level })) {
    if (value !== undefined && typeof value !== 'string') yield { path: ['options', name], message: `must be text, got ${kindOf(value)}` }
  }
  if (tags !== undefined && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'))) {
    yield { path: ['options', 'tags'], message: `must be a list of texts, got ${kindOf(tags)}` }
  }
}

function* findNumberIssues(name: string, value: unknown, maximum: number): Iterable<ValidationIssue> {
  if (value === undefined) return
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= maximum) return
  const found = typeof value === 'number' ? String(value) : kindOf(value)
  yield { path: ['options', name], message: `must be a whole number from 1 to ${maximum}, got ${found}` }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value
}
