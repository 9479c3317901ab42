import type { FastifyPluginAsync, preHandlerAsyncHookHandler } from 'fastify'
import { DashboardService } from '@smart-whale/clickhouse'
import { type Clock, toProblem } from '@smart-whale/interfaces'
import type { TableCount } from './count-rows.ts'

/** How the streams into the stores are doing, as an ingestor tells it. */
export interface IngestSummary {
  readonly pipelines: readonly {
    readonly name: string
    readonly topic: string
    readonly state: string
    readonly stored: number
    readonly deadLettered: number
    /** Null while it can't be told. */
    readonly lag: number | null
  }[]
}

/** How the service and each of its dependencies is. */
export interface HealthSummary {
  readonly status: string
  readonly checks: readonly { readonly name: string; readonly status: string; readonly detail?: string }[]
}

/** What {@link summaryRoutes} asks. */
export interface SummaryRoutesOptions {
  /** Rows by table and store. @default none, required */
  countRows: () => Promise<readonly TableCount[]>
  /** Hits and misses of the result cache. @default none, required */
  cacheStats: () => Promise<{ readonly hits: number; readonly misses: number }>
  /** Status of each dependency. @default none, required */
  health: () => Promise<HealthSummary>
  /** Streams; null when no ingestor is known. @default none, required */
  ingest: (() => Promise<IngestSummary>) | null
  /** Decides who may look. @default everybody */
  guard?: (permission: string) => preHandlerAsyncHookHandler
  /** Dates each summary. @default none, required */
  clock: Clock
}

/** `GET /dashboard/summary`: everything that the live page shows at a glance. A part that fails, an ingestor that is away say, is null and named in `failed`. */
export const summaryRoutes: FastifyPluginAsync<SummaryRoutesOptions> = async (fastify, options) => {
  const guard = options.guard?.('health:read')
  const dashboard = new DashboardService({ tables: options.countRows, cache: options.cacheStats, health: options.health, ingest: async () => options.ingest?.() ?? null })
  fastify.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    if (problem.status >= 500) request.log.error({ err: error }, 'summary failed')
    return reply.code(problem.status).type('application/problem+json').send(problem)
  })
  fastify.get('/dashboard/summary', { schema: { tags: ['dashboard'], summary: 'Rows, streams, cache and health at a glance' }, ...(guard === undefined ? {} : { preHandler: guard }) }, async () => {
    const summary = await dashboard.getSummary()
    return { ...summary, data: { at: options.clock.now(), ...summary.data } }
  })
}
