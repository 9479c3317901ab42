import { problemResponse } from '@smart-whale/interfaces'
import { refusals } from './analytics-schemas.ts'
import { metricQuerySchema } from './metric-schemas.ts'

const { cache: _cache, ...parameters } = metricQuerySchema.querystring.properties

/** Documents `GET /analytics/metrics/:name/live`. */
export const metricLiveSchema = {
  tags: ['metrics'],
  summary: 'One metric or several, as they change',
  description: `Server-sent events. \`snapshot\` has the whole answer, with the \`key\` that tells its rows apart; \`change\` has \`upserts\`, which take the place of the rows with
their key or are new, and \`removals\`, the keys of rows that are no more; \`failure\` is a problem with \`retryInMs\`: what was told stays as it is. Each answer's id is a version: who
comes back with it is told the difference. The stream ends after a while; come back.`,
  headers: { type: 'object', properties: { 'last-event-id': { type: 'string', description: 'Id of the last event that arrived.' } } },
  params: metricQuerySchema.params,
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: { ...parameters, lastEventId: { type: 'string', description: 'Where no header can be sent, instead of Last-Event-ID.' } },
  },
  response: {
    200: { description: 'Events until the caller leaves.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
    ...refusals,
    408: problemResponse('The first answer took longer than it may.'),
    422: problemResponse('The question reads or makes more than it may; or the server could not carry it out.'),
    429: problemResponse('The quota is spent and there is no answer from before; Retry-After says when to come back.'),
    503: problemResponse('ClickHouse is away or busy, or as much is followed as may be.'),
  },
}
