import { problemResponse } from '@smart-whale/interfaces'
import { GRAINS } from '../metrics/definition/definition-shape.ts'
import { refusals } from './analytics-schemas.ts'

const text = (description: string, ...examples: unknown[]) => ({ type: 'string', description, ...(examples.length === 0 ? {} : { examples }) })
const names = (description: string) => ({ type: 'array', items: { type: 'string' }, description })

const time = {
  period: text('Whole days, weeks and so on of the time zone; or give from and to.', 'today', 'last_month', 'last_7_days', 'this_year'),
  from: text('First instant: a day, or a time with or without offset.', '2026-01-01', '2026-01-01T12:00:00+01:00'),
  to: text('First instant that is no longer meant. The end of today when it is left out.', '2026-02-01'),
  timeZone: { ...text('Whose days and hours are meant.', 'Europe/Oslo'), default: 'UTC' },
  grain: { type: 'string', enum: GRAINS, description: 'What time is cut into; without it the whole period is one.' },
  compare: { type: 'string', enum: ['previous_period', 'previous_year'] },
  fillGaps: { type: 'boolean', default: false, description: 'Adds the buckets in which nothing happened.' },
  totals: { type: 'boolean', default: false, description: 'Adds the values over everything: computed of the rows, never of the parts.' },
  limit: { type: 'integer', minimum: 1, maximum: 100_000, default: 10_000 },
  route: { type: 'string', enum: ['auto', 'raw'], default: 'auto', description: 'raw asks the source itself, whatever rollups there are.' },
}

const period = { type: 'object', properties: { from: { type: 'string' }, to: { type: 'string' }, timeZone: { type: 'string' } } }
const cost = (description: string) => ({ type: ['number', 'null'], description })

const answers = {
  200: {
    description: 'The answer. 64-bit integers and decimals are strings.',
    type: 'object',
    properties: {
      rows: {
        type: 'array',
        description: 'A row for each bucket and group: `time`, a member for each dimension and metric, `other` for the rest of a top list, `previous` in a comparison.',
        items: { type: 'object', additionalProperties: true },
      },
      totals: { type: 'object', additionalProperties: true },
      truncated: { type: 'boolean' },
      period,
      comparedWith: period,
      route: {
        type: 'object',
        description: 'Which table answered, and why no smaller one did.',
        properties: {
          source: { type: 'string', enum: ['rollup', 'raw'] },
          name: { type: 'string' },
          table: { type: 'string' },
          refused: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, reason: { type: 'string' } } } },
          rowsRead: cost('Rows that the server read.'),
          bytesRead: cost('Bytes that the server read.'),
          elapsedMs: cost('Time on the server.'),
        },
      },
      cache: { type: 'object', additionalProperties: true },
      degraded: {
        type: 'object',
        description: 'Only when the quota is spent: the answer is the one from before.',
        properties: { quota: { type: 'string' }, retryAfterMs: { type: 'integer' }, ageMs: { type: 'number' } },
      },
    },
  },
  ...refusals,
  408: problemResponse('The question took longer than it may.'),
  422: problemResponse('The question reads or makes more than it may; or the server could not carry it out.'),
  429: problemResponse('The quota is spent and there is no answer from before, or too many of the caller\'s queries run already; Retry-After says when to come back.'),
  503: problemResponse('ClickHouse is away or busy.'),
}

/** Documents `GET /analytics/metrics`. */
export const metricDefinitionSchema = {
  tags: ['metrics'],
  summary: 'What may be asked',
  response: {
    200: {
      description: 'Metrics, dimensions and rollups by name.',
      type: 'object',
      properties: Object.fromEntries(['metrics', 'dimensions', 'rollups'].map((name) => [name, { type: 'array', items: { type: 'object', additionalProperties: true } }])),
    },
    401: refusals[401],
    403: refusals[403],
  },
}

/** Documents `POST /analytics/metrics`. */
export const metricQuestionSchema = {
  tags: ['metrics'],
  summary: 'Ask for metrics',
  description: 'Answered from the smallest rollup that answers exactly, else from the source; the answer says which and why.',
  body: {
    type: 'object',
    required: ['metrics'],
    additionalProperties: false,
    properties: {
      metrics: names('Metrics of one source.'),
      ...time,
      by: names('Dimensions to split by.'),
      where: {
        type: 'object',
        additionalProperties: true,
        description: 'By dimension: a value, a list of values, null, or { eq, not, in, gt, gte, lt, lte, contains, startsWith }.',
        examples: [{ country: ['NO', 'SE'] }],
      },
      top: {
        type: 'object',
        additionalProperties: false,
        required: ['n'],
        properties: { n: { type: 'integer', minimum: 1, maximum: 1000 }, by: { type: 'string' }, other: { type: 'boolean', default: false } },
      },
      options: {
        type: 'object',
        additionalProperties: false,
        properties: { cache: { type: 'boolean', default: true }, ttlSeconds: { type: 'integer', minimum: 1, maximum: 86_400 }, timeoutMs: { type: 'integer', minimum: 1, maximum: 60_000 } },
      },
    },
  },
  response: answers,
}

/** Documents `GET /analytics/metrics/:name`. */
export const metricQuerySchema = {
  tags: ['metrics'],
  summary: 'One metric, or several by commas',
  params: { type: 'object', properties: { name: { type: 'string', examples: ['revenue', 'revenue,orders'] } } },
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...time,
      by: text('Dimensions to split by, separated by commas.'),
      where: text('Conditions by dimension, as JSON.', '{"country":"NO"}'),
      top: { type: 'integer', minimum: 1, maximum: 1000 },
      topBy: { type: 'string' },
      other: { type: 'boolean' },
      cache: { type: 'boolean', default: true },
    },
  },
  response: answers,
}
