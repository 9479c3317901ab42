import { randomBytes } from 'node:crypto'
import { type AccessControl, type AnalyticsService, createAccessControl, createAnalyticsService, type DefinedMetrics, readLevels } from '@smart-whale/clickhouse'
import { ANSWER_TTL_SECONDS } from '@smart-whale/analytics-api'
import { createL1Cache } from '@smart-whale/core-cache'
import type { Logger } from '@smart-whale/interfaces'
import type { Stores } from './open-stores.ts'
import { DATABASE } from './start-engines.ts'

/** The trust levels of the access file, with the rollups of what they may read; null when there is none. Nobody logs in as their users but this process: they have random passwords. */
export function accessOf(accessFile: string | null, metrics: DefinedMetrics | null, logger: Logger): AccessControl | null {
  if (accessFile === null) return null
  const levels = readLevels(accessFile, () => randomBytes(24).toString('base64url'))
  return createAccessControl({ levels, database: DATABASE, metrics: metrics === null ? [] : [metrics], logger })
}

/** What answers queries: as the user of each caller's trust level, or as the one reader. */
export function openAnalytics(access: AccessControl | null, { reader, owner, clickhouseUrl }: Stores, logger: Logger): Promise<AnalyticsService> {
  const cache = createL1Cache({ maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 })
  const kept = { defaultTtlSeconds: ANSWER_TTL_SECONDS }
  if (access === null) return Promise.resolve(createAnalyticsService(reader, { cache, logger, ...kept }))
  return access.openAnalytics({ connection: { url: clickhouseUrl, database: DATABASE }, cache, logger, analytics: { ...kept, catalogue: owner } })
}
