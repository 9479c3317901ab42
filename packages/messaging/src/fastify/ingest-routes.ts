import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import { type Clock, InfrastructureError, OperationError, systemClock, toProblem, ValidationError, type ValidationIssue } from '@smart-whale/interfaces'
import { eventDecoder, type EventDecoder } from '../pipeline/decode-record.ts'
import { encodeFreshnessToken } from '../pipeline/freshness/freshness-token.ts'
import type { PipelineDefinition } from '../pipeline/pipeline-definition.ts'
import type { MessagingTransport, OutgoingRecord, RecordPosition } from '../transport.ts'
import { type Admitted, IngestAdmission, type IngestLimits } from './ingest-admission.ts'
import { ingestSchema } from './ingest-schema.ts'
import { type IdempotencyOptions, IdempotentAnswers } from './idempotent-answers.ts'
import { failedSend } from './send-outcome.ts'
import { splitJson, splitLines } from './split-events.ts'
import { TopicIds } from './topic-ids.ts'

/** What {@link ingestRoutes} works with. */
export interface IngestRoutesOptions {
  /** Where events go. @default none, required */
  transport: MessagingTransport
  /** The pipelines whose topics take events; every other topic is unknown. @default none, required */
  definitions: readonly PipelineDefinition[]
  /** Decides who may send; asked before a body is read. @default everybody */
  guard?: (permission: string) => preHandlerAsyncHookHandler
  /** Whether events are taken now; while not, requests are told to come again. @default always */
  isReady?: () => boolean | Promise<boolean>
  /** Names who sends, for the limits of one client. @default the guard's principal, else the address */
  clientOf?: (request: FastifyRequest) => string
  /** How much is taken in at a time. @default see {@link IngestLimits} */
  limits?: IngestLimits
  /** How answers are kept for requests that name an `Idempotency-Key`. @default see {@link IdempotencyOptions} */
  idempotency?: IdempotencyOptions
  /** Most events of one request. @default 10000 */
  maxEvents?: number
  /** Most bytes of one request. @default 8388608 */
  maxBodyBytes?: number
  /** How long the broker may take to store a request's events, in milliseconds. @default 10000 */
  timeoutMs?: number
  /** Whose time passes. @default systemClock */
  clock?: Clock
}

interface Target {
  readonly definition: PipelineDefinition
  readonly decode: EventDecoder
}

/** One answer, as it is kept for a request that comes again. */
interface IngestAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly retryAfterSeconds: number | null
  readonly isNothing: boolean
}

type IngestRequest = FastifyRequest<{ Params: { topic: string }; Body: Buffer | undefined }>

const MAX_ISSUES = 20
const MAX_KEY_LENGTH = 200

/**
 * `POST /ingest/{topic}`: a batch of events, all checked first, acknowledged when the broker has them durably, with a token that a query
 * can wait for. What is not acknowledged is said to be stored, not stored, or unknown. The version of the events is taken from the request's
 * header, where the pipeline takes it from one of that name.
 */
export const ingestRoutes: FastifyPluginAsync<IngestRoutesOptions> = async (fastify, options) => {
  const { maxEvents = 10_000, maxBodyBytes = 8 * 1024 * 1024, clock = systemClock, isReady = () => true, clientOf = principalOrAddress } = options
  const targets = new Map(options.definitions.map((definition) => [definition.topic, { definition, decode: eventDecoder(definition) }]))
  const admission = new IngestAdmission(options.limits ?? {}, clock)
  const answers = new IdempotentAnswers<IngestAnswer>(options.idempotency ?? {}, clock)
  const send = sender(options, clock)
  takeBodiesAsBytes(fastify)
  fastify.setErrorHandler(answerProblem)
  const guard = options.guard?.('ingest:write')

  /** Before the body is read: whoever is refused costs no memory. */
  const enter = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (!(await isReady())) throw notReady()
    const bytes = Math.min(Number(request.headers['content-length'] ?? maxBodyBytes), maxBodyBytes)
    leaveWithAnswer(admission.enter(clientOf(request), bytes), reply)
  }

  fastify.post<{ Params: { topic: string }; Body: Buffer | undefined }>(
    '/ingest/:topic',
    { schema: ingestSchema, bodyLimit: maxBodyBytes, onRequest: [...(guard === undefined ? [] : [guard as typeof enter]), enter] },
    async (request, reply) => {
      const target = targets.get(request.params.topic)
      if (target === undefined) throw unknownTopic(request.params.topic)
      const version = versionOf(target, request)
      const records = checkedRecords(target, eventsOf(request, maxEvents), version)
      const client = clientOf(request)
      const work = (): Promise<IngestAnswer> => {
        admission.spend(client, records.length)
        return send(target.definition, records)
      }
      const key = idempotencyKey(request)
      if (key === null) return answer(reply, await work())
      const { answer: kept, isRepeated } = await answers.once(`${client}\n${request.params.topic}\n${key}`, [`${version?.value ?? ''}\n`, request.body as Buffer], async () => work(), ({ isNothing }) => isNothing)
      if (isRepeated) void reply.header('idempotency-replayed', 'true')
      return answer(reply, kept)
    },
  )
}

