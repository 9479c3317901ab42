import { type Clock, systemClock } from '@smart-whale/interfaces'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import { questionRefusal } from '../metrics/compile/question-shape.ts'
import type { FollowOptions } from '../metrics/live/live-options.ts'
import type { LiveMetricEvent } from '../metrics/live/live-events.ts'
import { answerAnalyticsProblem } from './analytics-problem.ts'
import { eventStreams, writtenEvent } from './event-stream.ts'
import { wireLiveEvent } from './metric-live-events.ts'
import { metricLiveSchema } from './metric-live-schema.ts'
import { readMetricParameters } from './metric-request.ts'
import type { MetricReader } from './metric-routes.ts'

/** What the live route is made from. */
export interface MetricLiveRoutesOptions {
  /** Follows the questions; made by `createLiveMetrics`. Whoever made it closes it. @default none, required */
  live: AnyLiveMetrics
  /** Makes the hook that lets a caller with the permission through. @default everybody may ask everything */
  guard?: ((permission: string) => preHandlerAsyncHookHandler) | undefined
  /** As whom a request's questions run, and which rows they are about. @default one reader for all, and all rows */
  readerOf?: ((request: FastifyRequest) => MetricReader) | undefined
  /** Time without an event after which a comment is sent, in milliseconds. @default 15000 */
  heartbeatMs?: number | undefined
  /** How long a caller whose connection broke should wait before it comes back, in milliseconds. @default 2000 */
  retryMs?: number | undefined
  /** After how long a stream ends, in milliseconds. The caller comes back where it was, and is looked at by the guard anew. @default 900000 */
  maxStreamMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Live metrics over whatever definition. */
export interface AnyLiveMetrics {
  follow(question: never, options?: FollowOptions): AsyncIterableIterator<LiveMetricEvent, undefined>
}

/** `GET /analytics/metrics/:name/live`: server-sent events. */
export const metricLiveRoutes: FastifyPluginAsync<MetricLiveRoutesOptions> = async (fastify, options) => {
  const { live, guard, readerOf = (): MetricReader => ({}), heartbeatMs = 15_000, retryMs = 2_000, maxStreamMs = 900_000, clock = systemClock } = options
  const openStream = eventStreams(fastify, { heartbeatMs, maxStreamMs, clock })
  fastify.setErrorHandler(answerAnalyticsProblem)

  const open = async (request: FastifyRequest<{ Params: { name: string } }>, reply: FastifyReply): Promise<FastifyReply> => {
    const { question, lastVersion } = readRequest(request)
    const stream = openStream(reply)
    const events = live.follow(question as never, { ...readerOf(request), signal: stream.signal, lastVersion })
    // The first answer decides what the reply is: a stream, or a problem.
    const first = await events.next()
    if (first.done === true) return reply.code(503).header('retry-after', '1').send()
    return stream.send([`retry: ${retryMs}\n\n`, textOf(first.value)], written(events))
  }
  const preHandler = guard === undefined ? {} : { preHandler: guard('analytics:query') }
  const route = { validatorCompiler: () => () => true, schema: metricLiveSchema, exposeHeadRoute: false, ...preHandler }
  fastify.get<{ Params: { name: string } }>('/analytics/metrics/:name/live', route, open)
}

/** The question by the parameters that it has without being live; where the caller was, by the header or by `lastEventId`. */
function readRequest(request: FastifyRequest<{ Params: { name: string } }>): { readonly question: unknown; readonly lastVersion: string | undefined } {
  const { lastEventId, ...parameters } = request.query as Record<string, unknown>
  if ('cache' in parameters) throw questionRefusal([{ path: ['cache'], message: 'is not known here: what is live is asked anew' }])
  const { question } = readMetricParameters(request.params.name, parameters)
  const header = request.headers['last-event-id']
  const last = header ?? lastEventId
  return { question, lastVersion: typeof last === 'string' ? last : undefined }
}

async function* written(events: AsyncIterableIterator<LiveMetricEvent, undefined>): AsyncGenerator<string, undefined> {
  for await (const event of events) yield textOf(event)
}

/** A failure has no id: who is cut off after it comes back with that of the last answer. */
function textOf(event: LiveMetricEvent): string {
  return writtenEvent({ name: event.type, id: event.type === 'failure' ? undefined : event.version, data: wireLiveEvent(event) })
}
