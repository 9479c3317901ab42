import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { createAnalyticsApi, keepTenantsApart } from '@smart-whale/analytics-api'
import { createPrometheusMetrics } from '@smart-whale/core-monitoring'
import { createRolePolicy, createTokenIssuer, createTokenVerifier, generateSigningKeys } from '@smart-whale/core-security'
import { createBearerGuard } from '@smart-whale/core-security/fastify'
import { type Logger, systemClock } from '@smart-whale/interfaces'
import type { MessagingTransport } from '@smart-whale/messaging'
import { createMemoryTransport } from '@smart-whale/messaging/memory'
import { definePipelines } from '@smart-whale/messaging/pipeline'
import { createIngestor, type Ingestor, readPipelinesFile } from '@smart-whale/stream-ingestor'
import { writeAdminToken } from './admin-token.ts'
import { createClosers } from '@smart-whale/app-process'
import { writeCallerTokens } from './caller-tokens.ts'
import type { StandaloneConfig } from './config.ts'
import { emptyDataFolder } from './empty-data-folder.ts'
import { lockDataFolder } from './lock-data-folder.ts'
import { accessOf, openAnalytics } from './open-analytics.ts'
import { openHealth } from './open-health.ts'
import { metricsOf, openMetrics } from './open-metrics.ts'
import { openStores } from './open-stores.ts'
import { FLIGHTS, SP500 } from './sample/sample-pipelines.ts'

/** A standalone that serves. */
export interface Standalone {
  readonly fastify: FastifyInstance
  readonly transport: MessagingTransport
  readonly ingestor: Ingestor
  readonly adminToken: string
  readonly adminTokenFile: string
  close(): Promise<void>
}

/** What {@link compose} is told. */
export interface ComposeOptions {
  /** What the command was told. @default none, required */
  readonly config: StandaloneConfig
  /** Where every part of it logs. @default none, required */
  readonly logger: Logger
  /** Gives up the start; what was opened is closed again. @default none, required */
  readonly signal: AbortSignal
  /** Told each step that is done. @default none, required */
  readonly onStep: (text: string) => void
}

const ISSUER = 'smart-whale-standalone'
const AUDIENCE = 'smart-whale'
/** As long as a process may reasonably run: the token is new at each start, and its key is never stored. */
const TOKEN_TTL_SECONDS = 30 * 24 * 3600

/** Opens everything in the order that it depends on each other; `close` goes the other way round. */
export async function compose({ config, logger, signal, onStep }: ComposeOptions): Promise<Standalone> {
  const { dataDir } = config
  const closers = createClosers(logger)
  try {
    const lock = await lockDataFolder(dataDir)
    closers.add('data folder', () => lock.release())
    await emptyDataFolder(dataDir, config.fresh)
    const definitions = [...(config.sample === null ? [] : definePipelines([FLIGHTS, SP500])), ...(config.pipelinesFile === null ? [] : await readPipelinesFile(config.pipelinesFile))]

    const definedMetrics = await metricsOf(config)
    const access = accessOf(config.accessFile, definedMetrics, logger)
    const stores = await openStores({ dataDir, users: access?.embeddedUsers(), logger, signal, onReady: (name) => onStep(`${name} runs`) }, closers)
    const { owner, reader, storage } = stores
    const transport = createMemoryTransport({ dataDir: join(dataDir, 'broker'), logger })
    closers.add('broker', () => transport.stop())
    await transport.start({ signal })
    const metrics = createPrometheusMetrics({ defaultMetrics: true, logger })
    closers.add('metrics', async () => metrics.close())
    const keys = await generateSigningKeys()
    const verifier = createTokenVerifier({ issuer: ISSUER, audience: AUDIENCE, keys })
    const guard = createBearerGuard({ verifier, policy: createRolePolicy() })
    const analyticsService = await openAnalytics(access, stores, logger)
    closers.add('analytics', () => analyticsService.close())
    // What a table has gained makes the answers about it old.
    const onStored = (table: string): void => void analyticsService.invalidateTables([table]).catch((error: unknown) => logger.warn({ err: error, table }, 'kept answers were not dropped'))
    const ingestor = createIngestor({ definitions, transport, clickhouse: owner, timescaledb: storage, onStored, guard: keepTenantsApart(guard), logger, metrics })
    closers.add('ingestor', () => ingestor.stop())
    await ingestor.start({ signal })
    const metricsLayer = await openMetrics(definedMetrics, { stores, access, analyticsService, logger, signal })

    const health = openHealth(stores, ingestor.probes, logger, closers)
    const fastify = await createAnalyticsApi({
      clickhouse: reader,
      timescaledb: storage,
      analyticsService,
      metricsLayer,
      access,
      guard,
      health,
      metrics,
      tables: definitions.map((definition) => definition.table),
      ingest: () => ingestor.status(),
      freshness: ingestor.freshness,
      extraRoutes: ingestor.routes,
      logger,
      clock: systemClock,
    })
    closers.add('server', () => fastify.close())
    closers.add('readiness', async () => health.markStopping())
    const issuer = createTokenIssuer({ issuer: ISSUER, audience: AUDIENCE, keys, ttlSeconds: TOKEN_TTL_SECONDS })
    if (config.accessFile !== null) await writeCallerTokens(config.accessFile, dataDir, issuer)
    const adminToken = await issuer.issue({ subject: 'admin', roles: ['admin'] })
    const adminTokenFile = await writeAdminToken(dataDir, adminToken)
    return { fastify, transport, ingestor, adminToken, adminTokenFile, close: () => closers.close() }
  } catch (error) {
    await closers.close()
    throw error
  }
}
