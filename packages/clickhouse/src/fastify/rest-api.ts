import { type CachingInterface, type HealthStatus, type Logger, type ProblemDetails, silentLogger } from '@smart-whale/interfaces'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { type AnalyticsService, createAnalyticsService } from '../analytics/analytics-service.ts'
import type { ClickHouseOptions } from '../clickhouse-config.ts'
import { createAdapter } from '../create-adapter.ts'
import type { MetricsLayer } from '../metrics/answer/metrics-layer.ts'
import { createLiveMetrics } from '../metrics/live/live-metrics.ts'
import { HealthCheck } from '../monitoring/health-check.ts'
import { PermissionDeniedError } from '../operational-errors.ts'
import { DashboardService } from '../services/dashboard-service.ts'
import { answerAnalyticsProblem } from './analytics-problem.ts'
import { type AnalyticsRoutesOptions, analyticsRoutes } from './analytics-routes.ts'
import { metricLiveRoutes } from './metric-live-routes.ts'
import { type AnyMetricsLayer, type MetricReader, metricRoutes, type MetricRoutesOptions } from './metric-routes.ts'
import { openapiOfRoutes } from './openapi-of-routes.ts'

/** What {@link createRestApi} puts together, and what it takes ready-made. */
export interface RestApiOptions extends Pick<AnalyticsRoutesOptions, 'guard' | 'limits'>, Pick<MetricRoutesOptions, 'readerOf'> {
  /** Where the server is, and who asks: a read-only user, as it runs what callers send. @default `CLICKHOUSE_*` variables */
  connection?: ClickHouseOptions | undefined
  /** An adapter to use instead of making one; it stays open when the app is closed. @default made from `connection` */
  adapter?: ClickHouseAdapter | undefined
  /** Where answers are kept; `false` keeps none. @default an in-process cache of `@smart-whale/core-cache` */
  cache?: CachingInterface | false | undefined
  /** A service to use instead of making one; it stays open when the app is closed. @default made over the adapter */
  analyticsService?: AnalyticsService | undefined
  /** Metrics to serve, live ones as well. @default none */
  metricsLayer?: AnyMetricsLayer | undefined
  /** What `GET /dashboard/summary` shows. @default the server's health, and what the cache does */
  dashboard?: Pick<DashboardService, 'getSummary'> | undefined
  /** Tells whether the server is well. @default made over the adapter */
  healthCheck?: Pick<HealthCheck, 'checkDatabaseConnection' | 'checkSystemHealth'> | undefined
  /** Title of the OpenAPI document. @default 'ClickHouse analytics' */
  title?: string | undefined
  /** More for the Fastify instance. @default {} */
  server?: Omit<FastifyServerOptions, 'logger' | 'loggerInstance'> | undefined
  /** Hears of what callers are not told. @default silentLogger */
  logger?: Logger | undefined
}

/** A ready Fastify app over ClickHouse. */
export interface RestAPI extends AsyncDisposable {
  /** The app, always the same one: to listen, to be asked by `inject`, or to register more on. */
  getApp(): FastifyInstance
  /** Closes the app, and what was made for it; what was handed in stays open. */
  close(): Promise<void>
}

/**
 * Makes a Fastify app that serves `POST /analytics`, the cache's routes, metrics with their live ones, `GET /health`, `GET /dashboard/summary`, and
 * `GET /openapi.json`, which is written from the routes' schemas. What goes wrong is answered as RFC 9457 has it. Without a `guard` everybody may ask.
 *
 * @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION`
 * @example
 * const api = createRestApi({ connection: { url: 'http://reader:secret@localhost:8123/app' }, guard })
 * await api.getApp().listen({ port: 3000 })
 */
