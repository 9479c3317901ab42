import { outsideOfCalls, withDeadline } from '@smart-whale/core-resilience'
import { type CachingInterface, type Clock, compileGlob, type Logger } from '@smart-whale/interfaces'
import { requireKey, requireTtl, requireValue } from '../check-entry.ts'
import { openValue, sealValue } from '../codec/value-payload.ts'
import { persistentError } from '../errors.ts'
import type { Invalidation } from '../shared/shared-cache.ts'
import { type L3CacheOptions, type L3CacheSettings, l3Settings } from './l3-options.ts'
import { type PersistentMetrics, persistentMetrics } from './persistent-metrics.ts'
import { type CleanupReport, NO_MARK, type PersistentCache, type PersistentEvent } from './persistent-cache.ts'

/** Keys that are asked for at a time. */
const KEYS_AT_ONCE = 500
/** A removal by pattern looks at every key. */
const LONG_TIMES = 60
/** The longest that a timer waits. */
const LONGEST_MS = 2 ** 31 - 1

/** What one value may have otherwise. */
export interface PersistentSetOptions {
  /** Life of the entry, above 0. @default the cache's */
  ttlSeconds?: number | undefined
  /** Tags to invalidate it by. @default none */
  tags?: readonly string[] | undefined
}

/**
 * A cache that survives a restart, alone behind the caching contract: every call goes to its layer (a file, a store), and an error there is the caller's. An
 * invalidation that resolved holds, whatever happens afterwards. For layers that cover for each other see `CacheManager`.
 */
export class L3Cache implements CachingInterface {
  readonly #layer: PersistentCache
  readonly #settings: L3CacheSettings
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #metrics: PersistentMetrics
  #opening: Promise<unknown> | undefined
  #isConnected = false
  #cleanedAtMs: number

  constructor(options: L3CacheOptions) {
    this.#settings = l3Settings(options)
    this.#layer = options.layer
    this.#clock = this.#settings.clock
    this.#logger = this.#settings.logger
    this.#metrics = persistentMetrics(this.#settings.metrics)
    this.#cleanedAtMs = this.#clock.monotonic()
  }

  /** Opens the layer. @throws ConnectionError `ERR_CACHE_PERSISTENT` when it can't be, for instance because another process has the file */
  async connect(): Promise<void> {
    this.#isConnected = true
    await this.#open()
  }

  /** Stores what is still to be stored; leaves no thread and no timer. */
  async disconnect(): Promise<void> {
    this.#isConnected = false
    this.#opening = undefined
    await this.#layer.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect()
  }

  /** What is there for the key; `undefined` for a miss, and for what nobody of ours wrote. */
  async persistentGet<T = unknown>(key: string): Promise<T | undefined> {
    requireKey(key)
    const entry = await this.#ask('read', () => this.#layer.read(key))
    const opened = entry && openValue(entry.payload)
    if (entry !== undefined && opened === undefined) this.#metrics.countEvent('foreign')
    return opened?.value as T | undefined
  }