/** Sends the records of a request, and answers what became of them. */
function sender({ transport, timeoutMs = 10_000 }: IngestRoutesOptions, clock: Clock): (definition: PipelineDefinition, records: readonly OutgoingRecord[]) => Promise<IngestAnswer> {
  const topicIds = new TopicIds(transport, clock)
  return async ({ name, topic }, records) => {
    if (records.length === 0) return { status: 200, body: { topic, accepted: 0, token: null }, retryAfterSeconds: null, isNothing: true }
    try {
      const topicId = await topicIds.of(topic)
      const positions = await transport.send(topic, records, { timeoutMs })
      const token = encodeFreshnessToken({ pipeline: name, topic, topicId, offsets: lastOffsets(positions) })
      return { status: 200, body: { topic, accepted: records.length, token }, retryAfterSeconds: null, isNothing: false }
    } catch (error) {
      const { status, problem, retryAfterSeconds, outcome } = failedSend(error)
      return { status, body: problem, retryAfterSeconds, isNothing: outcome === 'none' }
    }
  }
}

function lastOffsets(positions: readonly RecordPosition[]): Map<number, bigint> {
  const offsets = new Map<number, bigint>()
  for (const { partition, offset } of positions) if (offset >= (offsets.get(partition) ?? 0n)) offsets.set(partition, offset)
  return offsets
}

function answer(reply: FastifyReply, { status, body, retryAfterSeconds }: IngestAnswer): FastifyReply {
  if (retryAfterSeconds !== null) void reply.header('retry-after', String(retryAfterSeconds))
  if (status >= 500) reply.log.error({ code: body.code, outcome: body.outcome }, 'events were not taken, or not all of them')
  return reply.code(status).type(status === 200 ? 'application/json' : 'application/problem+json').send(body)
}

/** The room is given back when the connection is done with the request, also when the client went away in the middle. */
function leaveWithAnswer(admitted: Admitted, reply: FastifyReply): void {
  reply.raw.once('close', () => admitted.leave())
}

/** Within this plugin a body stays bytes: what the broker gets is what the client sent. */
function takeBodiesAsBytes(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser(['application/json', 'application/x-ndjson', 'application/jsonl'], { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

function eventsOf(request: IngestRequest, maxEvents: number): readonly Buffer[] {
  const body = request.body
  if (!Buffer.isBuffer(body) || body.length === 0) throw new ValidationError('the body is empty', { issues: [{ path: ['body'], message: 'must hold at least one event' }] })
  const events = /ndjson|jsonl/.test(request.headers['content-type'] ?? '') ? splitLines(body) : splitJson(body)
  if (events.length <= maxEvents) return events
  throw new ValidationError(`the request has ${events.length} events; at most ${maxEvents} are taken at once`, { status: 413, issues: [{ path: ['body'], message: `must hold at most ${maxEvents} events` }] })
}

/** The version of a request's events, where the pipeline has it in a header of records: the request has it in its own of that name. */
interface EventVersionHeader {
  readonly name: string
  readonly value: string
}

function versionOf({ definition: { versionFrom } }: Target, { headers }: FastifyRequest): EventVersionHeader | null {
  const name = versionFrom?.header ?? null
  const value = name === null ? undefined : headers[name.toLowerCase()]
  return name === null || value === undefined ? null : { name, value: String(value) }
}

function checkedRecords({ definition, decode }: Target, events: readonly Buffer[], version: EventVersionHeader | null): OutgoingRecord[] {
  const headerOf = (name: string): string | null => (name === version?.name ? version.value : null)
  const versioned = version === null ? {} : { headers: { [version.name]: version.value } }
  const issues: ValidationIssue[] = []
  const records: OutgoingRecord[] = []
  for (const [index, value] of events.entries()) {
    const { fields, refusal } = decode(value, headerOf)
    if (refusal !== null) {
      issues.push({ path: ['body', index, ...(refusal.field === undefined ? [] : [refusal.field])], message: refusal.reason })
      if (issues.length === MAX_ISSUES) break
      continue
    }
    const key = definition.key === null ? null : fields[definition.key]
    records.push({ value, key: key === null || key === undefined ? null : keyText(key), ...versioned })
  }
  if (issues.length > 0) throw new ValidationError(`the request has events that "${definition.topic}" does not take; none was taken`, { issues })
  return records
}

function keyText(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value)
}

function idempotencyKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key']
  if (key === undefined) return null
  if (typeof key === 'string' && key.length >= 1 && key.length <= MAX_KEY_LENGTH) return key
  throw new ValidationError(`an Idempotency-Key has 1 to ${MAX_KEY_LENGTH} characters`, { issues: [{ path: ['headers', 'idempotency-key'], message: `must have 1 to ${MAX_KEY_LENGTH} characters` }] })
}

function principalOrAddress(request: FastifyRequest): string {
  const { principal } = request as FastifyRequest & { principal?: { subject?: string } }
  return principal?.subject ?? request.ip
}

function unknownTopic(topic: string): OperationError<'ERR_MESSAGING_UNKNOWN_TOPIC'> {
  return new OperationError(`no pipeline takes events for the topic "${topic}"`, { code: 'ERR_MESSAGING_UNKNOWN_TOPIC', status: 404 })
}

function notReady(): OperationError<'ERR_MESSAGING_INGEST_NOT_READY'> {
  return new OperationError('the ingestor is not ready; nothing of this request was taken', { code: 'ERR_MESSAGING_INGEST_NOT_READY', retryable: true, status: 503, context: { retryAfterSeconds: 2 } })
}

function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error)
  if (problem.status >= 500) request.log.error({ err: error }, 'events were not taken')
  if (InfrastructureError.isInstance(error) && error.retryable) void reply.header('retry-after', String(error.context.retryAfterSeconds ?? 1))
  // Whatever fails here fails before anything is sent.
  return reply.code(problem.status).type('application/problem+json').send({ ...problem, outcome: 'none' })
}