export function createRestApi(options: RestApiOptions = {}): RestAPI {
  const { logger = silentLogger } = options
  const adapter = options.adapter ?? createAdapter(options.connection, { logger })
  const service = options.analyticsService ?? createAnalyticsService(adapter, { cache: options.cache, logger })
  const app = Fastify({ ...options.server, loggerInstance: logger as FastifyBaseLogger }) as unknown as FastifyInstance
  answerElse(app)
  const document = openapiOfRoutes(app, options.title ?? 'ClickHouse analytics')
  const { guard, readerOf, limits } = options
  const common = { ...(guard && { guard }), ...(readerOf && { readerOf }) }
  void app.register(analyticsRoutes, { analyticsService: service, limits, ...common })
  if (options.metricsLayer !== undefined) serveMetrics(app, options.metricsLayer, service, common, logger)
  serveState(app, options, service, options.healthCheck ?? new HealthCheck(adapter))
  app.get('/openapi.json', { schema: { tags: ['api'], summary: 'What there is, as OpenAPI' } }, async () => document())
  app.addHook('onClose', async () => {
    if (options.analyticsService === undefined) await service.close()
    if (options.adapter === undefined) await adapter.close()
  })
  const close = (): Promise<void> => app.close().then(() => undefined)
  return { getApp: () => app, close, [Symbol.asyncDispose]: close }
}

function serveMetrics(app: FastifyInstance, layer: AnyMetricsLayer, tables: AnalyticsService, common: Pick<MetricRoutesOptions, 'guard' | 'readerOf'>, logger: Logger): void {
  const live = createLiveMetrics(layer as unknown as MetricsLayer, { tables, logger })
  app.addHook('preClose', async () => live.close())
  void app.register(metricRoutes, { layer, ...common })
  void app.register(metricLiveRoutes, { live, ...common })
}

function serveState(app: FastifyInstance, { guard, readerOf = (): MetricReader => ({}), dashboard }: RestApiOptions, service: AnalyticsService, health: NonNullable<RestApiOptions['healthCheck']>): void {
  const report = async (): Promise<HealthReport> => {
    const [connection, system] = await Promise.all([health.checkDatabaseConnection(), health.checkSystemHealth()])
    // A server that isn't well still answers.
    const status = connection.status === 'up' && system.status !== 'up' ? 'degraded' : connection.status
    return { status, checks: [{ name: 'clickhouse', status: connection.status }, { name: 'clickhouse-system', status: system.status }] }
  }
  const shown = dashboard ?? new DashboardService({ health: report, cache: () => service.getCacheStats() })
  app.get('/health', { schema: healthSchema }, async (_request, reply) => {
    const found = await report()
    return reply.code(found.status === 'down' ? 503 : 200).send(found)
  })
  app.get('/dashboard/summary', { schema: dashboardSchema, ...(guard && { preHandler: guard('health:read') }) }, async (request) => {
    if (readerOf(request).tenant !== undefined) throw new PermissionDeniedError("the summary is of everybody's queries; callers who belong to a tenant may not look at it")
    return shown.getSummary()
  })
}

/** Names and states alone: why a server isn't well is not for everybody. */
interface HealthReport {
  readonly status: HealthStatus
  readonly checks: readonly { readonly name: string; readonly status: HealthStatus }[]
}

const STATUS = { type: 'string', enum: ['up', 'degraded', 'down'] }
const report = { type: 'object', properties: { status: STATUS, checks: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, status: STATUS } } } } }
const healthSchema = { tags: ['health'], summary: 'Whether ClickHouse answers, and is well', response: { 200: report, 503: report } }
const dashboardSchema = { tags: ['dashboard'], summary: 'Health and cache at a glance' }

/** For what no route answers itself. */
function answerElse(app: FastifyInstance): void {
  app.setErrorHandler(answerAnalyticsProblem)
  app.setNotFoundHandler((request, reply) => {
    const problem: ProblemDetails = { type: 'about:blank', title: 'Not found', status: 404, detail: `there is no ${request.method} ${request.url.split('?')[0]}; /openapi.json lists what there is`, code: 'ERR_NOT_FOUND' }
    return reply.code(404).type('application/problem+json').send(problem)
  })
}
