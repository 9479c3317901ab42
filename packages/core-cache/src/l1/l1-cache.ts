import { type CachingInterface, type Clock, compileGlob } from '@smart-whale/interfaces'
import { requireKey, requireTtl, requireValue } from '../check-entry.ts'
import { copyForCache, copyForReader } from './copy-value.ts'
import { ANYTHING_TO_DO, markOfRead } from './eviction-queues.ts'
import { EntryStore, type L1CacheStats } from './entry-store.ts'
import { type CacheSize, type L1CacheOptions, type L1CacheSettings, requireSize, settingsOf } from './l1-options.ts'
import { PressureFollower, shareOf } from './memory-pressure.ts'

/** How an entry is doing. */
export interface Vitality {
  /** Milliseconds left; `null` when it lives until it is evicted. */
  readonly remainingMs: number | null
  /** Milliseconds since it was set. */
  readonly ageMs: number
  /** How often it was read. */
  readonly hits: number
  /** Whether its life is so far gone that a fresh value should be loaded now (`refreshShare`). */
  readonly dueForRefresh: boolean
}

/**
 * A cache in the memory of this process, bounded by entries and bytes. Who makes room is decided by what serves the traffic best: the cache tries
 * frequency (W-TinyLFU's admission), a quick way out for what isn't asked for again (S3-FIFO) and recency on a small sample, and follows the best.
 *
 * What one holder does to a value, no other sees: a value is copied and frozen when it is set. `fastGet` hands the frozen value
 * itself out when it is plain data, and a copy when it holds what can't be frozen (Date, Map, Set, bytes); `get` always hands
 * out a copy that its holder may change.
 *
 * No timers: an expired entry leaves when it is asked for, or when later writes come by it.
 */
export class L1Cache implements CachingInterface {
  /** All of it is in this process: what `fastGet` doesn't find isn't kept. */
  readonly isInProcess = true
  readonly #settings: L1CacheSettings
  readonly #clock: Clock
  readonly #store: EntryStore
  readonly #pressure: PressureFollower | undefined

  constructor(options: L1CacheOptions = {}) {
    this.#settings = settingsOf(options)
    this.#clock = this.#settings.clock
    this.#store = new EntryStore(this.#settings)
    const { memoryPressure } = this.#settings
    this.#pressure = memoryPressure && new PressureFollower(memoryPressure, this.#clock, (share) => this.#store.useShare(share))
  }

  /** The value, not to be changed; `undefined` for a miss. */
  fastGet<T = unknown>(key: string): T | undefined {
    const { slots } = this.#store
    const slot = slots.slotOf.get(key)
    if (slot === undefined) return this.#store.miss()
    // Plain data that doesn't expire: a look at two arrays is all that it takes. Whoever asks for more pays for it.
    const { marks } = slots.queues
    const mark = marks[slot]!
    if ((mark & ANYTHING_TO_DO) !== 0) return this.#getWithCare(slot) as T | undefined
    marks[slot] = markOfRead(mark)
    this.#store.hits += 1
    return slots.values[slot] as T
  }

  /**
   * Keeps a copy of the value; `false` when it is too large to be kept (an earlier value of the key is gone then, too).
   *
   * @param ttlSeconds life of the entry, above 0; without it `defaultTtlSeconds`
   * @throws ValidationError `ERR_CACHE_KEY`, `ERR_CACHE_VALUE` or `ERR_CACHE_TTL`
   */
  fastSet(key: string, value: unknown, ttlSeconds?: number): boolean {
    requireKey(key)
    requireValue(value)
    requireTtl(ttlSeconds)
    this.#pressure?.catchUp()
    const { value: copy, bytes, frozen } = copyForCache(value)
    return this.#store.put(key, { value: copy, bytes, frozen, lifeMs: ttlSeconds === undefined ? this.#settings.defaultTtlMs : ttlSeconds * 1000 })
  }

  /** How the entry is doing; `undefined` when there is none. Counts neither as a hit nor as a use. */
  checkVitality(key: string): Vitality | undefined {
    const slot = this.#store.liveSlot(key)
    if (slot < 0) return undefined
    const { slots } = this.#store
    const now = this.#clock.monotonic()
    const remainingMs = slots.expiresAtMs[slot]! - now
    const lifeMs = slots.expiresAtMs[slot]! - slots.storedAtMs[slot]!
    const mortal = remainingMs !== Infinity
    return {
      remainingMs: mortal ? remainingMs : null,
      ageMs: now - slots.storedAtMs[slot]!,
      hits: slots.hitsOf(slot),
      dueForRefresh: mortal && remainingMs <= lifeMs * this.#settings.refreshShare,
    }
  }

  /** What it has done and what it holds. */
  getStats(): L1CacheStats {
    return this.#store.stats()
  }

  /** Gives the cache a share of `maxBytes`, from 0.01 to 1; entries leave until they fit. `memoryPressure` does it by itself. */
  useShare(share: number): void {
    this.#store.useShare(shareOf(share))
  }

  /**
   * Gives the cache other bounds; entries leave until they fit. What `memoryPressure` takes, it takes of these.
   *
   * @throws ConfigurationError `ERR_CACHE_CONFIGURATION`
   */
  resize({ maxEntries, maxBytes }: CacheSize): void {
    requireSize({ maxEntries, maxBytes })
    this.#store.resize(maxEntries, maxBytes)
  }

  /** Forgets every entry; the statistics go on. */
  clear(): void {
    this.#store.clear()
  }

  /** Nothing to do: the cache is there from the start. */
  async connect(): Promise<void> {}

  /** Forgets every entry, and follows the memory pressure no longer. */
  async disconnect(): Promise<void> {
    this.#pressure?.stop()
    this.clear()
  }

  async get<T = unknown>(key: string): Promise<T | undefined> {
    return copyForReader(this.fastGet(key)) as T | undefined
  }

  async set(key: string, value: unknown, ttlSeconds?: number): Promise<void> {
    this.fastSet(key, value, ttlSeconds)
  }

  async delete(key: string): Promise<boolean> {
    return this.#store.delete(key)
  }

  async exists(key: string): Promise<boolean> {
    return this.#store.liveSlot(key) >= 0
  }

  async ttl(key: string): Promise<number | null> {
    const remainingMs = this.checkVitality(key)?.remainingMs ?? null
    return remainingMs === null ? null : remainingMs / 1000
  }

  async *scanKeys(pattern: string): AsyncIterable<string> {
    const matches = compileGlob(pattern)
    for (const key of this.#store.keys()) if (matches(key) && this.#store.liveSlot(key) >= 0) yield key
  }

  /** A read of what expires, is watched, or has to be copied. */
  #getWithCare(slot: number): unknown {
    const { slots } = this.#store
    if (!this.#store.readSlot(slot)) return undefined
    const value = slots.values[slot]
    return slots.isCopied(slot) ? copyForReader(value) : value
  }
}

/** A cache in the memory of this process. */
export function createL1Cache(options?: L1CacheOptions): L1Cache {
  return new L1Cache(options)
}
