import type { AddressInfo } from 'node:net'
import { ANSWER_TTL_SECONDS, createAnalyticsApi } from '@smart-whale/analytics-api'
import { createAdapter, createAnalyticsService } from '@smart-whale/clickhouse'
import { createL1Cache } from '@smart-whale/core-cache'
import { createLogger } from '@smart-whale/core-logging'
import { createHealth, createPrometheusMetrics } from '@smart-whale/core-monitoring'
import { createRolePolicy, createTokenIssuer, createTokenVerifier, generateSigningKeys } from '@smart-whale/core-security'
import { createBearerGuard } from '@smart-whale/core-security/fastify'
import { systemClock } from '@smart-whale/interfaces'
import { createFreshness, progressOfLedger } from '@smart-whale/messaging/pipeline'
import { createIngestLedger, createMigrationManager, createTimescaleAdapter } from '@smart-whale/timescaledb'
import type { ServerConfig } from './server-config.ts'
import type { ListeningServer } from './servers.ts'

const ISSUER = 'https://bench.example'
const AUDIENCE = 'smart-whale'

/**
 * The analytics API as it runs in production, put together as its own `compose` does it, with everything that a request passes: token,
 * permission, a wait for events where one is asked for, limits, headers, measurements, logger, cache. Answers live as long as there: now
 * and then one is loaded anew.
 */
export async function analyticsApi({ url, username: user, password, postgresUrl }: ServerConfig): Promise<ListeningServer> {
  // The callers read one line of the standard output, and it isn't a log's.
  const logger = createLogger({ service: 'analytics-api', destination: { write: () => {} } })
  const clickhouse = createAdapter({ url, user, password }, { logger })
  const timescaledb = createTimescaleAdapter({ url: postgresUrl }, { logger })
  await createMigrationManager(timescaledb, { logger }).up()
  const keys = await generateSigningKeys('ES256')
  const token = await createTokenIssuer({ issuer: ISSUER, audience: AUDIENCE, keys, ttlSeconds: 86_400 }).issue({ subject: 'bench', roles: ['admin'] })
  const metrics = createPrometheusMetrics({ defaultMetrics: true, logger })
  const health = createHealth({ probes: [], logger })
  const analyticsService = createAnalyticsService(clickhouse, { cache: createL1Cache({ maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 }), logger, defaultTtlSeconds: ANSWER_TTL_SECONDS })
  const app = await createAnalyticsApi({
    clickhouse,
    timescaledb,
    analyticsService,
    guard: createBearerGuard({ verifier: createTokenVerifier({ issuer: ISSUER, audience: AUDIENCE, keys }), policy: createRolePolicy() }),
    health,
    metrics,
    tables: [],
    freshness: createFreshness({ progress: progressOfLedger(createIngestLedger(timescaledb)), metrics }),
    logger,
    clock: systemClock,
  })
  app.server.keepAliveTimeout = 600_000
  await app.listen({ host: '127.0.0.1', port: 0 })
  const close = async (): Promise<void> => {
    await app.close()
    await analyticsService.close()
    health.close()
    metrics.close()
    await Promise.all([clickhouse.close(), timescaledb.disconnect()])
  }
  return { port: (app.server.address() as AddressInfo).port, headers: { authorization: `Bearer ${token}` }, close }
}
