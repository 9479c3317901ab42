import { toWire } from '@smart-whale/interfaces'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import type { RowFilter } from '../metrics/compile/metric-question.ts'
import type { MetricAnswer } from '../metrics/answer/metric-answer.ts'
import type { MetricsLayer } from '../metrics/answer/metrics-layer.ts'
import { answerAnalyticsProblem } from './analytics-problem.ts'
import type { AnalyticsReader } from './analytics-routes.ts'
import { abortWhenCallerLeaves } from './caller-leaves.ts'
import { type MetricRequest, readMetricBody, readMetricParameters } from './metric-request.ts'
import { metricDefinitionSchema, metricQuerySchema, metricQuestionSchema } from './metric-schemas.ts'

/** What the metric routes are made from. */
export interface MetricRoutesOptions {
  /** Answers the questions; made by `createMetricsLayer`. @default none, required */
  layer: AnyMetricsLayer
  /** Makes the hook that lets a caller with the permission through. @default everybody may ask everything */
  guard?: ((permission: string) => preHandlerAsyncHookHandler) | undefined
  /** As whom a request's questions run, and which rows they are about. @default one reader for all, and all rows */
  readerOf?: ((request: FastifyRequest) => MetricReader) | undefined
  /** Largest body, in bytes. @default 65536 */
  maxBodyBytes?: number | undefined
}

/** A layer over whatever metrics. */
export type AnyMetricsLayer = Pick<MetricsLayer, 'metrics'> & {
  ask(question: never, options?: Parameters<MetricsLayer['ask']>[1]): Promise<unknown>
}

/** On whose behalf a question is asked. */
export interface MetricReader extends AnalyticsReader {
  /** Rows that the caller may see. @default those of the layer */
  readonly rowFilter?: RowFilter | undefined
}

/** `GET /analytics/metrics`, `POST /analytics/metrics`, `GET /analytics/metrics/:name`. */
export const metricRoutes: FastifyPluginAsync<MetricRoutesOptions> = async (fastify, options) => {
  const { layer, guard = letEverybodyThrough, readerOf = (): MetricReader => ({}), maxBodyBytes = 65_536 } = options
  // Questions are checked by the layer: the host's validator may be set to change them before anybody can complain.
  const asTheyAre = { validatorCompiler: () => () => true, serializerCompiler: () => JSON.stringify, bodyLimit: maxBodyBytes }
  const preHandler = guard('analytics:query')
  fastify.setErrorHandler(answerAnalyticsProblem)

  fastify.get('/analytics/metrics', { ...asTheyAre, schema: metricDefinitionSchema, preHandler }, async () => describeMetrics(layer))

  const answer = async (request: FastifyRequest, reply: FastifyReply, { question, options: bounds }: MetricRequest): Promise<unknown> => {
    const signal = abortWhenCallerLeaves(reply)
    const found = (await layer.ask(question as never, { ...bounds, ...readerOf(request), signal })) as MetricAnswer
    reply.header('cache-control', 'no-store')
    return wireMetricAnswer(found)
  }

  fastify.post('/analytics/metrics', { ...asTheyAre, schema: metricQuestionSchema, preHandler }, async (request, reply) => answer(request, reply, readMetricBody(request.body)))

  fastify.get<{ Params: { name: string } }>('/analytics/metrics/:name', { ...asTheyAre, schema: metricQuerySchema, preHandler }, async (request, reply) =>
    answer(request, reply, readMetricParameters(request.params.name, request.query)),
  )
}

/** An answer as JSON: 64-bit integers and decimals are strings. */
export function wireMetricAnswer(answer: MetricAnswer): Record<string, unknown> {
  const { rows, totals, ...rest } = answer
  return { rows: rows.map(toWire), ...(totals === undefined ? {} : { totals: toWire(totals) }), ...rest }
}

/** What may be asked, without the SQL behind it. */
function describeMetrics({ metrics: { model } }: AnyMetricsLayer): Record<string, unknown> {
  return {
    metrics: [...model.metrics.values()].map(({ name, source, measure, dimensions, description }) => ({ name, source, measure, dimensions: [...dimensions], description })),
    dimensions: [...model.dimensions.values()].map(({ name, source, description }) => ({ name, source, description })),
    rollups: [...model.rollups.values()].map(({ name, source, grain, timeZone, dimensions, measures }) => ({ name, source, grain, timeZone, dimensions, metrics: measures })),
  }
}

function letEverybodyThrough(): preHandlerAsyncHookHandler {
  return async () => {}
}
