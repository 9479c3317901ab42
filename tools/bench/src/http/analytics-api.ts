import type { AddressInfo } from 'node:net'
import { createAnalyticsApi } from '@smart-whale/analytics-api'
import { createAdapter, createAnalyticsService } from '@smart-whale/clickhouse'
import { createL1Cache } from '@smart-whale/core-cache'
import { createHealth, createPrometheusMetrics } from '@smart-whale/core-monitoring'
import { createRolePolicy, createTokenIssuer, createTokenVerifier, generateSigningKeys } from '@smart-whale/core-security'
import { createBearerGuard } from '@smart-whale/core-security/fastify'
import { silentLogger, systemClock } from '@smart-whale/interfaces'
import { createMigrationManager, createTimescaleAdapter } from '@smart-whale/timescaledb'
import type { ServerConfig } from './server-config.ts'
import type { ListeningServer } from './servers.ts'

const ISSUER = 'https://bench.example'
const AUDIENCE = 'smart-whale'

/** The analytics API as it runs in production, with everything that a request passes: token, permission, limits, headers, measurements, cache. */
export async function analyticsApi({ url, username: user, password, postgresUrl }: ServerConfig): Promise<ListeningServer> {
  const clickhouse = createAdapter({ url, user, password })
  const timescaledb = createTimescaleAdapter({ url: postgresUrl })
  await createMigrationManager(timescaledb).up()
  const keys = await generateSigningKeys('ES256')
  const token = await createTokenIssuer({ issuer: ISSUER, audience: AUDIENCE, keys, ttlSeconds: 86_400 }).issue({ subject: 'bench', roles: ['admin'] })
  const metrics = createPrometheusMetrics({ defaultMetrics: true })
  const health = createHealth({ probes: [] })
  const analyticsService = createAnalyticsService(clickhouse, { cache: createL1Cache({ maxEntries: 1_000 }), defaultTtlSeconds: 3_600 })
  const app = await createAnalyticsApi({
    clickhouse,
    timescaledb,
    analyticsService,
    guard: createBearerGuard({ verifier: createTokenVerifier({ issuer: ISSUER, audience: AUDIENCE, keys }), policy: createRolePolicy() }),
    health,
    metrics,
    tables: [],
    logger: silentLogger,
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
