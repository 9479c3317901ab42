import fastifySwagger from '@fastify/swagger'
import fastifySwaggerUi from '@fastify/swagger-ui'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyPluginAsync, type preHandlerAsyncHookHandler } from 'fastify'
import { type AccessControl, type AnalyticsService, type ClickHouseAdapter, createLiveMetrics } from '@smart-whale/clickhouse'
import { analyticsRoutes, type AnyMetricsLayer, metricLiveRoutes, metricRoutes, type MetricRoutesOptions } from '@smart-whale/clickhouse/fastify'
import { createGraphqlLayer, type GraphqlExtension, liveMetricFields, metricFields, registerGraphql } from '@smart-whale/clickhouse/graphql'
import type { Health, HealthReport, PrometheusMetrics } from '@smart-whale/core-monitoring'
import { healthRoutes, httpMetrics, metricsRoutes } from '@smart-whale/core-monitoring/fastify'
import { type Clock, type Logger, toProblem } from '@smart-whale/interfaces'
import { guardThenWait, waitForToken } from '@smart-whale/messaging/fastify'
import type { Freshness } from '@smart-whale/messaging/pipeline'
import type { TimescaleStorage } from '@smart-whale/timescaledb'
import { timeSeriesRoutes } from '@smart-whale/timescaledb/fastify'
import { createRowCounter } from './dashboard/count-rows.ts'
import { type HealthSummary, type IngestSummary, summaryRoutes } from './dashboard/summary-routes.ts'
import { pageRoutes } from './page/page-routes.ts'
import { keepTenantsApart, readerOfRequest } from './reader-of-request.ts'

/** Everything that the API works with; whoever starts it owns and closes them. */
export interface AnalyticsApiOptions {
  /** As a read-only user: it runs what callers send. @default none, required */
  clickhouse: ClickHouseAdapter
  /** Migrated. @default none, required */
  timescaledb: TimescaleStorage
  /** Answers analytics queries: on the same read-only user, or, with `access`, as the user of each caller's trust level. @default none, required */
  analyticsService: AnalyticsService
  /** Answers questions about defined metrics, over REST, as GraphQL fields, and live; null when none are defined. @default null */
  metricsLayer?: AnyMetricsLayer | null
  /** As whom each caller's queries run; null runs all as one user, and refuses callers whose token is bound to a tenant. @default null */
  access?: Pick<AccessControl, 'readerOf'> | null
  /** Lets a caller with a permission through; everything but the shells and the liveness routes is behind it. @default none, required */
  guard: (permission: string) => preHandlerAsyncHookHandler
  /** What `/health` and the live page report. @default none, required */
  health: Health
  /** What `/metrics` shows; requests are counted in it. @default none, required */
  metrics: PrometheusMetrics
  /** Tables that the live page counts. @default none, required */
  tables: readonly string[]
  /** How the streams are doing; null when no ingestor is known. @default null */
  ingest?: (() => Promise<IngestSummary>) | null
  /** Makes queries wait for what their header `x-wait-for` names; null leaves the header unread. @default null */
  freshness?: Freshness | null
  /** Routes of another app on the same port. @default none */
  extraRoutes?: FastifyPluginAsync
  /** Rows that the queries of one GraphQL request may be estimated to read together; 0 estimates nothing. @default 1_000_000_000 */
  maxEstimatedRows?: number
  /** Public address, for the API reference. @default the address that a request came to */
  publicUrl?: string
  /** Where requests and failures are logged. @default none, required */
  logger: Logger
  /** Whose time passes: for the age of answers and counts. @default none, required */
  clock: Clock
}

/** Events arrive all the time: where nobody tells of them, an answer may be this old, and no older. */
export const ANSWER_TTL_SECONDS = 5

/** What the queries of one GraphQL request may read together: as much as a single one may by a trust level's own default. An estimate costs milliseconds, and only what isn't kept. */
export const MAX_ESTIMATED_ROWS = 1_000_000_000

