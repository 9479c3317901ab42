import { compileGlob } from '@smart-whale/interfaces'
import type { CleanupReport, PersistentCache, PersistentEntry, PersistentListener, PersistentMark } from '../l3/persistent-cache.ts'
import { NO_MARK } from '../l3/persistent-cache.ts'
import { persistentError } from '../errors.ts'
import type { Invalidation } from '../shared/shared-cache.ts'

/** What outlives a process. */
interface Disk {
  entries: Map<string, PersistentEntry & { readonly seq: number }>
  removedTags: Map<string, number>
  mark: PersistentMark
  newestSeq: number
}

/**
 * A persistent layer on a disk that is in memory: for tests of what a restart leaves. Requests take effect one after another, each after `carry`; a crash
 * (`crash()`) loses those that wait, and the last writes, and leaves the rest to the next layer on the same disk.
 */
export class MemoryPersistentLayer implements PersistentCache {
  readonly #carry: (request: string) => Promise<void>
  readonly #nowMs: () => number
  #disk: Disk
  #tail: Promise<unknown> = Promise.resolve()
  #isOpen = false
  #refuses = true

  constructor(options: { readonly nowMs: () => number; readonly carry?: (request: string) => Promise<void> }) {
    this.#nowMs = options.nowMs
    this.#carry = options.carry ?? (async () => {})
    this.#disk = { entries: new Map(), removedTags: new Map(), mark: NO_MARK, newestSeq: 0 }
  }

  /** The process has died; what the next one finds. */
  crash(carry = this.#carry): MemoryPersistentLayer {
    this.#isOpen = false
    const next = new MemoryPersistentLayer({ nowMs: this.#nowMs, carry })
    const { entries, removedTags, mark, newestSeq } = this.#disk
    next.#disk = { entries: new Map(entries), removedTags: new Map(removedTags), mark, newestSeq }
    return next
  }

  open(_listener: PersistentListener): Promise<PersistentMark> {
    this.#isOpen = true
    return this.#inTurn('open', () => {
      this.#refuses = false
      return this.#disk.mark
    })
  }

  async close(): Promise<void> {
    await this.#tail.catch(() => {})
    this.#isOpen = false
  }

  read(key: string): Promise<PersistentEntry | undefined> {
    return this.#inTurn('read', () => {
      const entry = this.#disk.entries.get(key)
      return entry !== undefined && this.#isLive(entry) ? entry : undefined
    })
  }

  write(key: string, entry: PersistentEntry, mark: PersistentMark): Promise<boolean> {
    return this.#inTurn('write', () => {
      this.#disk.entries.set(key, { ...entry, seq: ++this.#disk.newestSeq })
      this.#disk.mark = mark
      return true
    })
  }

  remove({ keys = [], tags = [], patterns = [], all = false }: Invalidation, mark: PersistentMark): Promise<number> {
    return this.#inTurn('remove', () => {
      const { entries, removedTags } = this.#disk
      const before = entries.size
      if (all) entries.clear()
      for (const key of keys) entries.delete(key)
      for (const tag of tags) removedTags.set(tag, this.#disk.newestSeq)
      for (const matches of patterns.map((pattern) => compileGlob(pattern))) for (const key of [...entries.keys()]) if (matches(key)) entries.delete(key)
      this.#disk.mark = mark
      return before - entries.size
    })
  }

  keysAfter(after: string | undefined, limit: number): Promise<readonly string[]> {
    return this.#inTurn('keys', () => {
      const keys = [...this.#disk.entries].filter(([, entry]) => this.#isLive(entry)).map(([key]) => key).sort()
      return keys.filter((key) => after === undefined || key > after).slice(0, limit)
    })
  }

  cleanup(): Promise<CleanupReport> {
    return this.#inTurn('cleanup', () => {
      const dead = [...this.#disk.entries].filter(([, entry]) => !this.#isLive(entry))
      for (const [key] of dead) this.#disk.entries.delete(key)
      return { expired: dead.length, evicted: 0, entries: this.#disk.entries.size, bytes: 0 }
    })
  }

  #isLive({ expiresAtMs, tags, seq }: PersistentEntry & { readonly seq: number }): boolean {
    return (expiresAtMs === null || expiresAtMs > this.#nowMs()) && tags.every((tag) => (this.#disk.removedTags.get(tag) ?? -1) < seq)
  }

  #inTurn<R>(request: string, step: () => R): Promise<R> {
    const carryOut = async (): Promise<R> => {
      try {
        await this.#carry(request)
      } catch (error) {
        if (request === 'remove' || request === 'write') this.#refuses = true
        throw error
      }
      if (!this.#isOpen || (this.#refuses && request !== 'open')) throw persistentError(request, undefined)
      return step()
    }
    const result = this.#tail.then(carryOut, carryOut)
    this.#tail = result.catch(() => {})
    return result
  }
}
