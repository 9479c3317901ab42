import type { FastifyPluginAsync, FastifyReply, FastifyRequest, onRequestAsyncHookHandler, preHandlerAsyncHookHandler } from 'fastify'
import { type AuditSink, InfrastructureError, OperationError, toProblem } from '@smart-whale/interfaces'
import { dropDeadLetters } from '../dead-letters/drop-dead-letters.ts'
import { groupDeadLetters } from '../dead-letters/group-dead-letters.ts'
import { type DeadLetterView, inspectDeadLetter } from '../dead-letters/inspect-dead-letter.ts'
import type { LetterDecoder } from '../dead-letters/judge-letter.ts'
import type { VersionOfLetter } from '../dead-letters/letter-version.ts'
import { patchFromFields, type PatchFields } from '../dead-letters/patch-dead-letter.ts'
import { readDeadLetters } from '../dead-letters/read-dead-letters.ts'
import { readFates } from '../dead-letters/read-fates.ts'
import { replayDeadLetters } from '../dead-letters/replay-dead-letters.ts'
import { deadLetterFilter } from '../dead-letters/select-dead-letters.ts'
import type { MessagingTransport, TransportCallOptions } from '../transport.ts'
import { dropSchema, groupsSchema, lettersSchema, type LetterQuery, replaySchema, type SelectionBody, selectionFrom } from './dead-letter-schemas.ts'
import { refuseUnknownNames } from './refuse-unknown-names.ts'

/** What {@link deadLetterRoutes} works with. */
export interface DeadLetterRoutesOptions {
  /** Where topics and their dead letters are. @default none, required */
  transport: MessagingTransport
  /** Topics that may be looked at; every other one is unknown. @default none, required */
  topics: readonly string[]
  /** How the pipeline of a topic reads a value, to tell which letters would die again. @default nothing is tried */
  decoderFor?: (topic: string) => LetterDecoder | undefined
  /** Where the events of a topic say their schema version. @default the header `schema-version` */
  versionOfFor?: (topic: string) => VersionOfLetter | undefined
  /** Decides who may look and who may replay. @default everybody */
  guard?: (permission: string) => preHandlerAsyncHookHandler
  /** Who a request comes from, for the journal and the audit. @default the guard's principal, else 'unknown' */
  actorOf?: (request: FastifyRequest) => string
  /** Where replays are audited. @default nowhere */
  audit?: AuditSink
  /** How long one request may take, in milliseconds. @default 60000 */
  timeoutMs?: number
}

interface TopicParams {
  topic: string
}

/** `GET /dead-letters/{topic}`, `…/letters`, and `POST …/replay` and `…/drop`: what died of which cause, and sending it again. */
export const deadLetterRoutes: FastifyPluginAsync<DeadLetterRoutesOptions> = async (fastify, options) => {
  const { transport, topics, timeoutMs = 60_000, audit } = options
  // Before the request is looked at: who may not ask learns nothing of what would be wrong with it.
  const guarded = (permission: string): { onRequest?: onRequestAsyncHookHandler } => {
    const guard = options.guard?.(permission)
    return guard === undefined ? {} : { onRequest: guard as onRequestAsyncHookHandler }
  }
  const known = (topic: string): string => {
    if (topics.includes(topic)) return topic
    throw new OperationError(`there is no topic "${topic}" here whose dead letters could be looked at`, { code: 'ERR_MESSAGING_UNKNOWN_TOPIC', status: 404 })
  }
  fastify.setErrorHandler(answerProblem)
  // A misspelt condition would select everything.
  fastify.addHook('preValidation', refuseUnknownNames)

  fastify.get<{ Params: TopicParams }>('/dead-letters/:topic', { schema: groupsSchema, ...guarded('dead-letters:read') }, async (request, reply) => {
    const call = callOf(reply, timeoutMs)
    const topic = known(request.params.topic)
    const letters = readDeadLetters(transport, topic, { versionOf: options.versionOfFor?.(topic), ...call })
    const groups = await groupDeadLetters(letters, await readFates(transport, topic, call))
    return { topic, letters: groups.reduce((sum, { count }) => sum + count, 0), groups: groups.map(shownGroup) }
  })

  fastify.get<{ Params: TopicParams; Querystring: LetterQuery }>('/dead-letters/:topic/letters', { schema: lettersSchema, ...guarded('dead-letters:read') }, async (request, reply) => {
    const topic = known(request.params.topic)
    const { limit = 20, maxBytes = 4096 } = request.query
    const isSelected = deadLetterFilter(selectionFrom(request.query))
    const decode = options.decoderFor?.(topic)
    const letters: DeadLetterView[] = []
    const call = callOf(reply, timeoutMs)
    const fateOf = await readFates(transport, topic, call)
    for await (const letter of readDeadLetters(transport, topic, { versionOf: options.versionOfFor?.(topic), ...call })) {
      if (letters.length === limit) break
      if (isSelected(letter)) letters.push(inspectDeadLetter(letter, { decode, maxBytes, fate: fateOf(letter.position) }))
    }
    return { topic, letters }
  })

  fastify.post<{ Params: TopicParams; Body: SelectionBody & { patch?: PatchFields; dryRun?: boolean } }>('/dead-letters/:topic/replay', { schema: replaySchema, ...guarded('dead-letters:replay') }, async (request, reply) => {
    const topic = known(request.params.topic)
    const { patch, dryRun = false, ...selection } = request.body
    return replayDeadLetters(transport, {
      topic,
      select: selectionFrom(selection),
      patch: patch === undefined ? undefined : patchFromFields(patch),
      decode: options.decoderFor?.(topic),
      versionOf: options.versionOfFor?.(topic),
      dryRun,
      by: actorOf(request, options),
      audit,
      ...callOf(reply, timeoutMs),
    })
  })

  fastify.post<{ Params: TopicParams; Body: SelectionBody }>('/dead-letters/:topic/drop', { schema: dropSchema, ...guarded('dead-letters:replay') }, async (request, reply) => {
    const topic = known(request.params.topic)
    const dropped = await dropDeadLetters(transport, { topic, select: selectionFrom(request.body), versionOf: options.versionOfFor?.(topic), by: actorOf(request, options), audit, ...callOf(reply, timeoutMs) })
    return { topic, dropped }
  })
}

function actorOf(request: FastifyRequest, { actorOf: given }: DeadLetterRoutesOptions): string {
  return given?.(request) ?? (request as { principal?: { subject?: string } }).principal?.subject ?? 'unknown'
}

/** A caller that leaves ends the call. */
function callOf(reply: FastifyReply, timeoutMs: number): TransportCallOptions {
  const left = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) left.abort()
  })
  return { signal: left.signal, timeoutMs }
}

function shownGroup({ examples, firstAt, lastAt, ...group }: Awaited<ReturnType<typeof groupDeadLetters>>[number]): Record<string, unknown> {
  return {
    ...group,
    firstAt: new Date(firstAt).toISOString(),
    lastAt: new Date(lastAt).toISOString(),
    examples: examples.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
  }
}

function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error)
  if (problem.status >= 500) request.log.error({ err: error }, 'a request for dead letters failed')
  if (InfrastructureError.isInstance(error) && error.retryable) void reply.header('retry-after', '1')
  return reply.code(problem.status).type('application/problem+json').send(problem)
}
