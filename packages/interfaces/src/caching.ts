/**
 * A cache of values by key.
 *
 * `get` answers `undefined` for a miss and for nothing else: `null` is a value, and caching `undefined` is a `ValidationError`.
 * Values survive the round trip: Date, bigint, Map, Set and typed arrays come back as what they were. What can't be copied
 * (a function, a symbol, an object that holds one) is a `ValidationError`. A value that was put in or taken out may be
 * changed by its holder; the cache doesn't notice.
 * Glob patterns (`*`, `?`, `[ab]`, `\` escapes) mean the same in every implementation: see `compileGlob`.
 */
export interface CachingInterface {
  connect(): Promise<void>
  disconnect(): Promise<void>
  get<T = unknown>(key: string): Promise<T | undefined>
  /** @param ttlSeconds life of the entry, above 0; without it, the implementation's default, whatever life the key had before */
  set(key: string, value: unknown, ttlSeconds?: number): Promise<void>
  /** Whether there was something to delete. */
  delete(key: string): Promise<boolean>
  exists(key: string): Promise<boolean>
  /** Seconds left; `null` when the key is absent or never expires. */
  ttl(key: string): Promise<number | null>
  /** Every live key that matches the glob, once each, in no particular order. */
  scanKeys(pattern: string): AsyncIterable<string>
}
