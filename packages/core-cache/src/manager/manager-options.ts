import { type Clock, type Logger, type MetricsSink, silentLogger, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { optionError } from '../errors.ts'
import type { CacheAnalyzerOptions } from '../analyzer/cache-analyzer.ts'
import { requireSize } from '../l1/l1-options.ts'
import type { MemoryPressure } from '../l1/memory-pressure.ts'
import type { PersistentCache, PersistentListener } from '../l3/persistent-cache.ts'
import type { SharedCache } from '../shared/shared-cache.ts'
import type { UsageTracker } from '../usage/usage-tracker.ts'
import type { Places } from './place-value.ts'
import type { PrefetchOptions } from './prefetcher.ts'

/** What a {@link CacheManager} is made of. */
export interface CacheManagerOptions {
  /** The layer that processes share: `createRedisLayer(…)`. @default none: memory alone */
  shared?: SharedCache | undefined
  /** The layer of this node that survives its restart: `createFileLayer(…)` of `@smart-whale/core-cache/sqlite`, `createStorageLayer(…)`. @default none */
  persistent?: PersistentCache | undefined
  /** Entries that memory holds at most. @default 10_000 */
  maxEntries?: number | undefined
  /** Memory that they may take, as estimated. @default 67_108_864 (64 MiB) */
  maxBytes?: number | undefined
  /** How long a value is fresh. @default 60 */
  ttlSeconds?: number | undefined
  /** How long after that it still serves at once, while it is loaded anew. @default 0 */
  staleWhileRevalidateSeconds?: number | undefined
  /** How long after `ttlSeconds` it serves when the loader fails. @default 0 */
  staleIfErrorSeconds?: number | undefined
  /** How long it is remembered that the loader found nothing (`undefined`); 0 for not at all. @default 0 */
  negativeTtlSeconds?: number | undefined
  /** Last part of its fresh life in which a value that is read is loaded anew before it runs out; each entry at a random moment of it. 0 for never. @default 0.2 */
  refreshShare?: number | undefined
  /** Pause before a value that was kept because its loader failed is loaded again. @default 1 */
  retryAfterFailureSeconds?: number | undefined
  /** How long a loader may take. @default 30_000 */
  loadTimeoutMs?: number | undefined
  /** How long loads under way may take when the cache is closed; then they are ended with `ERR_ABORTED`. @default 1_000 */
  closeTimeoutMs?: number | undefined
  /** How long a load in another process is waited for; then this one loads by itself. @default 10_000 */
  waitTimeoutMs?: number | undefined
  /** How long the shared layer may take to answer. The first request that takes longer closes it until it answers again. @default 100 */
  sharedTimeoutMs?: number | undefined
  /** Largest value, as text, that the shared layer gets; a larger one is loaded once a node. @default 1_048_576 (1 MiB) */
  sharedMaxBytes?: number | undefined
  /** How long the persistent layer may take to answer. The first request that takes longer closes it until it answers again. @default 50 */
  persistentTimeoutMs?: number | undefined
  /** How long the persistent layer may take to open; the first read waits for it. One that takes longer begins empty. @default 1_000 */
  persistentOpenTimeoutMs?: number | undefined
  /** A load that took at least this long is kept in the persistent layer. @default 5 */
  persistentMinLoadMs?: number | undefined
  /** Who is told of each read, to find out how the cache is used: `createUsageTracker()`. @default that of `prefetch`, or nobody */
  usage?: UsageTracker | undefined
  /** Has what is foreseen loaded before it is asked for. @default not at all */
  prefetch?: PrefetchOptions | undefined
  /** Told when the persistent layer was rebuilt, an entry in it was damaged, or its thread was lost. @default nobody */
  onPersistentEvent?: PersistentListener | undefined
  /** Has the traffic watched, to tell what another size would do, as `cache.analyzer`; `{}` for a sample of the usual size. @default not at all */
  analyzer?: Omit<CacheAnalyzerOptions, 'cache'> | undefined
  /** How long an invalidation may take until all nodes have confirmed it. @default 5_000 */
  invalidationTimeoutMs?: number | undefined
  /** How long a node that lost the shared layer goes on answering from memory. Above 0 it may answer with what others have invalidated meanwhile. @default 0 */
  unlinkedStaleSeconds?: number | undefined
  /** Who lowers and raises the memory that it may take. @default nobody */
  memoryPressure?: MemoryPressure | undefined
  /** Where hits, loads and failures are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Told what goes wrong behind the callers' backs. @default silentLogger */
  logger?: Logger | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** What one call may have otherwise. */
export interface SmartGetOptions<T = unknown> {
  /** How long the value is fresh. @default the manager's */
  ttlSeconds?: number | undefined
  /** How long after that it still serves at once, while it is loaded anew. @default the manager's */
  staleWhileRevalidateSeconds?: number | undefined
  /** How long after `ttlSeconds` it serves when the loader fails. @default the manager's */
  staleIfErrorSeconds?: number | undefined
  /** How long it is remembered that there is nothing. @default the manager's */
  negativeTtlSeconds?: number | undefined
  /** Tags to invalidate it by; known beforehand, or found from the value. @default none */
  tags?: readonly string[] | ((value: T) => readonly string[]) | undefined
  /** What it costs to load it, in milliseconds: what is dear is kept where it survives. @default what the load took */
  loadCostMs?: number | undefined
  /** Ends this caller's wait; the load goes on for the others. @default never aborted */
  signal?: AbortSignal | undefined
}

/** A {@link CacheManagerOptions} in milliseconds, with every default filled in. */
export type ManagerSettings = ReturnType<typeof managerSettings>

/** How one read goes. */
export interface ReadSettings {
  /** How long a value is fresh, in milliseconds. @default see {@link CacheManagerOptions} */
  readonly freshMs: number
  /** How long after that it serves while it is loaded anew, in milliseconds. @default see {@link CacheManagerOptions} */
  readonly revalidateMs: number
  /** How long after it was fresh it serves when the loader fails, in milliseconds. @default see {@link CacheManagerOptions} */
  readonly ifErrorMs: number
  /** How long it is remembered that there is nothing, in milliseconds. @default see {@link CacheManagerOptions} */
  readonly negativeMs: number
  /** Tags to invalidate it by. @default none */
  readonly tags: SmartGetOptions['tags']
  /** What it costs to load it, in milliseconds. @default what the load took */
  readonly loadCostMs: number | undefined
}

/** @throws ConfigurationError naming the option that is wrong */
export function managerSettings(options: CacheManagerOptions) {
  const { maxEntries = 10_000, maxBytes = 67_108_864, refreshShare = 0.2, loadTimeoutMs = 30_000, waitTimeoutMs = 10_000, sharedTimeoutMs = 100, invalidationTimeoutMs = 5_000 } = options
  const { sharedMaxBytes = 1_048_576, persistentTimeoutMs = 50, persistentOpenTimeoutMs = 1_000, persistentMinLoadMs = 5, closeTimeoutMs = 1_000 } = options
  requireSize({ maxEntries, maxBytes })
  if (!(refreshShare >= 0 && refreshShare <= 1)) throw optionError('refreshShare', refreshShare, 'a share from 0 to 1')
  for (const [name, value] of Object.entries({ loadTimeoutMs, waitTimeoutMs, sharedTimeoutMs, invalidationTimeoutMs, persistentTimeoutMs, persistentOpenTimeoutMs, closeTimeoutMs })) {
    if (!(value >= 1 && value < 2 ** 31)) throw optionError(name, value, 'a number of milliseconds, 1 or more')
  }
  if (!(sharedMaxBytes >= 1)) throw optionError('sharedMaxBytes', sharedMaxBytes, 'a number of bytes above 0')
  if (!(persistentMinLoadMs >= 0)) throw optionError('persistentMinLoadMs', persistentMinLoadMs, 'a number of milliseconds, 0 or more')
  return {
    maxEntries, maxBytes, refreshShare, loadTimeoutMs, waitTimeoutMs, sharedTimeoutMs, invalidationTimeoutMs, persistentTimeoutMs, persistentOpenTimeoutMs, closeTimeoutMs,
    places: { sharedMaxBytes: options.shared === undefined ? 0 : sharedMaxBytes, persistentMinLoadMs: options.persistent === undefined ? Infinity : persistentMinLoadMs } satisfies Places,
    onPersistentEvent: options.onPersistentEvent ?? (() => {}),
    retryAfterFailureMs: millisecondsOf('retryAfterFailureSeconds', options.retryAfterFailureSeconds ?? 1),
    unlinkedStaleMs: millisecondsOf('unlinkedStaleSeconds', options.unlinkedStaleSeconds ?? 0),
    read: settingsOver(options, undefined),
    memoryPressure: options.memoryPressure,
    analyzer: options.analyzer,
    usage: options.usage ?? options.prefetch?.usage,
    prefetch: options.prefetch && checkPrefetch(options.prefetch),
    metrics: options.metrics ?? silentMetrics,
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
  }
}

function checkPrefetch(options: PrefetchOptions): PrefetchOptions {
  const { usage, loadsPerMinute = 60, horizonSeconds = 60, maxErrorShare = 0.5, maxLoaders = 1_000 } = options
  if (typeof usage?.predictUsage !== 'function') throw optionError('prefetch.usage', usage, 'a tracker: createUsageTracker()')
  for (const [name, value] of Object.entries({ loadsPerMinute, horizonSeconds, maxErrorShare, maxLoaders })) if (!(value > 0 && value < 2 ** 31)) throw optionError(`prefetch.${name}`, value, 'a number above 0')
  return options
}

/** Options over settings. @throws ConfigurationError naming the option that is wrong */
export function readSettings(options: SmartGetOptions<never> | undefined, otherwise: ReadSettings): ReadSettings {
  return options === undefined ? otherwise : settingsOver(options, otherwise)
}

/** @throws ConfigurationError naming the option that is wrong */
function settingsOver(options: SmartGetOptions<never>, otherwise: ReadSettings | undefined): ReadSettings {
  const { ttlSeconds, staleWhileRevalidateSeconds, staleIfErrorSeconds, negativeTtlSeconds, tags, loadCostMs } = options
  if (ttlSeconds !== undefined && !(ttlSeconds > 0)) throw optionError('ttlSeconds', ttlSeconds, 'a number of seconds above 0')
  if (loadCostMs !== undefined && !(loadCostMs >= 0 && loadCostMs < Infinity)) throw optionError('loadCostMs', loadCostMs, 'a number of milliseconds, 0 or more')
  const pick = (name: string, seconds: number | undefined, inherited: number): number => (seconds === undefined ? inherited : millisecondsOf(name, seconds))
  return {
    freshMs: pick('ttlSeconds', ttlSeconds, otherwise?.freshMs ?? 60_000),
    revalidateMs: pick('staleWhileRevalidateSeconds', staleWhileRevalidateSeconds, otherwise?.revalidateMs ?? 0),
    ifErrorMs: pick('staleIfErrorSeconds', staleIfErrorSeconds, otherwise?.ifErrorMs ?? 0),
    negativeMs: pick('negativeTtlSeconds', negativeTtlSeconds, otherwise?.negativeMs ?? 0),
    tags: tags as SmartGetOptions['tags'],
    loadCostMs,
  }
}

function millisecondsOf(option: string, seconds: number): number {
  if (!(typeof seconds === 'number' && seconds >= 0)) throw optionError(option, seconds, 'a number of seconds, 0 or more')
  return seconds * 1000
}
