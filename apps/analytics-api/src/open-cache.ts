import type { Closers } from '@smart-whale/app-process'
import { createSharedQuotaStore, type QuotaStore } from '@smart-whale/clickhouse'
import { createL1Cache } from '@smart-whale/core-cache'
import { type CacheService, createCacheService, createL2Cache } from '@smart-whale/core-cache/redis'
import type { CachingInterface, HealthProbe, Logger, MetricsSink } from '@smart-whale/interfaces'
import type { AnalyticsApiConfig } from './config.ts'

const MEMORY = { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 }
const PROBED = 'smart-whale:is-there'

/** Where answers are kept, and what tenants have spent is counted. */
export interface OpenCache {
  readonly cache: CachingInterface
  /** Undefined where this process counts alone. */
  readonly quotaStore: QuotaStore | undefined
  /** What is looked at besides the stores. */
  readonly probes: readonly HealthProbe[]
}

/** In the memory of this process; with `REDIS_URL`, on Redis for all replicas, and in their memories in step with it. */
export async function openCache(config: Pick<AnalyticsApiConfig, 'redis'>, closers: Closers, { logger, metrics }: { logger: Logger; metrics: MetricsSink }): Promise<OpenCache> {
  const memory = createL1Cache(MEMORY)
  if (config.redis === null) return { cache: memory, quotaStore: undefined, probes: [] }
  const cache = createL2Cache(config.redis, { l1: memory, logger, metrics })
  // What others have spent is not to be read from a memory.
  const spendings = createCacheService(config.redis, { logger })
  for (const each of [cache, spendings]) {
    closers.add('Redis', () => each.disconnect())
    await dial(each, logger)
  }
  return { cache, quotaStore: createSharedQuotaStore({ cache: spendings, logger }), probes: [probeOf(spendings)] }
}

/** Answers don't wait for a cache, and so the start doesn't either: it is dialled on and on. */
async function dial(cache: CacheService, logger: Logger): Promise<void> {
  await cache.connect().catch((error: unknown) => logger.warn({ err: error }, 'Redis does not answer: answers and quotas are those of this process alone until it does'))
}

/** Not critical: without it, each replica keeps answers and counts quotas by itself. */
function probeOf(cache: CacheService): HealthProbe {
  const check: HealthProbe['check'] = async () => {
    await cache.exists(PROBED)
    return { status: 'up' }
  }
  return { name: 'Redis', critical: false, check }
}
