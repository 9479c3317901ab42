import { type CachingInterface, type Clock, compileGlob } from '@smart-whale/interfaces'
import { bytesOfText, copyForCache, copyForReader, type ValueCopy } from './copy-value.ts'
import { keyError, ttlError, valueError } from './errors.ts'
import { type L1CacheOptions, type L1CacheSettings, settingsOf } from './options.ts'
import { SieveSlots } from './sieve-slots.ts'

/** What an entry costs besides its key and value: a Map entry and one element of each array. */
const ENTRY_BYTES = 120
/** Slots that each write looks at for expired entries: what is never read again leaves within maxEntries ÷ 2 writes. */
const SWEPT_A_WRITE = 2

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

/** What a cache has done since it was made, and what it holds. */
export interface L1CacheStats {
  readonly hits: number
  readonly misses: number
  /** Entries that had to make room. */
  readonly evictions: number
  /** Entries whose time was over. */
  readonly expirations: number
  /** Values that were too large to be kept. */
  readonly rejections: number
  /** Entries that are held; some may have expired and not been noticed yet. */
  readonly entries: number
  /** Estimated memory of these entries. */
  readonly bytes: number
}

/**
 * A cache in the memory of this process, bounded by entries and bytes, with SIEVE eviction.
 *
 * What one holder does to a value, no other sees: a value is copied and frozen when it is set. `fastGet` hands the frozen value
 * itself out when it is plain data, and a copy when it holds what can't be frozen (Date, Map, Set, bytes); `get` always hands
 * out a copy that its holder may change.
 *
 * No timers: an expired entry leaves when it is asked for, or when later writes come by it.
 */
export class L1Cache implements CachingInterface {
  readonly #settings: L1CacheSettings
  readonly #clock: Clock
  readonly #slots = new SieveSlots()
  #bytes = 0
  #hits = 0
  #misses = 0
  #evictions = 0
  #expirations = 0
  #rejections = 0
  #sweptUpTo = 0

  constructor(options: L1CacheOptions = {}) {
    this.#settings = settingsOf(options)
    this.#clock = this.#settings.clock
  }

  /** The value, not to be changed; `undefined` for a miss. */
  fastGet<T = unknown>(key: string): T | undefined {
    const slot = this.#read(key)
    if (slot < 0) return undefined
    const value = this.#slots.values[slot]
    return (this.#slots.isFrozen(slot) ? value : copyForReader(value)) as T
  }

  /**
   * Keeps a copy of the value; `false` when it is too large to be kept (an earlier value of the key is gone then, too).
   *
   * @param ttlSeconds life of the entry, above 0; without it `defaultTtlSeconds`
   * @throws ValidationError `ERR_CACHE_KEY`, `ERR_CACHE_VALUE` or `ERR_CACHE_TTL`
   */
  fastSet(key: string, value: unknown, ttlSeconds?: number): boolean {
    if (typeof key !== 'string') throw keyError(key)
    if (value === undefined) throw valueError([], 'undefined')
    if (ttlSeconds !== undefined && !(typeof ttlSeconds === 'number' && ttlSeconds > 0)) throw ttlError(ttlSeconds)
    const copy = copyForCache(value)
    const bytes = copy.bytes + bytesOfText(key) + ENTRY_BYTES
    const now = this.#clock.monotonic()
    this.#sweep(now)

    const known = this.#slots.slotOf.get(key)
    if (known !== undefined && this.#bytes - this.#slots.bytes[known]! + bytes <= this.#settings.maxBytes) {
      this.#bytes -= this.#slots.bytes[known]!
      this.#fill(known, copy, bytes, now, ttlSeconds, true)
      return true
    }
    if (known !== undefined) this.#remove(known)
    if (!this.#makeRoom(bytes)) return false
    this.#fill(this.#slots.add(key), copy, bytes, now, ttlSeconds, false)
    return true
  }

  /** How the entry is doing; `undefined` when there is none. Counts neither as a hit nor as a use. */
  checkVitality(key: string): Vitality | undefined {
    const slot = this.#liveSlot(key)
    if (slot < 0) return undefined
    const { expiresAtMs, storedAtMs } = this.#slots
    const now = this.#clock.monotonic()
    const remainingMs = expiresAtMs[slot]! - now
    const lifeMs = expiresAtMs[slot]! - storedAtMs[slot]!
    const mortal = remainingMs !== Infinity
    return {
      remainingMs: mortal ? remainingMs : null,
      ageMs: now - storedAtMs[slot]!,
      hits: this.#slots.hitsOf(slot),
      dueForRefresh: mortal && remainingMs <= lifeMs * this.#settings.refreshShare,
    }
  }

  /** What it has done and what it holds. */
  getStats(): L1CacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      expirations: this.#expirations,
      rejections: this.#rejections,
      entries: this.#slots.slotOf.size,
      bytes: this.#bytes,
    }
  }