  /** Keeps the value; `false` when it is larger than all that may be kept. */
  async persistentSet(key: string, value: unknown, { ttlSeconds, tags = [] }: PersistentSetOptions = {}): Promise<boolean> {
    requireKey(key)
    requireValue(value)
    requireTtl(ttlSeconds)
    for (const tag of tags) requireKey(tag)
    const seconds = ttlSeconds ?? this.#settings.defaultTtlSeconds
    const expiresAtMs = seconds === null || seconds === Infinity ? null : Math.ceil(this.#clock.now() + seconds * 1000)
    const entry = { payload: sealValue(value), expiresAtMs, tags }
    const isKept = await this.#ask('write', () => this.#layer.write(key, entry, NO_MARK))
    this.#cleanNowAndThen()
    return isKept
  }

  /** Removes what has expired and makes room; it happens by itself every `cleanupEverySeconds`, when something is written. */
  cleanup(): Promise<CleanupReport> {
    this.#cleanedAtMs = this.#clock.monotonic()
    return this.#ask('clean up', () => this.#layer.cleanup(), LONG_TIMES)
  }

  get<T = unknown>(key: string): Promise<T | undefined> {
    return this.persistentGet<T>(key)
  }

  async set(key: string, value: unknown, ttlSeconds?: number): Promise<void> {
    await this.persistentSet(key, value, { ttlSeconds })
  }

  async delete(key: string): Promise<boolean> {
    requireKey(key)
    return (await this.#remove({ keys: [key] })) === 1
  }

  async exists(key: string): Promise<boolean> {
    requireKey(key)
    return (await this.#ask('look', () => this.#layer.read(key))) !== undefined
  }

  async ttl(key: string): Promise<number | null> {
    requireKey(key)
    const entry = await this.#ask('look', () => this.#layer.read(key))
    return typeof entry?.expiresAtMs === 'number' ? Math.max(0, entry.expiresAtMs - this.#clock.now()) / 1000 : null
  }

  async *scanKeys(pattern: string): AsyncIterable<string> {
    const matches = compileGlob(pattern)
    let after: string | undefined
    for (;;) {
      const from = after
      const keys = await this.#ask('list', () => this.#layer.keysAfter(from, KEYS_AT_ONCE), LONG_TIMES)
      for (const key of keys) if (matches(key)) yield key
      if (keys.length === 0) return
      after = keys.at(-1)
    }
  }

  /** Resolves when the entry is gone for good. */
  invalidate(key: string): Promise<void> {
    return this.batchInvalidate([key])
  }

  /** The same for many keys. */
  async batchInvalidate(keys: readonly string[]): Promise<void> {
    for (const key of keys) requireKey(key)
    if (keys.length > 0) await this.#remove({ keys })
  }

  /** The same for all keys that match a glob; it looks at each. */
  async patternInvalidate(pattern: string): Promise<void> {
    compileGlob(pattern)
    await this.#remove({ patterns: [pattern] })
  }

  /** The same for all entries with one of the tags, however many there are. */
  async invalidateTags(tags: readonly string[]): Promise<void> {
    for (const tag of tags) requireKey(tag)
    if (tags.length > 0) await this.#remove({ tags })
  }

  /** The same for everything. */
  async clear(): Promise<void> {
    await this.#remove({ all: true })
  }

  #remove(invalidation: Invalidation): Promise<number> {
    return this.#ask('remove', () => this.#layer.remove(invalidation, NO_MARK), invalidation.keys === undefined ? LONG_TIMES : 1)
  }

  async #ask<R>(what: string, request: () => Promise<R>, times = 1): Promise<R> {
    const { timeoutMs } = this.#settings
    if (!this.#isConnected) throw persistentError(`${what} before it is connected`, undefined)
    await this.#open()
    try {
      return await withDeadline(request, { timeoutMs: Math.min(LONGEST_MS, timeoutMs * times), what: `the persistent layer's answer to ${what}`, clock: this.#clock })
    } catch (error) {
      this.#metrics.countFailure(what)
      // Whether it works at all is asked before the next request.
      this.#opening = undefined
      throw asPersistentError(what, error)
    }
  }

  #open(): Promise<unknown> {
    // All who ask wait for it together: it belongs to none of their calls.
    this.#opening ??= outsideOfCalls(() => this.#openLayer())
    return this.#opening
  }

  async #openLayer(): Promise<unknown> {
    try {
      return await withDeadline(() => this.#layer.open((event) => this.#hear(event)), { timeoutMs: this.#settings.openTimeoutMs, what: 'opening the persistent layer', clock: this.#clock })
    } catch (error) {
      this.#opening = undefined
      throw asPersistentError('be opened', error)
    }
  }

  #hear(event: PersistentEvent): void {
    this.#metrics.countEvent(event.kind)
    this.#logger.warn({ event }, 'the persistent layer of the cache has changed by itself')
    this.#settings.onEvent(event)
  }

  #cleanNowAndThen(): void {
    if (this.#clock.monotonic() - this.#cleanedAtMs < this.#settings.cleanupEveryMs) return
    outsideOfCalls(() => this.cleanup()).catch(() => {})
  }
}

/** The layer's own word, or what else went wrong with it. */
const asPersistentError = (what: string, error: unknown): unknown => (['ERR_CACHE_PERSISTENT', 'ERR_CACHE_SQLITE_MISSING'].includes((error as { code?: string }).code ?? '') ? error : persistentError(what, error))

/** A cache that survives a restart. */
export function createL3Cache(options: L3CacheOptions): L3Cache {
  return new L3Cache(options)
}
