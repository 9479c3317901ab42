import { problemResponse } from '@smart-whale/interfaces'
import { type AnalyticsRequestLimits, MAX_INVALIDATED_NAMES } from './analytics-request.ts'

/** What every route may refuse. */
export const refusals = {
  400: problemResponse('The query, its parameters or another field is wrong.'),
  401: problemResponse('Not authenticated.'),
  403: problemResponse('Not allowed: the route, the statement or a table.'),
}

const columns = {
  type: 'array',
  items: {
    type: 'object',
    properties: { name: { type: 'string' }, type: { type: 'string', examples: ['UInt64', 'LowCardinality(String)'] } },
  },
}

const cacheState = {
  type: 'object',
  properties: {
    status: { type: 'string', enum: ['hit', 'stale', 'miss', 'shared', 'bypass'] },
    ageMs: { type: 'integer' },
    ttlSeconds: { type: 'integer', description: '0 when the answer is not kept.' },
  },
}

const queryField = (limits: AnalyticsRequestLimits) => ({
  type: 'string',
  minLength: 1,
  maxLength: limits.maxQueryLength,
  description: 'One statement that reads. Values go into params, as `:name` or `{name:Type}`.',
  examples: ['SELECT origin, count() AS flights FROM flights WHERE delay > :delay GROUP BY origin'],
})

const paramsField = (limits: AnalyticsRequestLimits) => ({
  type: 'object',
  additionalProperties: true,
  maxProperties: limits.maxParams,
  examples: [{ delay: 60 }],
})

/** Documents `POST /analytics`. */
export const analyticsSchema = (limits: AnalyticsRequestLimits) => ({
  tags: ['analytics'],
  summary: 'Ask ClickHouse',
  description: 'Runs one statement as a read-only user. 64-bit integers and decimals are strings; their types stand in `columns`. With `Accept: application/x-ndjson`, `text/csv`, `application/vnd.apache.parquet` or `application/vnd.apache.arrow.stream` the answer is a file, streamed and never kept.',
  body: {
    type: 'object',
    required: ['query'],
    additionalProperties: false,
    properties: {
      query: queryField(limits),
      params: paramsField(limits),
      options: {
        type: 'object',
        additionalProperties: false,
        properties: {
          cache: { type: 'boolean', default: true, description: 'false asks the server in any case and keeps nothing.' },
          ttlSeconds: { type: 'integer', minimum: 1, maximum: limits.maxTtlSeconds },
          timeoutMs: { type: 'integer', minimum: 1, maximum: limits.maxTimeoutMs },
        },
      },
    },
  },
  response: {
    200: {
      description: 'The answer.',
      type: 'object',
      properties: {
        data: { type: 'array', items: { type: 'object', additionalProperties: true } },
        columns,
        statistics: {
          type: ['object', 'null'],
          description: 'What the query cost; null to callers who belong to a tenant, since rows are counted before they are filtered.',
          properties: { rowsRead: { type: 'integer' }, bytesRead: { type: 'integer' }, elapsedMs: { type: 'number' } },
        },
        cache: cacheState,
        queryId: { type: 'string' },
        degraded: {
          type: 'object',
          description: 'Only when the quota is spent: the answer is an older one.',
          properties: { quota: { type: 'string' }, retryAfterMs: { type: 'integer' } },
        },
      },
    },
    ...refusals,
    408: problemResponse('The query took longer than it may.'),
    413: problemResponse('The body is too large.'),
    422: problemResponse('The query reads or makes more rows or bytes, or needs more memory, than it may; or the server could not carry it out.'),
    429: problemResponse('The quota is spent, or too many of the caller\'s queries run already; Retry-After says when to come back.'),
    503: problemResponse('ClickHouse is away or busy.'),
  },
})

/** Documents `GET /analytics/cache/stats`. */
export const cacheStatsSchema = {
  tags: ['analytics'],
  summary: 'What the result cache does',
  response: {
    200: {
      description: 'Counts since the start.',
      type: 'object',
      properties: {
        ...Object.fromEntries(
          ['hits', 'staleHits', 'misses', 'shared', 'bypassed', 'outdated', 'invalidations', 'failures', 'inFlight', 'waiting'].map(
            (name) => [name, { type: 'integer' }],
          ),
        ),
        entries: { type: ['integer', 'null'], description: 'Answers kept, counted up to 10,000; null when the cache can not be asked.' },
        hitRatio: { type: 'number', minimum: 0, maximum: 1 },
      },
    },
    401: refusals[401],
    403: refusals[403],
  },
}

/** Documents `POST /analytics/cache/invalidate`. */
export const cacheInvalidateSchema = (limits: AnalyticsRequestLimits) => {
  const names = { type: 'array', minItems: 1, maxItems: MAX_INVALIDATED_NAMES, items: { type: 'string', minLength: 1, maxLength: 256 } }
  return {
    tags: ['analytics'],
    summary: 'Forget kept answers',
    description:
      'Without a body everything is forgotten; else the answers of a query, those that read one of the tables, and those asked for under one of the tags.',
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { query: queryField(limits), params: paramsField(limits), tables: names, tags: names },
    },
    response: {
      200: {
        description: 'Done.',
        type: 'object',
        properties: {
          removed: { type: ['integer', 'null'], description: 'Kept answers removed; null where they are voided without being counted.' },
        },
      },
      ...refusals,
    },
  }
}