  /** Forgets every entry; the statistics go on. */
  clear(): void {
    this.#slots.clear()
    this.#bytes = 0
    this.#sweptUpTo = 0
  }

  /** Nothing to do: the cache is there from the start. */
  async connect(): Promise<void> {}

  /** Forgets every entry. */
  async disconnect(): Promise<void> {
    this.clear()
  }

  async get<T = unknown>(key: string): Promise<T | undefined> {
    const slot = this.#read(key)
    return slot < 0 ? undefined : (copyForReader(this.#slots.values[slot]) as T)
  }

  async set(key: string, value: unknown, ttlSeconds?: number): Promise<void> {
    this.fastSet(key, value, ttlSeconds)
  }

  async delete(key: string): Promise<boolean> {
    const slot = this.#liveSlot(key)
    if (slot < 0) return false
    this.#remove(slot)
    return true
  }

  async exists(key: string): Promise<boolean> {
    return this.#liveSlot(key) >= 0
  }

  async ttl(key: string): Promise<number | null> {
    const remainingMs = this.checkVitality(key)?.remainingMs ?? null
    return remainingMs === null ? null : remainingMs / 1000
  }

  async *scanKeys(pattern: string): AsyncIterable<string> {
    const matches = compileGlob(pattern)
    // A list of its own: who scans may set and delete as it goes.
    for (const key of [...this.#slots.slotOf.keys()]) if (matches(key) && this.#liveSlot(key) >= 0) yield key
  }

  /** The slot of a key that is asked for, or −1; a hit or a miss. */
  #read(key: string): number {
    const slot = this.#liveSlot(key)
    if (slot < 0) {
      this.#misses += 1
    } else {
      this.#hits += 1
      this.#slots.touch(slot)
    }
    return slot
  }

  /** The slot of a key that has not expired, or −1. Time is asked for only where it matters. */
  #liveSlot(key: string): number {
    const slot = this.#slots.slotOf.get(key)
    if (slot === undefined) return -1
    const expiresAtMs = this.#slots.expiresAtMs[slot]!
    if (expiresAtMs === Infinity || expiresAtMs > this.#clock.monotonic()) return slot
    this.#expire(slot)
    return -1
  }

  /** Evicts until one more entry of that size fits; `false` when it never would. */
  #makeRoom(bytes: number): boolean {
    const { maxBytes, maxEntries } = this.#settings
    if (bytes > maxBytes) {
      this.#rejections += 1
      return false
    }
    while (this.#slots.slotOf.size >= maxEntries || this.#bytes + bytes > maxBytes) {
      this.#remove(this.#slots.chooseVictim())
      this.#evictions += 1
    }
    return true
  }

  #fill(slot: number, copy: ValueCopy, bytes: number, now: number, ttlSeconds: number | undefined, replaces: boolean): void {
    const slots = this.#slots
    slots.fill(slot, copy.value, copy.frozen, replaces)
    slots.bytes[slot] = bytes
    slots.storedAtMs[slot] = now
    slots.expiresAtMs[slot] = now + (ttlSeconds === undefined ? this.#settings.defaultTtlMs : ttlSeconds * 1000)
    this.#bytes += bytes
  }

  #remove(slot: number): void {
    this.#bytes -= this.#slots.bytes[slot]!
    this.#slots.remove(slot)
  }

  #expire(slot: number): void {
    this.#remove(slot)
    this.#expirations += 1
  }

  #sweep(now: number): void {
    const { used, keys, expiresAtMs } = this.#slots
    for (let step = 0; step < SWEPT_A_WRITE && used > 0; step++) {
      this.#sweptUpTo = this.#sweptUpTo + 1 < used ? this.#sweptUpTo + 1 : 0
      const slot = this.#sweptUpTo
      if (keys[slot] !== undefined && expiresAtMs[slot]! <= now) this.#expire(slot)
    }
  }
}

/** A cache in the memory of this process. */
export function createL1Cache(options?: L1CacheOptions): L1Cache {
  return new L1Cache(options)
}
