import { type Clock, compileGlob } from '@smart-whale/interfaces'
import { copyForReader, type ValueCopy } from '../l1/copy-value.ts'
import { EntryStore, type L1CacheStats } from '../l1/entry-store.ts'
import type { CacheSize } from '../l1/l1-options.ts'
import { type MemoryPressure, PressureFollower } from '../l1/memory-pressure.ts'
import type { Invalidation } from '../shared/shared-cache.ts'
import { areAlive, type TagMark, TagMarks } from './tag-marks.ts'

/** A value in memory and what is known of it. Times are monotonic milliseconds. */
export interface MemoryEntry {
  readonly copy: ValueCopy
  readonly loadedAtMs: number
  readonly freshUntilMs: number
  /** From here on, whoever reads it has it loaded anew. Moves when that fails. */
  refreshAtMs: number
  readonly keepUntilMs: number
  readonly tags: readonly TagMark[] | undefined
  /** Whether the loader found nothing. */
  readonly isNothing: boolean
  /** The load that it comes from. */
  readonly token: string
}

/** What is to be kept in memory. */
export interface NewMemoryEntry extends Omit<MemoryEntry, 'tags'> {
  readonly tags: readonly string[]
}

/** Tags may be twice as many as entries before those without an entry are looked for. */
const TAGS_AN_ENTRY = 2
const FEWEST_TAGS = 1024
/** What an entry takes besides its value. */
const FACTS_BYTES = 128

/** The entries of this node, and what is done to them by invalidations. */
export class MemoryLayer {
  readonly #store: EntryStore
  readonly #tags = new TagMarks()
  readonly #clock: Clock
  #pressure: PressureFollower | undefined

  constructor(parts: { readonly maxEntries: number; readonly maxBytes: number; readonly clock: Clock }) {
    this.#store = new EntryStore(parts)
    this.#clock = parts.clock
  }

  /** The entry of a key; counts as a hit or a miss. */
  read(key: string, nowMs: number): MemoryEntry | undefined {
    const slot = this.#store.readAt(key, nowMs)
    if (slot < 0) return undefined
    const entry = this.#store.slots.values[slot] as MemoryEntry
    if (entry.tags === undefined || areAlive(entry.tags)) return entry
    this.#store.delete(key)
    return undefined
  }

  /** The entry of a key; no hit, no miss, no use. */
  peek(key: string, nowMs: number): MemoryEntry | undefined {
    const slot = this.#store.slots.slotOf.get(key)
    if (slot === undefined || this.#store.slots.expiresAtMs[slot]! <= nowMs) return undefined
    const entry = this.#store.slots.values[slot] as MemoryEntry
    return areAlive(entry.tags) ? entry : undefined
  }

  put(key: string, { tags, ...facts }: NewMemoryEntry): void {
    const lifeMs = facts.keepUntilMs - this.#clock.monotonic()
    if (!(lifeMs > 0)) return
    this.#pressure?.catchUp()
    this.#forgetUnusedTags()
    const entry: MemoryEntry = { ...facts, tags: this.#tags.marksOf(tags) }
    this.#store.put(key, { value: entry, bytes: facts.copy.bytes + FACTS_BYTES, frozen: true, lifeMs })
  }

  /** Carries an invalidation out. */
  follow({ keys, tags, patterns, all }: Invalidation): void {
    if (all === true) return this.clear()
    for (const key of keys ?? []) this.#store.delete(key)
    for (const tag of tags ?? []) this.#tags.invalidate(tag)
    for (const pattern of patterns ?? []) {
      const matches = compileGlob(pattern)
      for (const key of this.#store.keys()) if (matches(key)) this.#store.delete(key)
    }
  }

  /** Whether there was one. */
  forget(key: string): boolean {
    return this.#store.delete(key)
  }

  clear(): void {
    this.#store.clear()
    this.#tags.keepOnly(new Set())
  }

  /** Has the memory follow a pressure from now on. */
  followPressure(pressure: MemoryPressure): void {
    this.#pressure ??= new PressureFollower(pressure, this.#clock, (share) => this.#store.useShare(share))
  }

  unfollowPressure(): void {
    this.#pressure?.stop()
    this.#pressure = undefined
  }

  resize({ maxEntries, maxBytes }: CacheSize): void {
    this.#store.resize(maxEntries, maxBytes)
  }

  /** Memory that it may take at the moment. */
  get maxBytes(): number {
    return this.#store.stats().maxBytes
  }

  stats(): L1CacheStats {
    return this.#store.stats()
  }

  #forgetUnusedTags(): void {
    if (this.#tags.size < FEWEST_TAGS + TAGS_AN_ENTRY * this.#store.slots.slotOf.size) return
    const used = new Set<TagMark>()
    for (const entry of this.#store.slots.values) for (const mark of (entry as MemoryEntry | undefined)?.tags ?? []) used.add(mark)
    this.#tags.keepOnly(used)
  }
}

/** The value for one reader: itself where nobody can change it. */
export const valueFor = ({ value, frozen }: ValueCopy): unknown => (frozen ? value : copyForReader(value))
