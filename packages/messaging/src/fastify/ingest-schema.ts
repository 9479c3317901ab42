const problemSchema = {
  type: 'object',
  additionalProperties: true,
  properties: {
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
    outcome: { type: 'string', enum: ['none', 'partial', 'unknown'], description: 'Whether events of the request are stored although it failed' },
  },
} as const

/** Schema of `POST /ingest/{topic}`, for the API reference. */
export const ingestSchema = {
  tags: ['ingest'],
  summary: 'Takes a batch of events into a topic',
  description:
    'An array of events (`application/json`), or one event a line (`application/x-ndjson`). All are checked before any is taken; the answer comes when the broker has them durably. ' +
    'Its `token` can be waited for: `x-wait-for` on queries. With an `Idempotency-Key`, the same body sent again to the same process within ten minutes gets the same answer and is not sent a ' +
    'second time, also where that answer was that nobody knows (`outcome: unknown`); only after `outcome: none` the key is free again. Where a pipeline tells versions of events by a header, the request carries it.',
  params: { type: 'object', properties: { topic: { type: 'string', maxLength: 249 } }, required: ['topic'] },
  headers: { type: 'object', properties: { 'idempotency-key': { type: 'string' } } },
  response: {
    200: { type: 'object', properties: { topic: { type: 'string' }, accepted: { type: 'integer' }, token: { type: ['string', 'null'] } }, required: ['topic', 'accepted'] },
    '4xx': problemSchema,
    '5xx': problemSchema,
  },
} as const
