import { type CachingInterface, type Clock, ConfigurationError, silentLogger, systemClock } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import type { ClickHouseErrorCode } from '../errors.ts'
import { AnalyticsCache } from './analytics-cache.ts'
import type { AnalyticsLimits, AnalyticsServiceOptions } from './analytics-options.ts'
import { TableCatalogue } from './table-catalogue.ts'

/** A result cache, and what to close with it. */
export interface OpenAnalyticsCache {
  readonly cache: AnalyticsCache
  close(): Promise<void>
}

/** How much the cache may hold that is made when none is handed in. */
const DEFAULT_CACHE = { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 }

/** The result cache of a service: over what was handed in, or over one of its own. */
export async function openAnalyticsCache(
  adapter: ClickHouseAdapter,
  options: AnalyticsServiceOptions,
  limits: AnalyticsLimits,
): Promise<OpenAnalyticsCache> {
  const own = options.cache === undefined ? await makeDefaultCache(options.clock ?? systemClock) : undefined
  const { clock = systemClock, logger = silentLogger } = options
  const cache = new AnalyticsCache({
    cache: own ?? (options.cache || null),
    dependencies: new TableCatalogue({ adapter: options.catalogue ?? adapter, maxAgeMs: limits.catalogueMaxAgeMs, clock, logger }),
    keyPrefix: options.cacheKeyPrefix ?? `smart-whale:analytics:${adapter.server}:`,
    cacheTimeoutMs: limits.cacheTimeoutMs,
    clock,
    logger,
  })
  return { cache, close: async () => own?.disconnect() }
}

/** An in-process cache of `@smart-whale/core-cache`. */
export async function makeDefaultCache(clock: Clock): Promise<CachingInterface> {
  try {
    const { createL1Cache } = await import('@smart-whale/core-cache')
    const cache = createL1Cache({ ...DEFAULT_CACHE, clock })
    await cache.connect()
    return cache
  } catch (cause) {
    const { code } = cause as { code?: unknown }
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause
    throw new ConfigurationError<ClickHouseErrorCode>(
      'answers are kept by the package @smart-whale/core-cache, which is not installed; add it, hand in a cache of your own, or pass cache: false',
      { code: 'ERR_CLICKHOUSE_MISSING_PEER', cause },
    )
  }
}
