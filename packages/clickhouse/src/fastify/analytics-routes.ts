import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import type { AnalyticsQuery } from '../analytics/analytics-query.ts'
import type { AnalyticsService } from '../analytics/analytics-service.ts'
import { exportFormatFor } from '../export/export-formats.ts'
import type { ExportFormat } from '../export/export-options.ts'
import { PermissionDeniedError } from '../operational-errors.ts'
import { answerAnalyticsProblem } from './analytics-problem.ts'
import { analyticsBodyReader, type AnalyticsRequestLimits, checkRequestLimits, invalidationReader } from './analytics-request.ts'
import { AnswerTexts } from './answer-texts.ts'
import { analyticsSchema, cacheInvalidateSchema, cacheStatsSchema } from './analytics-schemas.ts'
import { abortWhenCallerLeaves } from './caller-leaves.ts'
import { KnownBodies } from './known-bodies.ts'
import { ReadyQuestions } from './ready-questions.ts'

/** What the analytics routes are made from. */
export interface AnalyticsRoutesOptions {
  /** Answers the queries. The user of its adapter must be a read-only one: it runs what callers send. @default none, required */
  analyticsService: AnalyticsService
  /** Makes the hook that lets a caller with the permission through. @default everybody may do everything */
  guard?: ((permission: string) => preHandlerAsyncHookHandler) | undefined
  /** As whom a request's queries run, and whom their kept answers may be served to. @default one role and one scope for all */
  readerOf?: ((request: FastifyRequest) => AnalyticsReader) | undefined
  /** Bounds of a request. @default see {@link AnalyticsRequestLimits} */
  limits?: Partial<AnalyticsRequestLimits> | undefined
}

/** On whose behalf a query runs. */
export interface AnalyticsReader {
  /** ClickHouse role, out of those that the user was granted. */
  readonly role?: string | undefined
  /** Whose answer it is, where rows depend on that. */
  readonly scope?: string | undefined
  /** Trust level, where the service has several. */
  readonly level?: string | undefined
  /** Whose rows it may read. */
  readonly tenant?: string | undefined
}

/** `POST /analytics`, `GET /analytics/cache/stats`, `POST /analytics/cache/invalidate`. */
export const analyticsRoutes: FastifyPluginAsync<AnalyticsRoutesOptions> = async (fastify, options) => {
  const { analyticsService: service, guard = letEverybodyThrough, readerOf = (): AnalyticsReader => ({}) } = options
  const limits = checkRequestLimits(options.limits)
  const bodies = new KnownBodies()
  const questions = new ReadyQuestions(service, bodies, analyticsBodyReader(limits))
  const texts = new AnswerTexts()
  bodies.readFor(fastify)
  // Bodies are checked by the handlers: the host's validator may be set to change them, by coercing and dropping, before anybody can complain.
  const asTheyAre = { validatorCompiler: () => () => true, serializerCompiler: () => JSON.stringify, bodyLimit: limits.maxBodyBytes }
  fastify.setErrorHandler(answerAnalyticsProblem)

  fastify.post(
    '/analytics',
    { ...asTheyAre, schema: analyticsSchema(limits), preHandler: guard('analytics:query') },
    // Not async: an answer that is kept is sent without a turn of the microtasks.
    (request, reply): Promise<FastifyReply> | undefined => {
      const asked = questions.askedBy(request.body)
      const reader = readerOf(request)
      void reply.header('cache-control', 'no-store').header('vary', 'accept')
      const { accept } = request.headers
      const format = accept === undefined ? null : exportFormatFor(accept)
      if (format !== null) return sendFile(reply, service, { query: asked.by(reader), format })
      const answer = asked.readiedBy(reader).answer(() => abortWhenCallerLeaves(reply))
      if (answer instanceof Promise) return answer.then((late) => sendAnswer(reply, texts.textOf(late)))
      void sendAnswer(reply, texts.textOf(answer))
      return undefined
    },
  )

  fastify.get('/analytics/cache/stats', { ...asTheyAre, schema: cacheStatsSchema, preHandler: guard('analytics:cache:read') }, async (request) => {
    refuseTenant(readerOf(request))
    return service.getCacheStats()
  })

  addInvalidation(
    fastify,
    { ...asTheyAre, schema: cacheInvalidateSchema(limits), preHandler: guard('analytics:cache:invalidate') },
    (request) => {
      refuseTenant(readerOf(request))
      return service
    },
    limits,
  )
}

function sendAnswer(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('content-type', 'application/json; charset=utf-8').send(text)
}

/** What breaks half-way ends the connection: no caller takes a part of an answer for the whole. */
async function sendFile(reply: FastifyReply, service: AnalyticsService, { query, format }: { query: AnalyticsQuery; format: ExportFormat }): Promise<FastifyReply> {
  const options = { ...query.options, signal: abortWhenCallerLeaves(reply) }
  const { body, contentType, extension } = await service.streamAnswer({ ...query, options }, format)
  return reply.type(contentType).header('content-disposition', `attachment; filename="answer.${extension}"`).send(Readable.from(body, { objectMode: false }))
}

/** The cache is one for all: how full it is tells what others do, and emptying it takes from them. */
function refuseTenant({ tenant }: AnalyticsReader): void {
  if (tenant !== undefined) throw new PermissionDeniedError("the cache is everybody's; callers who belong to a tenant may neither look at it nor empty it")
}

function addInvalidation(fastify: FastifyInstance, route: object, serviceFor: (request: FastifyRequest) => AnalyticsService, limits: AnalyticsRequestLimits): void {
  const readBody = invalidationReader(limits)
  fastify.post('/analytics/cache/invalidate', route, async (request) => {
    const service = serviceFor(request)
    const { query, params, tables, tags } = readBody(request.body)
    if (tables !== undefined) await service.invalidateTables(tables)
    if (tags !== undefined) await service.invalidateTags(tags)
    const entries = query !== undefined || (tables === undefined && tags === undefined)
    return { removed: entries ? await service.invalidateCache(query, params) : null }
  })
}

function letEverybodyThrough(): preHandlerAsyncHookHandler {
  return async () => {}
}
