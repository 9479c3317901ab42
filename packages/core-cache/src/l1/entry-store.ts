import type { Clock } from '@smart-whale/interfaces'
import { EntrySlots } from './entry-slots.ts'
import { bytesOfText } from './copy-value.ts'

/** What an entry costs besides its key and value: a Map entry and one element of each array. */
const ENTRY_BYTES = 132
/** Slots that each write looks at for expired entries: what is never read again leaves within maxEntries ÷ 2 writes. */
const SWEPT_A_WRITE = 2

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
  /** Entries that it may hold. */
  readonly maxEntries: number
  /** Memory that they may take at the moment: `maxBytes`, or less under memory pressure. */
  readonly maxBytes: number
}

/** A value to be stored. */
export interface NewEntry {
  readonly value: unknown
  /** Estimated memory of the value. */
  readonly bytes: number
  /** Whether nobody can change it. */
  readonly frozen: boolean
  readonly lifeMs: number
}

/** Entries within bounds of number and memory. It knows nothing of what a value is. No timers: who is expired leaves when asked for, or when writes come by. */
export class EntryStore {
  readonly slots = new EntrySlots()
  readonly #clock: Clock
  #maxEntries: number
  #mostBytes: number
  /** Share of the memory that may be used at the moment. */
  #share = 1
  #maxBytes: number
  #bytes = 0
  /** Reads that were answered. */
  hits = 0
  #hitsAtEviction = 0
  #misses = 0
  #evictions = 0
  #expirations = 0
  #rejections = 0
  #sweptUpTo = 0

  constructor({ maxEntries, maxBytes, clock }: { readonly maxEntries: number; readonly maxBytes: number; readonly clock: Clock }) {
    this.#clock = clock
    this.#maxEntries = maxEntries
    this.#mostBytes = maxBytes
    this.#maxBytes = maxBytes
  }

  /** Counts a read of what isn't there. */
  miss(): undefined {
    this.#misses += 1
    return undefined
  }

  /** Counts a read of a slot; `false` when its time was over, and it is gone. */
  readSlot(slot: number): boolean {
    return this.#readAt(slot, this.slots.expiresAtMs[slot] === Infinity ? 0 : this.#clock.monotonic()) >= 0
  }

  /** The slot of a key that is asked for, or −1, for a caller who has looked at the clock; a hit or a miss. */
  readAt(key: string, now: number): number {
    const slot = this.slots.slotOf.get(key)
    if (slot !== undefined) return this.#readAt(slot, now)
    this.#misses += 1
    return -1
  }

  /** The slot of a key that has not expired, or −1. Time is asked for only where it matters. */
  liveSlot(key: string): number {
    const slot = this.slots.slotOf.get(key)
    if (slot === undefined) return -1
    const expiresAtMs = this.slots.expiresAtMs[slot]!
    if (expiresAtMs === Infinity || expiresAtMs > this.#clock.monotonic()) return slot
    this.#expire(slot)
    return -1
  }

  /** `false` when it is too large to be kept; an earlier value of the key is gone then, too. */
  put(key: string, entry: NewEntry): boolean {
    const bytes = entry.bytes + bytesOfText(key) + ENTRY_BYTES
    const now = this.#clock.monotonic()
    this.#sweep(now)
    const known = this.slots.slotOf.get(key)
    if (known !== undefined && this.#bytes - this.slots.bytes[known]! + bytes <= this.#maxBytes) {
      this.#bytes -= this.slots.bytes[known]!
      this.#fill(known, entry, bytes, now, true)
      return true
    }
    if (known !== undefined) this.#remove(known)
    if (!this.#makeRoom(bytes)) return false
    this.#fill(this.slots.add(key), entry, bytes, now, false)
    return true
  }

  /** Whether there was one. */
  delete(key: string): boolean {
    const slot = this.liveSlot(key)
    if (slot < 0) return false
    this.#remove(slot)
    return true
  }

  /** The live keys, in a list of their own: who goes through it may set and delete on the way. */
  keys(): string[] {
    return [...this.slots.slotOf.keys()].filter((key) => this.liveSlot(key) >= 0)
  }

  /** Gives the store a share of its memory budget; entries leave until they fit. */
  useShare(share: number): void {
    this.#share = share
    this.#maxBytes = Math.max(1, this.#mostBytes * share)
    while (this.#bytes > this.#maxBytes) this.#evict()
  }

  /** Gives the store other bounds; entries leave until they fit. */
  resize(maxEntries: number, maxBytes: number): void {
    this.#maxEntries = maxEntries
    this.#mostBytes = maxBytes
    while (this.slots.slotOf.size > maxEntries) this.#evict()
    this.useShare(this.#share)
  }

  stats(): L1CacheStats {
    return {
      hits: this.hits,
      misses: this.#misses,
      evictions: this.#evictions,
      expirations: this.#expirations,
      rejections: this.#rejections,
      entries: this.slots.slotOf.size,
      bytes: this.#bytes,
      maxEntries: this.#maxEntries,
      maxBytes: this.#maxBytes,
    }
  }

  clear(): void {
    this.slots.clear()
    this.#bytes = 0
    this.#sweptUpTo = 0
  }

  /** Evicts until one more entry of that size fits; `false` when it never would. */
  #makeRoom(bytes: number): boolean {
    if (bytes > this.#maxBytes) {
      this.#rejections += 1
      return false
    }
    while (this.slots.slotOf.size >= this.#maxEntries || this.#bytes + bytes > this.#maxBytes) this.#evict()
    return true
  }

  #evict(): void {
    const victim = this.slots.evict(this.hits - this.#hitsAtEviction)
    this.#hitsAtEviction = this.hits
    this.#bytes -= this.slots.bytes[victim]!
    this.#evictions += 1
  }

  #fill(slot: number, { value, frozen, lifeMs }: NewEntry, bytes: number, now: number, replaces: boolean): void {
    const { slots } = this
    slots.fill(slot, value, { copied: !frozen, mortal: lifeMs !== Infinity, replaces })
    slots.bytes[slot] = bytes
    slots.storedAtMs[slot] = now
    slots.expiresAtMs[slot] = now + lifeMs
    this.#bytes += bytes
  }

  #readAt(slot: number, now: number): number {
    if (this.slots.expiresAtMs[slot]! > now) {
      this.hits += 1
      this.slots.touch(slot)
      return slot
    }
    this.#expire(slot)
    this.#misses += 1
    return -1
  }

  #remove(slot: number): void {
    this.#bytes -= this.slots.bytes[slot]!
    this.slots.remove(slot)
  }

  #expire(slot: number): void {
    this.#remove(slot)
    this.#expirations += 1
  }

  #sweep(now: number): void {
    const { used, keys, expiresAtMs } = this.slots
    for (let step = 0; step < SWEPT_A_WRITE && used > 0; step++) {
      this.#sweptUpTo = this.#sweptUpTo + 1 < used ? this.#sweptUpTo + 1 : 0
      const slot = this.#sweptUpTo
      if (keys[slot] !== undefined && expiresAtMs[slot]! <= now) this.#expire(slot)
    }
  }
}
