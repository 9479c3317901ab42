// The layer that processes share
export { createRedisLayer, type RedisLayerOptions } from './redis-layer.ts'
export type { RedisAddress, RedisConfig } from './redis-config.ts'

// Entries spread over several servers
export { type CacheDistributionConfig, createCacheDistribution } from './create-distribution.ts'
export type { CacheDistribution, RebalanceOptions } from '../distribution/distributed-cache.ts'
export type { RebalanceReport } from '../distribution/move-entries.ts'

// Redis alone, behind the caching contract
export { CacheService, type CacheLock, type CacheServiceOptions, createCacheService } from './cache-service.ts'

// The same with the memory of every node in step
export { createL2Cache, L2Cache, type L2CacheOptions } from './l2-cache.ts'
