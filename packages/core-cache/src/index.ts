// In memory
export { createL1Cache, L1Cache, type Vitality } from './l1/l1-cache.ts'
export type { L1CacheStats } from './l1/entry-store.ts'
export type { MemoryPressure } from './l1/memory-pressure.ts'
export type { L1CacheOptions } from './l1/l1-options.ts'

// Errors
export type { CacheErrorCode } from './errors.ts'
