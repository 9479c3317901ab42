import { type Clock, type Logger, type MetricsSink, silentLogger, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { optionError } from '../errors.ts'
import type { PersistentCache, PersistentListener } from './persistent-cache.ts'

/** What an `L3Cache` is made of. */
export interface L3CacheOptions {
  /** Where the entries are: `createFileLayer(…)` of `@smart-whale/core-cache/sqlite`, or `createStorageLayer(…)`. @default none: required */
  layer: PersistentCache
  /** Life of an entry that is set without one; `null` for until it is evicted. @default 86_400 */
  defaultTtlSeconds?: number | null | undefined
  /** How long a request may take. Removals by pattern, tag or of everything, lists and cleaning may take sixty times as long. @default 1_000 */
  timeoutMs?: number | undefined
  /** How long opening may take: after a crash it may have to be made good. @default 10_000 */
  openTimeoutMs?: number | undefined
  /** How often it is cleaned by itself, when something is written. @default 300 */
  cleanupEverySeconds?: number | undefined
  /** Told when a layer was rebuilt, an entry was damaged, or a thread was lost. @default nobody */
  onEvent?: PersistentListener | undefined
  /** Where failures and events are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Told of events. @default silentLogger */
  logger?: Logger | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** The options with every default filled in. */
export type L3CacheSettings = ReturnType<typeof l3Settings>

/** @throws ConfigurationError naming the option that is wrong */
export function l3Settings(options: L3CacheOptions) {
  const { layer, defaultTtlSeconds = 86_400, timeoutMs = 1_000, openTimeoutMs = 10_000, cleanupEverySeconds = 300 } = options
  if (typeof layer !== 'object' || layer === null) throw optionError('layer', layer, 'a layer: createFileLayer(…) or createStorageLayer(…)')
  if (defaultTtlSeconds !== null && !(defaultTtlSeconds > 0)) throw optionError('defaultTtlSeconds', defaultTtlSeconds, 'a number of seconds above 0, or null')
  if (!(cleanupEverySeconds > 0)) throw optionError('cleanupEverySeconds', cleanupEverySeconds, 'a number of seconds above 0')
  for (const [name, value] of Object.entries({ timeoutMs, openTimeoutMs })) if (!(value >= 1 && value < 2 ** 31)) throw optionError(name, value, 'a number of milliseconds, 1 or more')
  return {
    defaultTtlSeconds, timeoutMs, openTimeoutMs,
    cleanupEveryMs: cleanupEverySeconds * 1000,
    onEvent: options.onEvent ?? (() => {}),
    metrics: options.metrics ?? silentMetrics,
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
  }
}
