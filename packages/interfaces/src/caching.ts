/**
 * A cache of values by key.
 *
 * `get` answers `undefined` for a miss and for nothing else: `null` is a value, and caching `undefined` is a `ValidationError`.
 * Values survive the round trip: Date, bigint, Map, Set and typed arrays come back as what they were.
 * Glob patterns (`*`, `?`, `[ab]`, `\` escapes) mean the same in every implementation.
 */
export interface CachingInterface {
  connect(): Promise<void>
  disconnect(): Promise<void>
  get<T = unknown>(key: string): Promise<T | undefined>
  /** @param ttlSeconds life of the entry; without it, the implementation's default */
  set(key: string, value: unknown, ttlSeconds?: number): Promise<void>
  /** Whether there was something to delete. */
  delete(key: string): Promise<boolean>
  exists(key: string): Promise<boolean>
  /** Seconds left; `null` when the key is absent or never expires. */
  ttl(key: string): Promise<number | null>
  /** Every live key that matches the glob, in no particular order. */
  scanKeys(pattern: string): AsyncIterable<string>
}