/** Puts the API together: a Fastify instance that isn't listening yet, so that tests use `inject`. */
export async function createAnalyticsApi(options: AnalyticsApiOptions): Promise<FastifyInstance> {
  const { clickhouse, timescaledb, analyticsService, metricsLayer = null, logger, clock, freshness = null, maxEstimatedRows = MAX_ESTIMATED_ROWS } = options
  const guard = keepTenantsApart(options.guard)
  // Who waited for an event must not be given an answer from before it: the reader has a scope of its own then.
  const data = { guard: freshness === null ? guard : guardThenWait(guard, waitForToken({ freshness })), readerOf: readerOfRequest(options.access ?? null) }
  const fastify = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    requestTimeout: 60_000,
    routerOptions: { maxParamLength: 300 },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: true } },
  }) as unknown as FastifyInstance
  answerEverythingAsProblem(fastify)
  sendSecurityHeaders(fastify)
  await fastify.register(fastifySwagger, { openapi: openapi(options.publicUrl) })
  await fastify.register(fastifySwaggerUi, { routePrefix: '/docs', uiConfig: { docExpansion: 'list', persistAuthorization: false } })
  httpMetrics(fastify, { metrics: options.metrics })
  // Whether the stores are up is nobody's secret, also for callers of a tenant.
  await fastify.register(healthRoutes, { health: options.health, guard: options.guard })
  await fastify.register(metricsRoutes, { metrics: options.metrics, guard })
  await fastify.register(analyticsRoutes, { analyticsService, ...data })
  const extend = metricsLayer === null ? undefined : await serveMetrics(fastify, metricsLayer, options, data)
  await registerGraphql(fastify, { layer: createGraphqlLayer({ analyticsService, extend, limits: { maxEstimatedRows }, logger }), ...data })
  await fastify.register(timeSeriesRoutes, { storage: timescaledb, guard: data.guard })
  await fastify.register(summaryRoutes, {
    countRows: createRowCounter({ tables: options.tables, clickhouse, timescaledb, clock }),
    cacheStats: () => analyticsService.getCacheStats(),
    health: async () => healthSummary(await options.health.report()),
    ingest: options.ingest ?? null,
    guard,
    clock,
  })
  if (options.extraRoutes !== undefined) await fastify.register(options.extraRoutes)
  await fastify.register(pageRoutes)
  return fastify
}

/** Serves the metrics over REST. @returns the same as GraphQL */
async function serveMetrics(fastify: FastifyInstance, layer: AnyMetricsLayer, { analyticsService, clock, logger }: AnalyticsApiOptions, data: Omit<MetricRoutesOptions, 'layer'>): Promise<GraphqlExtension> {
  const live = createLiveMetrics(layer, { tables: analyticsService, clock, logger })
  fastify.addHook('onClose', async () => live.close())
  await fastify.register(metricRoutes, { layer, ...data })
  await fastify.register(metricLiveRoutes, { live, clock, ...data })
  return liveMetricFields(live, metricFields(layer))
}

function healthSummary({ status, dependencies }: HealthReport): HealthSummary {
  return { status, checks: dependencies.map(({ name, status: state, detail }) => ({ name, status: state, ...(detail === undefined ? {} : { detail }) })) }
}

/** For what no plugin answers itself: an unknown address, a broken request. */
function answerEverythingAsProblem(fastify: FastifyInstance): void {
  fastify.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error)
    if (problem.status >= 500) request.log.error({ err: error }, 'a request failed')
    return reply.code(problem.status).type('application/problem+json').send(problem)
  })
  fastify.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type('application/problem+json')
      .send({ type: 'about:blank', title: 'Not found', status: 404, detail: `there is no ${request.method} ${request.url.split('?')[0]}; /docs lists what there is`, code: 'ERR_NOT_FOUND' }),
  )
}

const SECURITY_HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY' }

function sendSecurityHeaders(fastify: FastifyInstance): void {
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    void reply.headers(SECURITY_HEADERS)
    done(null, payload)
  })
}

function openapi(publicUrl: string | undefined): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Smart Whale analytics API', version: '0.1.0', description: 'Analytics over ClickHouse, time series over PostgreSQL, and events into both. 64-bit integers and decimals are strings; times are ISO 8601 UTC.' },
    ...(publicUrl === undefined ? {} : { servers: [{ url: publicUrl }] }),
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    security: [{ bearer: [] }],
  }
}
