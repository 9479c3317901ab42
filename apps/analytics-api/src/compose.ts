import type { FastifyInstance } from 'fastify'
import { guardFromKeys } from '@smart-whale/app-process'
import { createAccessControl, createAdapter, createAnalyticsService, createMetricsLayer, readMetrics } from '@smart-whale/clickhouse'
import { createL1Cache } from '@smart-whale/core-cache'
import { createHealth, createPrometheusMetrics } from '@smart-whale/core-monitoring'
import { type Logger, systemClock } from '@smart-whale/interfaces'
import { createFreshness, progressOfLedger } from '@smart-whale/messaging/pipeline'
import { createIngestLedger, createMigrationManager, createTimescaleAdapter } from '@smart-whale/timescaledb'
import type { AnalyticsApiConfig } from './config.ts'
import { checkStorage } from './check-storage.ts'
import { ANSWER_TTL_SECONDS, createAnalyticsApi } from './create-analytics-api.ts'
import { fetchIngestSummary } from './dashboard/fetch-ingest-summary.ts'

/** The API as it runs in production: its own connections to both stores. The instance's `close` closes them. */
export async function compose(config: AnalyticsApiConfig, logger: Logger): Promise<FastifyInstance> {
  const { CLICKHOUSE_URL: url, CLICKHOUSE_DATABASE: database, CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password, INGESTOR_URL: ingestorUrl } = config
  const clickhouse = createAdapter({ url, database, user, password }, { logger })
  const timescaledb = createTimescaleAdapter({ url: config.DATABASE_URL }, { logger })
  await Promise.all([clickhouse.connect(), timescaledb.connect()])
  await createMigrationManager(timescaledb, { logger }).up()
  const metrics = createPrometheusMetrics({ defaultMetrics: true, logger })
  const guard = await guardFromKeys(config)
  const health = createHealth({
    probes: [
      { name: 'ClickHouse', check: (call) => clickhouse.healthCheck(call) },
      { name: 'PostgreSQL', check: (call) => checkStorage(timescaledb, call) },
    ],
    logger,
  })
  const cache = createL1Cache({ maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 })
  const definedMetrics = config.METRICS_FILE === undefined ? null : await readMetrics(config.METRICS_FILE)
  const access = config.levels === null ? null : createAccessControl({ levels: config.levels, database, metrics: definedMetrics === null ? [] : [definedMetrics], logger })
  const kept = { defaultTtlSeconds: ANSWER_TTL_SECONDS }
  const analyticsService =
    access === null
      ? createAnalyticsService(clickhouse, { cache, logger, ...kept })
      : await access.openAnalytics({ connection: { url, database }, cache, logger, analytics: { ...kept, catalogue: clickhouse } })
  const metricsLayer = definedMetrics === null ? null : createMetricsLayer(definedMetrics, { analyticsService, adapter: clickhouse, mayReadRollups: access?.mayReadRollups })
  const fastify = await createAnalyticsApi({
    clickhouse,
    timescaledb,
    analyticsService,
    metricsLayer,
    access,
    guard,
    health,
    metrics,
    tables: config.TABLES,
    maxEstimatedRows: config.GRAPHQL_MAX_ESTIMATED_ROWS,
    freshness: createFreshness({ progress: progressOfLedger(createIngestLedger(timescaledb)), metrics }),
    ingest: ingestorUrl === undefined ? null : () => fetchIngestSummary(ingestorUrl),
    ...(config.PUBLIC_URL === undefined ? {} : { publicUrl: config.PUBLIC_URL }),
    logger,
    clock: systemClock,
  })
  fastify.addHook('onClose', async () => {
    await analyticsService.close()
    health.close()
    metrics.close()
    await Promise.all([clickhouse.close(), timescaledb.disconnect()])
  })
  return fastify
}
