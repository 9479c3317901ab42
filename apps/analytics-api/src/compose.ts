import type { FastifyInstance } from 'fastify'
import { type Closers, createClosers, guardFromKeys } from '@smart-whale/app-process'
import { type ClickHouseAdapter, createAccessControl, createAdapter, createAnalyticsService, createMetricsLayer, readMetrics } from '@smart-whale/clickhouse'
import { createHealth, createPrometheusMetrics } from '@smart-whale/core-monitoring'
import { type Logger, systemClock } from '@smart-whale/interfaces'
import { createFreshness, progressOfLedger } from '@smart-whale/messaging/pipeline'
import { createIngestLedger, createMigrationManager, createTimescaleAdapter, type TimescaleDBStorage } from '@smart-whale/timescaledb'
import type { AnalyticsApiConfig } from './config.ts'
import { checkStorage } from './check-storage.ts'
import { ANSWER_TTL_SECONDS, createAnalyticsApi } from './create-analytics-api.ts'
import { fetchIngestSummary } from './dashboard/fetch-ingest-summary.ts'
import { openCache } from './open-cache.ts'

/** The API as it runs in production: its own connections to both stores. The instance's `close` closes them. */
export async function compose(config: AnalyticsApiConfig, logger: Logger): Promise<FastifyInstance> {
  const guard = await guardFromKeys(config)
  const definedMetrics = config.METRICS_FILE === undefined ? null : await readMetrics(config.METRICS_FILE)
  const database = config.CLICKHOUSE_DATABASE
  const access = config.levels === null ? null : createAccessControl({ levels: config.levels, database, metrics: definedMetrics === null ? [] : [definedMetrics], logger })
  const closers = createClosers(logger)
  try {
    const metrics = createPrometheusMetrics({ defaultMetrics: true, logger })
    closers.add('metrics', async () => metrics.close())
    const stores = await openStores(config, closers, logger)
    const { clickhouse, timescaledb } = stores
    const { cache, quotaStore, probes } = await openCache(config, closers, { logger, metrics })
    const health = createHealth({
      probes: [
        { name: 'ClickHouse', check: (call) => clickhouse.healthCheck(call) },
        { name: 'PostgreSQL', check: (call) => checkStorage(timescaledb, call) },
        ...probes,
      ],
      logger,
    })
    closers.add('health', async () => health.close())
    const kept = { defaultTtlSeconds: ANSWER_TTL_SECONDS }
    const analyticsService =
      access === null
        ? createAnalyticsService(clickhouse, { cache, logger, ...kept })
        : await access.openAnalytics({ connection: { url: config.CLICKHOUSE_URL, database }, cache, quotaStore, logger, analytics: { ...kept, catalogue: clickhouse } })
    closers.add('analytics', () => analyticsService.close())
    const metricsLayer = definedMetrics === null ? null : createMetricsLayer(definedMetrics, { analyticsService, adapter: clickhouse, mayReadRollups: access?.mayReadRollups })
    const freshness = createFreshness({ progress: progressOfLedger(createIngestLedger(timescaledb)), metrics })
    const fastify = await createAnalyticsApi({ ...stores, analyticsService, metricsLayer, access, guard, health, metrics, freshness, ...settingsOf(config), logger, clock: systemClock })
    fastify.addHook('onClose', () => closers.close())
    return fastify
  } catch (error) {
    await closers.close()
    throw error
  }
}

interface Stores {
  readonly clickhouse: ClickHouseAdapter
  readonly timescaledb: TimescaleDBStorage
}

/** Connected, the tables of our own made. */
async function openStores(config: AnalyticsApiConfig, closers: Closers, logger: Logger): Promise<Stores> {
  const { CLICKHOUSE_URL: url, CLICKHOUSE_DATABASE: database, CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password } = config
  const clickhouse = createAdapter({ url, database, user, password }, { logger })
  closers.add('ClickHouse', () => clickhouse.close())
  const timescaledb = createTimescaleAdapter({ url: config.DATABASE_URL }, { logger })
  closers.add('PostgreSQL', () => timescaledb.disconnect())
  await Promise.all([clickhouse.connect(), timescaledb.connect()])
  await createMigrationManager(timescaledb, { logger }).up()
  return { clickhouse, timescaledb }
}

/** What of the environment goes to the routes as it is. */
function settingsOf({ TABLES: tables, GRAPHQL_MAX_ESTIMATED_ROWS: maxEstimatedRows, INGESTOR_URL: ingestorUrl, PUBLIC_URL: publicUrl }: AnalyticsApiConfig) {
  const ingest = ingestorUrl === undefined ? null : () => fetchIngestSummary(ingestorUrl)
  return { tables, maxEstimatedRows, ingest, ...(publicUrl === undefined ? {} : { publicUrl }) }
}
