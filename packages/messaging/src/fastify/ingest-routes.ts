import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import { InfrastructureError, OperationError, toProblem, ValidationError, type ValidationIssue } from '@smart-whale/interfaces'
import { eventDecoder, type EventDecoder } from '../pipeline/decode-record.ts'
import type { PipelineDefinition } from '../pipeline/pipeline-definition.ts'
import type { MessagingTransport, OutgoingRecord } from '../transport.ts'
import { splitJson, splitLines } from './split-events.ts'

/** What {@link ingestRoutes} works with. */
export interface IngestRoutesOptions {
  /** Where events go. @default none, required */
  transport: MessagingTransport
  /** The pipelines whose topics take events; every other topic is unknown. @default none, required */
  definitions: readonly PipelineDefinition[]
  /** Decides who may send. @default everybody */
  guard?: (permission: string) => preHandlerAsyncHookHandler
  /** Most events of one request. @default 10000 */
  maxEvents?: number
  /** Most bytes of one request. @default 8388608 */
  maxBodyBytes?: number
  /** How long the broker may take to store a request's events, in milliseconds. @default 10000 */
  timeoutMs?: number
}

interface Target {
  readonly definition: PipelineDefinition
  readonly decode: EventDecoder
}

const MAX_ISSUES = 20

const problemSchema = { type: 'object', additionalProperties: true, properties: { title: { type: 'string' }, status: { type: 'integer' }, detail: { type: 'string' }, code: { type: 'string' } } } as const

const routeSchema = {
  tags: ['ingest'],
  summary: 'Takes a batch of events into a topic',
  description: 'An array of events (`application/json`), or one event a line (`application/x-ndjson`). All are checked before any is taken; the answer comes when the broker has them durably.',
  params: { type: 'object', properties: { topic: { type: 'string', maxLength: 249 } }, required: ['topic'] },
  response: {
    200: { type: 'object', properties: { topic: { type: 'string' }, accepted: { type: 'integer' } }, required: ['topic', 'accepted'] },
    '4xx': problemSchema,
    '5xx': problemSchema,
  },
} as const

/** `POST /ingest/{topic}`: a batch of events, all checked first, acknowledged when the broker has them durably. */
export const ingestRoutes: FastifyPluginAsync<IngestRoutesOptions> = async (fastify, options) => {
  const { transport, maxEvents = 10_000, maxBodyBytes = 8 * 1024 * 1024, timeoutMs = 10_000 } = options
  const targets = new Map(options.definitions.map((definition) => [definition.topic, { definition, decode: eventDecoder(definition) }]))
  takeBodiesAsBytes(fastify)
  fastify.setErrorHandler(answerProblem)
  const guard = options.guard?.('ingest:write')
  fastify.post<{ Params: { topic: string }; Body: Buffer | undefined }>(
    '/ingest/:topic',
    { schema: routeSchema, bodyLimit: maxBodyBytes, ...(guard === undefined ? {} : { preHandler: guard }) },
    async (request) => {
      const { topic } = request.params
      const target = targets.get(topic)
      if (target === undefined) throw unknownTopic(topic)
      const events = eventsOf(request, maxEvents)
      const records = checkedRecords(target, events)
      if (records.length > 0) await transport.send(topic, records, { timeoutMs })
      return { topic, accepted: records.length }
    },
  )
}

/** Within this plugin a body stays bytes: what the broker gets is what the client sent. */
function takeBodiesAsBytes(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser(['application/json', 'application/x-ndjson', 'application/jsonl'], { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

function eventsOf(request: FastifyRequest<{ Body: Buffer | undefined }>, maxEvents: number): readonly Buffer[] {
  const body = request.body
  if (!Buffer.isBuffer(body) || body.length === 0) throw new ValidationError('the body is empty', { issues: [{ path: ['body'], message: 'must hold at least one event' }] })
  const events = /ndjson|jsonl/.test(request.headers['content-type'] ?? '') ? splitLines(body) : splitJson(body)
  if (events.length <= maxEvents) return events
  throw new ValidationError(`the request has ${events.length} events; at most ${maxEvents} are taken at once`, { status: 413, issues: [{ path: ['body'], message: `must hold at most ${maxEvents} events` }] })
}

function checkedRecords({ definition, decode }: Target, events: readonly Buffer[]): OutgoingRecord[] {
  const issues: ValidationIssue[] = []
  const records: OutgoingRecord[] = []
  for (const [index, value] of events.entries()) {
    const { fields, refusal } = decode(value)
    if (refusal !== null) {
      issues.push({ path: ['body', index, ...(refusal.field === undefined ? [] : [refusal.field])], message: refusal.reason })
      if (issues.length === MAX_ISSUES) break
      continue
    }
    const key = definition.key === null ? null : fields[definition.key]
    records.push({ value, key: key === null || key === undefined ? null : keyText(key) })
  }
  if (issues.length > 0) throw new ValidationError(`the request has events that "${definition.topic}" does not take; none was taken`, { issues })
  return records
}

function keyText(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value)
}

function unknownTopic(topic: string): OperationError<'ERR_MESSAGING_UNKNOWN_TOPIC'> {
  return new OperationError(`no pipeline takes events for the topic "${topic}"`, { code: 'ERR_MESSAGING_UNKNOWN_TOPIC', status: 404 })
}

function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error)
  if (problem.status >= 500) request.log.error({ err: error }, 'events were not taken')
  // The broker is away or full: nothing is known to be stored, the client may send the same again.
  if (InfrastructureError.isInstance(error) && error.retryable) void reply.header('retry-after', '1')
  return reply.code(problem.status).type('application/problem+json').send(problem)
}
