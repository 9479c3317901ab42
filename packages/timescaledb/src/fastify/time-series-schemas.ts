import { problemResponse } from '@smart-whale/interfaces'

const readProblems = {
  400: problemResponse('A parameter is wrong; `issues` names it.'),
  404: problemResponse('There is no such table, or it may not be seen.'),
  422: problemResponse('The answer would be too large.'),
  504: problemResponse('The database took longer than allowed.'),
}

const params = {
  type: 'object',
  required: ['table'],
  properties: { table: { type: 'string', description: 'Name of a table of time series.' } },
}

const filterDescription =
  'Any other parameter filters by the column of that name: `origin=JFK` (repeated: either), `delay[gte]=30`, `origin[in]=JFK,LAX`, `origin[ne]=JFK`, `delay[null]=true`. ' +
  'A column whose name is a parameter of the route is written `filter[start]`.'

const range = {
  start: { type: 'string', description: 'First moment: ISO 8601 (UTC without an offset), `now`, or relative such as `-1d`.', examples: ['2001-01-01', '-7d'] },
  end: { type: 'string', description: 'First moment that no longer belongs to it.' },
  range: { type: 'string', description: 'Both at once: `2001-01-01/P1M`, `last 15 minutes`.' },
}

const columns = {
  type: 'array',
  items: { type: 'object', required: ['name', 'type'], properties: { name: { type: 'string' }, type: { type: 'string', description: 'As PostgreSQL names it.' } } },
}

const rows = { type: 'array', items: { type: 'object', additionalProperties: true }, description: '64-bit integers and decimals are strings; times are ISO 8601 UTC.' }

const answer = (description: string, more: Record<string, unknown> = {}) => ({
  description,
  type: 'object',
  required: ['table', 'columns', 'data'],
  properties: { table: { type: 'string' }, columns, data: rows, ...more },
})

/** `GET /timeseries/{table}`. */
export const rangeSchema = {
  tags: ['time series'],
  summary: 'Rows of a time range, page by page',
  description: filterDescription,
  params,
  querystring: {
    type: 'object',
    additionalProperties: true,
    properties: {
      ...range,
      limit: { type: 'integer', minimum: 1, description: 'Most rows of the page.' },
      cursor: { type: 'string', description: '`nextCursor` of the page before.' },
      order: { type: 'string', enum: ['asc', 'desc'], description: 'Oldest or newest first.' },
    },
  },
  response: { 200: answer('One page.', { nextCursor: { type: ['string', 'null'], description: 'Null after the last page.' } }), ...readProblems },
}

/** `GET /timeseries/{table}/aggregate`. */
export const aggregateSchema = {
  tags: ['time series'],
  summary: 'Values by bucket of time, and by group',
  description: `Without a range, from the table's first row to its last. ${filterDescription}`,
  params,
  querystring: {
    type: 'object',
    additionalProperties: true,
    required: ['interval'],
    properties: {
      ...range,
      interval: { type: 'string', description: 'Length of a bucket: `15 minutes`, `1 day`, `1 month`, `PT1H`.' },
      metrics: {
        type: 'string',
        description: 'Comma-separated `function:column`; functions: avg, min, max, sum, count, first, last, stddev, p95 (any percentile). Without it, `count`.',
        examples: ['count,avg:delay,sum:distance'],
      },
      groupBy: { type: 'string', description: 'Comma-separated columns.' },
      fill: { type: 'string', enum: ['none', 'null', 'locf', 'linear'], description: 'What buckets without rows become, in each group.' },
      timeZone: { type: 'string', description: 'Where days and months begin; UTC without it.', examples: ['Europe/Berlin'] },
    },
  },
  response: { 200: answer('Rows `{ bucket, <groupBy>, count, avg_delay, sum_distance }`.'), ...readProblems },
}

/** `GET /timeseries/{table}/latest`. */
export const latestSchema = {
  tags: ['time series'],
  summary: 'The newest rows, of the table or of each series',
  description: filterDescription,
  params,
  querystring: {
    type: 'object',
    additionalProperties: true,
    properties: {
      ...range,
      limit: { type: 'integer', minimum: 1, description: 'How many; 1 without it.' },
      perSeries: { type: 'string', description: 'Comma-separated columns that name a series; `limit` counts for each.' },
    },
  },
  response: { 200: answer('Newest first.'), ...readProblems },
}

/** `POST /timeseries/{table}`. */
export const storeSchema = {
  tags: ['time series'],
  summary: 'Store points, all or none',
  description: 'With an `Idempotency-Key`, a repeated request stores nothing and gets the first answer again.',
  params,
  headers: { type: 'object', properties: { 'idempotency-key': { type: 'string', minLength: 1, maxLength: 255 } } },
  body: {
    type: 'object',
    required: ['points'],
    additionalProperties: false,
    properties: { points: { type: 'array', minItems: 1, items: { type: 'object', additionalProperties: true, description: 'Column to value; 64-bit integers and decimals as strings.' } } },
  },
  response: {
    201: { description: 'Stored.', type: 'object', required: ['table', 'stored'], properties: { table: { type: 'string' }, stored: { type: 'integer' } } },
    400: problemResponse('A point is wrong; `issues` names it and its column.'),
    404: problemResponse('There is no such table, or it may not be seen.'),
    409: problemResponse('A row with the same key is there already, or the Idempotency-Key was used with another body.'),
    413: problemResponse('The body is too large.'),
    422: problemResponse('A constraint of the table refuses a point.'),
  },
}
