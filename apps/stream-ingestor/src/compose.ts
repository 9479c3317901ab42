import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { createClosers, guardFromKeys } from '@smart-whale/app-process'
import { createHealth, createPrometheusMetrics } from '@smart-whale/core-monitoring'
import { healthRoutes, httpMetrics, metricsRoutes } from '@smart-whale/core-monitoring/fastify'
import { type Lifecycle, type Logger, toWire } from '@smart-whale/interfaces'
import { createMigrationManager } from '@smart-whale/timescaledb'
import { closedGuard } from './closed-guard.ts'
import type { IngestorConfig } from './config.ts'
import { createIngestor } from './create-ingestor.ts'
import type { RequestServerOptions } from './create-request-server.ts'
import { openBroker, replicationFor } from './open-broker.ts'
import { makeMissingDatabase, openStores, refuseMissingStores } from './open-stores.ts'
import { readPipelinesFile } from './read-pipelines-file.ts'

/** An ingestor that is put together; its pipelines run from `begin` until the instance is closed. */
export interface ComposedIngestor {
  readonly fastify: FastifyInstance
  begin(signal: AbortSignal): Promise<void>
}

/** The ingestor as it runs in production, on its own connections. */
export async function compose(config: IngestorConfig, logger: Logger, signal: AbortSignal): Promise<ComposedIngestor> {
  const definitions = await readPipelinesFile(config.pipelinesFile, config)
  refuseMissingStores(definitions, config)
  const guard = config.tokens === null ? closedGuard : await guardFromKeys(config.tokens)
  const closers = createClosers(logger)
  try {
    await makeMissingDatabase(config, logger, signal)
    const stores = await openStores(config, closers, logger, signal)
    if (stores.timescaledb !== null) await createMigrationManager(stores.timescaledb, { logger }).up()
    const transport = await openBroker(config, closers, logger, signal)
    const metrics = createPrometheusMetrics({ defaultMetrics: true, logger })
    closers.add('metrics', async () => metrics.close())
    const replication = await replicationFor(config, transport, signal)
    const isReady = async (): Promise<boolean> => (await health.ready()).ready
    const ingestor = createIngestor({ ...stores, definitions, transport, replication, sliceBytes: config.sliceBytes, stallMs: config.stallMs, isReady, guard, logger, metrics })
    closers.add('pipelines', () => ingestor.stop())
    const requests = config.dataRequestsGroup === null ? null : await requestServer({ ...stores, definitions, transport, groupId: config.dataRequestsGroup, freshness: ingestor.freshness, logger })
    closers.add('data requests', async () => requests?.stop())
    const health = createHealth({ probes: ingestor.probes, awaitStart: true, logger })
    closers.add('health', async () => health.close())
    closers.add('readiness', async () => health.markStopping())

    const fastify = Fastify({
      loggerInstance: logger as FastifyBaseLogger,
      logController: new LogController({ disableRequestLogging: true }),
      // A client that sends slowly keeps its room no longer than that.
      requestTimeout: 30_000,
    }) as unknown as FastifyInstance
    httpMetrics(fastify, { metrics })
    await fastify.register(healthRoutes, { health, guard })
    await fastify.register(metricsRoutes, { metrics, guard })
    await fastify.register(ingestor.routes)
    // Counts and names alone, for the live page of an API elsewhere.
    fastify.get('/pipelines', async () => toWire(await ingestor.status()))
    fastify.addHook('onClose', () => closers.close())
    const begin = async (stopped: AbortSignal): Promise<void> => {
      await ingestor.start({ signal: stopped })
      await requests?.start()
      health.markStarted()
    }
    return { fastify, begin }
  } catch (error) {
    await closers.close()
    throw error
  }
}

/** Few workers answer requests: the service that does is loaded where it is wanted. */
async function requestServer(options: RequestServerOptions): Promise<Lifecycle> {
  const { createRequestServer } = await import('./create-request-server.ts')
  return createRequestServer(options)
}
