// In memory
export { createL1Cache, L1Cache, type Vitality } from './l1/l1-cache.ts'
export type { CacheSize, L1CacheOptions } from './l1/l1-options.ts'
export type { L1CacheStats } from './l1/entry-store.ts'
export type { MemoryPressure } from './l1/memory-pressure.ts'

// What another size would do
export {
  CacheAnalyzer,
  type CacheAnalyzerOptions,
  createCacheAnalyzer,
  type CurvePoint,
  type HitRateAnalysis,
  type MemoryAnalysis,
  type OptimizeOptions,
  type ResizableCache,
  type SizeSuggestion,
} from './analyzer/cache-analyzer.ts'

// In layers
export { CacheManager, createCacheManager } from './manager/cache-manager.ts'
export type { CacheAnswer } from './manager/cache-answer.ts'
export type { CacheNamespace } from './manager/cache-namespace.ts'
export type { CacheManagerOptions, SmartGetOptions } from './manager/manager-options.ts'
export type { PrefetchOptions } from './manager/prefetcher.ts'
export type { LoadContext, Loader } from './manager/run-loader.ts'
export type { AnswerSource } from './manager/cache-metrics.ts'

// Across restarts
export { createL3Cache, L3Cache, type PersistentSetOptions } from './l3/l3-cache.ts'
export type { L3CacheOptions } from './l3/l3-options.ts'
export { createStorageLayer, StorageLayer, type StorageLayerOptions } from './l3/storage-layer.ts'
export type { StorageDialectName } from './l3/storage-rows.ts'
export type { CleanupReport, PersistentCache, PersistentEntry, PersistentEvent, PersistentListener, PersistentMark } from './l3/persistent-cache.ts'

// How it is used
export { createUsageTracker, type PredictOptions, type UsageForecast, UsageTracker } from './usage/usage-tracker.ts'
export type { UsageTrackerOptions } from './usage/usage-options.ts'
export type { PeriodicKey, Scan, UsageInsights } from './usage/usage-insights.ts'
export type { CountedKey } from './usage/top-keys.ts'

// The port of the layer that processes share
export type {
  ClaimReply,
  ClaimRequest,
  Invalidation,
  RecordedInvalidation,
  RecordReply,
  RegisteredNode,
  Renewal,
  RenewalReply,
  SharedCache,
  SharedListener,
} from './shared/shared-cache.ts'

// Errors
export type { CacheErrorCode } from './errors.ts'
