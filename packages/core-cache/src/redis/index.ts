// The layer that processes share
export { createRedisLayer, type RedisLayerOptions } from './redis-layer.ts'
export type { RedisAddress, RedisConfig } from './redis-config.ts'

// Redis alone, behind the caching contract
export { CacheService, type CacheLock, type CacheServiceOptions, createCacheService } from './cache-service.ts'
