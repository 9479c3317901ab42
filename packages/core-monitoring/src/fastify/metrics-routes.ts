import type { FastifyPluginAsync } from 'fastify'
import type { PrometheusMetrics } from '../prometheus-metrics.ts'
import { answerProblems, type Guard, problemSchema } from './guard.ts'

/** What {@link metricsRoutes} is registered with. */
export interface MetricsRoutesOptions {
  /** What is scraped. @default none, required */
  metrics: Pick<PrometheusMetrics, 'render'>
  /** Asks for `metrics:read`. @default open */
  guard?: Guard
}

/** `GET /metrics`, in Prometheus' text format. */
export const metricsRoutes: FastifyPluginAsync<MetricsRoutesOptions> = async (app, { metrics, guard }) => {
  answerProblems(app)
  app.get(
    '/metrics',
    {
      schema: {
        tags: ['monitoring'],
        summary: 'Measurements, in Prometheus’ text format',
        response: { 200: { type: 'string' }, 401: problemSchema, 403: problemSchema },
      },
      ...(guard === undefined ? {} : { preHandler: guard('metrics:read') }),
    },
    async (_request, reply) => {
      const { contentType, body } = await metrics.render()
      return reply.header('content-type', contentType).header('cache-control', 'no-store').send(body)
    },
  )
}
