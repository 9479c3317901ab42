import { ConfigurationError, ValidationError, type ValidationIssue } from '@smart-whale/interfaces'
import { z } from 'zod'
import type { QueryParams } from '../adapter-options.ts'
import type { AnalyticsQuery } from '../analytics/analytics-query.ts'
import type { ClickHouseErrorCode } from '../errors.ts'

/** Bounds of what a request may carry. */
export interface AnalyticsRequestLimits {
  /** Longest query text, in characters. @default 65536 */
  maxQueryLength: number
  /** Most parameters. @default 100 */
  maxParams: number
  /** Largest body, in bytes. @default 1048576 */
  maxBodyBytes: number
  /** Longest time that a request may ask for. @default 60000 */
  maxTimeoutMs: number
  /** Longest life that a request may ask for its answer. @default 86400 */
  maxTtlSeconds: number
}

const DEFAULTS: AnalyticsRequestLimits = {
  maxQueryLength: 65_536,
  maxParams: 100,
  maxBodyBytes: 1_048_576,
  maxTimeoutMs: 60_000,
  maxTtlSeconds: 86_400,
}
/** Most names in one list of an invalidation. */
export const MAX_INVALIDATED_NAMES = 100

/** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` that names the limit */
export function checkRequestLimits(limits: Partial<AnalyticsRequestLimits> = {}): AnalyticsRequestLimits {
  const wanted = { ...DEFAULTS, ...limits }
  for (const [name, value] of Object.entries(wanted)) {
    if (Number.isInteger(value) && value >= 1) continue
    throw new ConfigurationError<ClickHouseErrorCode>(`limits.${name} must be a whole number ≥ 1, got ${String(value)}`, {
      code: 'ERR_CLICKHOUSE_CONFIGURATION',
    })
  }
  return wanted
}

/** Reads what a body of `POST /analytics` asks. What it reads throws a ValidationError that names each wrong field. */
export function analyticsBodyReader(limits: AnalyticsRequestLimits): (body: unknown) => AnalyticsQuery {
  const wanted = z.strictObject({
    query: queryText(limits),
    params: queryParams(limits).optional(),
    options: z
      .strictObject({
        cache: z.boolean().optional(),
        ttlSeconds: z.int().min(1).max(limits.maxTtlSeconds).optional(),
        timeoutMs: z.int().min(1).max(limits.maxTimeoutMs).optional(),
      })
      .optional(),
  })
  return (body) => check(wanted, body)
}

/** What an invalidation names; nothing stands for everything. */
export interface Invalidation {
  readonly query?: string | undefined
  readonly params?: QueryParams | undefined
  readonly tables?: string[] | undefined
  readonly tags?: string[] | undefined
}

/** Reads what a body of `POST /analytics/cache/invalidate` names. What it reads throws a ValidationError that names each wrong field. */
export function invalidationReader(limits: AnalyticsRequestLimits): (body: unknown) => Invalidation {
  const names = z.array(z.string().min(1).max(256)).min(1).max(MAX_INVALIDATED_NAMES)
  const wanted = z
    .strictObject({
      query: queryText(limits).optional(),
      params: queryParams(limits).optional(),
      tables: names.optional(),
      tags: names.optional(),
    })
    .refine(({ query, params }) => params === undefined || query !== undefined, {
      path: ['params'],
      message: 'needs the query that they belong to',
    })
  return (body) => check(wanted, body ?? {})
}

const queryText = (limits: AnalyticsRequestLimits) =>
  z
    .string()
    .max(limits.maxQueryLength)
    .refine((text) => text.trim() !== '', { message: 'must not be empty' })

const queryParams = (limits: AnalyticsRequestLimits) =>
  z
    .record(z.string(), z.unknown())
    .refine((params) => Object.keys(params).length <= limits.maxParams, { message: `must have at most ${limits.maxParams} members` })
    .superRefine((params, context) => {
      for (const [name, value] of Object.entries(params)) {
        if (holdsInexactInteger(value))
          context.addIssue({
            code: 'custom',
            path: [name],
            message:
              'has a number beyond 2^53, which JSON can not hold exactly; write it as text, with its type in the query: {name:UInt64}',
          })
      }
    })

/** A whole number that large has been rounded by whoever read the JSON: the caller meant another one. */
function holdsInexactInteger(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsInexactInteger)
}

function check<T>(wanted: z.ZodType<T>, body: unknown): T {
  const outcome = wanted.safeParse(body)
  if (outcome.success) return outcome.data
  const issues = outcome.error.issues.flatMap(issuesOf)
  const sentence = issues.map(({ path, message }) => `${['body', ...path].join('.')}: ${message}`).join('; ')
  throw new ValidationError<ClickHouseErrorCode>(sentence, { code: 'ERR_CLICKHOUSE_ANALYTICS_QUERY', issues })
}

/** zod reports unknown members at their parent; each is named where it stands. */
function issuesOf(issue: z.core.$ZodIssue): ValidationIssue[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)))
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }]
  return issue.keys.map((key) => ({ path: [...path, key], message: 'is not known here; leave it out' }))
}
