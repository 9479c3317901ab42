import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { createClosers, guardFromKeys } from '@smart-whale/app-process'
import { createHealth, createPrometheusMetrics } from '@smart-whale/core-monitoring'
import { healthRoutes, httpMetrics, metricsRoutes } from '@smart-whale/core-monitoring/fastify'
import { type Logger, toWire } from '@smart-whale/interfaces'
import { createMigrationManager } from '@smart-whale/timescaledb'
import { closedGuard } from './closed-guard.ts'
import type { IngestorConfig } from './config.ts'
import { createIngestor } from './create-ingestor.ts'
import { createTransport, replicationFor } from './open-broker.ts'
import { openStores, refuseMissingStores } from './open-stores.ts'
import { readPipelinesFile } from './read-pipelines-file.ts'

/** The ingestor as it runs in production: its own connections, and its pipelines running. The instance's `close` stops them. */
export async function compose(config: IngestorConfig, logger: Logger, signal: AbortSignal): Promise<FastifyInstance> {
  const definitions = await readPipelinesFile(config.pipelinesFile)
  refuseMissingStores(definitions, config)
  const closers = createClosers(logger)
  try {
    const stores = await openStores(config, closers, logger, signal)
    if (stores.timescaledb !== null) await createMigrationManager(stores.timescaledb, { logger }).up()
    const transport = createTransport(config, logger)
    closers.add('broker', () => transport.stop())
    await transport.start({ signal })
    const metrics = createPrometheusMetrics({ defaultMetrics: true, logger })
    closers.add('metrics', async () => metrics.close())
    const guard = config.tokens === null ? closedGuard : await guardFromKeys(config.tokens)
    const ingestor = createIngestor({ ...stores, definitions, transport, replication: await replicationFor(config, transport, signal), guard, logger, metrics })
    closers.add('pipelines', () => ingestor.stop())
    await ingestor.start({ signal })
    const health = createHealth({ probes: ingestor.probes, logger })
    closers.add('health', async () => health.close())
    closers.add('readiness', async () => health.markStopping())

    const fastify = Fastify({ loggerInstance: logger as FastifyBaseLogger, logController: new LogController({ disableRequestLogging: true }) }) as unknown as FastifyInstance
    httpMetrics(fastify, { metrics })
    await fastify.register(healthRoutes, { health, guard })
    await fastify.register(metricsRoutes, { metrics, guard })
    await fastify.register(ingestor.routes)
    // Counts and names alone, for the live page of an API elsewhere.
    fastify.get('/pipelines', async () => toWire(await ingestor.status()))
    fastify.addHook('onClose', () => closers.close())
    return fastify
  } catch (error) {
    await closers.close()
    throw error
  }
}
