// Caches
export { createL1Cache, L1Cache, type L1CacheStats, type Vitality } from './l1-cache.ts'
export type { L1CacheOptions } from './options.ts'

// Errors
export type { CacheErrorCode } from './errors.ts'
