import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { guardFromKeys } from '@smart-whale/app-process'
import { createAdapter } from '@smart-whale/clickhouse'
import { createHealth, createPrometheusMetrics } from '@smart-whale/core-monitoring'
import { healthRoutes, httpMetrics, metricsRoutes } from '@smart-whale/core-monitoring/fastify'
import { type Logger, toWire } from '@smart-whale/interfaces'
import { createMemoryTransport } from '@smart-whale/messaging/memory'
import { createMigrationManager, createTimescaleAdapter } from '@smart-whale/timescaledb'
import type { IngestorConfig } from './config.ts'
import { createIngestor } from './create-ingestor.ts'
import { readPipelinesFile } from './read-pipelines-file.ts'

/** The ingestor as it runs in production: its own connections, and its pipelines running. The instance's `close` stops them. */
export async function compose(config: IngestorConfig, logger: Logger): Promise<FastifyInstance> {
  const { CLICKHOUSE_URL: url, CLICKHOUSE_DATABASE: database, CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password } = config
  const definitions = await readPipelinesFile(config.PIPELINES_FILE)
  const clickhouse = createAdapter({ url, database, user, password }, { logger })
  const timescaledb = createTimescaleAdapter({ url: config.DATABASE_URL }, { logger })
  await Promise.all([clickhouse.connect(), timescaledb.connect()])
  await createMigrationManager(timescaledb, { logger }).up()
  const transport = createMemoryTransport({ dataDir: config.BROKER_DIR, logger })
  await transport.start()
  const metrics = createPrometheusMetrics({ logger })
  const guard = await guardFromKeys(config)
  const ingestor = createIngestor({ definitions, transport, clickhouse, timescaledb, guard, logger, metrics })
  await ingestor.start()

  const fastify = Fastify({ loggerInstance: logger as FastifyBaseLogger, logController: new LogController({ disableRequestLogging: true }) }) as unknown as FastifyInstance
  const health = createHealth({ probes: ingestor.probes, logger })
  httpMetrics(fastify, { metrics })
  await fastify.register(healthRoutes, { health, guard })
  await fastify.register(metricsRoutes, { metrics, guard })
  await fastify.register(ingestor.routes)
  // Counts and names alone, for the live page of an API elsewhere.
  fastify.get('/pipelines', async () => toWire(await ingestor.status()))
  fastify.addHook('onClose', async () => {
    health.markStopping()
    await ingestor.stop()
    await transport.stop()
    health.close()
    metrics.close()
    await Promise.all([clickhouse.close(), timescaledb.disconnect()])
  })
  return fastify
}
