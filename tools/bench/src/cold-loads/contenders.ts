import { createCacheManager } from '@smart-whale/core-cache'
import { createRedisLayer } from '@smart-whale/core-cache/redis'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'

/** A cache of memory and Redis that loads what it doesn't have. */
export interface ReadThrough {
  get(key: string, load: () => Promise<unknown>): Promise<unknown>
  close(): Promise<void>
}

/** How long a value is fresh. */
export const FRESH_SECONDS = 1

export const CONTENDERS: Readonly<Record<string, (port: number, prefix: string) => Promise<ReadThrough>>> = { 'CacheManager.smartGet': ours, 'bentocache getOrSet': bento }

async function ours(port: number, prefix: string): Promise<ReadThrough> {
  const cache = createCacheManager({ shared: createRedisLayer({ url: `redis://127.0.0.1:${port}`, prefix }), ttlSeconds: FRESH_SECONDS, refreshShare: 0, sharedTimeoutMs: 5_000 })
  await cache.connect()
  return { get: (key, load) => cache.smartGet(key, load), close: () => cache.disconnect() }
}

async function bento(port: number, prefix: string): Promise<ReadThrough> {
  const connection = { host: '127.0.0.1', port }
  const layers = bentostore().useL1Layer(memoryDriver({ maxItems: 10_000 })).useL2Layer(redisDriver({ connection })).useBus(redisBusDriver({ connection }))
  const cache = new BentoCache({ default: 'both', stores: { both: layers }, prefix, ttl: `${FRESH_SECONDS}s` })
  return { get: (key, factory) => cache.getOrSet({ key, factory }), close: () => cache.disconnectAll() }
}
