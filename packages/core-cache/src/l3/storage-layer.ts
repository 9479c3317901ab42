import { compileGlob, type StorageInterface } from '@smart-whale/interfaces'
import { optionError, persistentError } from '../errors.ts'
import { newToken } from '../manager/load-token.ts'
import type { Invalidation } from '../shared/shared-cache.ts'
import { type CleanupReport, NO_MARK, type PersistentCache, type PersistentEntry, type PersistentListener, type PersistentMark } from './persistent-cache.ts'
import { type StorageDialectName, StorageRows } from './storage-rows.ts'

/** What a {@link StorageLayer} is made of. */
export interface StorageLayerOptions {
  /** The store. It is connected by the layer, and left connected: its owner disconnects it. @default none: required */
  storage: StorageInterface
  /** Whose entries they are: one process at a time has a name, and finds its entries under it again. @default none: required */
  name: string
  /** Its table; made when it isn't there. @default 'smart_whale_cache' */
  table?: string | undefined
  /** The store's own SQL. @default 'postgresql' */
  dialect?: StorageDialectName | undefined
  /** What the entries may take. @default 268_435_456 (256 MiB) */
  maxBytes?: number | undefined
  /** Entries that it holds at most. @default 100_000 */
  maxEntries?: number | undefined
  /** How long a statement may take at the store. @default 5_000 */
  timeoutMs?: number | undefined
  /** Writes that may wait for their turn; above it, further ones fail at once. @default 2_000 */
  maxPending?: number | undefined
  /** The time, in milliseconds since the epoch. @default Date.now */
  now?: (() => number) | undefined
}

/** What stands in the row of a layer's state. */
interface State extends PersistentMark {
  readonly generation: string
}

/** What an entry takes besides its key and payload. */
const ROW_BYTES = 200
const KEYS_AT_ONCE = 500
/** The mark lags behind writes by so much: what was removed meanwhile is removed once more after a restart. */
const MARK_EVERY = 1_000
/** So much above its bounds, entries have to make room. */
const SLACK = 1.05

/**
 * A cache's entries in a table of a store that speaks SQL. Writes and removals go one after another, and reads wait for those before them. One whose outcome isn't
 * known may yet come to pass: the entries of before are then void, so that it can bring nothing back. So are they when another process took the name.
 */
export class StorageLayer implements PersistentCache {
  readonly #rows: StorageRows
  readonly #storage: StorageInterface
  readonly #maxBytes: number
  readonly #maxEntries: number
  readonly #maxPending: number
  readonly #now: () => number
  readonly #owner = newToken()
  #tail: Promise<unknown> = Promise.resolve()
  #pending = 0
  #state: State | undefined
  #storedMark = NO_MARK
  #refuses = true
  /** Whether something may have been done, or may yet be, that nobody knows of. */
  #isInDoubt = false
  #newestSeq = 0
  #entries = 0
  #bytes = 0

  constructor(options: StorageLayerOptions) {
    const { storage, name, table = 'smart_whale_cache', dialect = 'postgresql', maxBytes = 268_435_456, maxEntries = 100_000, timeoutMs = 5_000, maxPending = 2_000, now = Date.now } = options
    if (typeof storage?.execute !== 'function') throw optionError('storage', storage, 'a store: a StorageInterface')
    if (typeof name !== 'string' || name === '') throw optionError('name', name, 'a text that names this process, the same after its restart')
    if (!/^[a-z_][a-z0-9_]{0,50}$/.test(table)) throw optionError('table', table, 'a name of small letters, digits and underscores')
    if (dialect !== 'postgresql' && dialect !== 'clickhouse') throw optionError('dialect', dialect, "'postgresql' or 'clickhouse'")
    for (const [option, value] of Object.entries({ maxBytes, maxEntries, timeoutMs, maxPending })) if (!(Number.isSafeInteger(value) && value >= 1)) throw optionError(option, value, 'a whole number above 0')
    this.#rows = new StorageRows({ storage, name, table, dialect, timeoutMs, owner: this.#owner })
    this.#storage = storage
    this.#maxBytes = maxBytes
    this.#maxEntries = maxEntries
    this.#maxPending = maxPending
    this.#now = now
  }

  open(_listener: PersistentListener): Promise<PersistentMark> {
    return this.#inTurn(async () => {
      if (!this.#refuses) {
        await this.#rows.requireOwner()
        return this.#storedMark
      }
      await this.#storage.connect()
      await this.#rows.ensureTable()
      const wasLost = await this.#rows.takeOver(this.#state !== undefined)
      const found = await this.#rows.state<State>()
      this.#newestSeq = await this.#rows.newestSeq()
      const isVoid = found === undefined || this.#isInDoubt || wasLost
      this.#state = isVoid ? { ...NO_MARK, generation: newToken() } : found
      if (isVoid) await this.#storeState(this.#state)
      this.#storedMark = { run: this.#state.run, followed: this.#state.followed, mark: this.#state.mark }
      await this.#count()
      this.#isInDoubt = false
      this.#refuses = false
      return this.#storedMark
    })
  }

  /** What was asked for is done; the store stays connected. */
  async close(): Promise<void> {
    await this.#tail
    this.#refuses = true
  }

  async read(key: string): Promise<PersistentEntry | undefined> {
    await this.#tail
    if (this.#refuses) throw persistentError('be read before it is open', undefined)
    if (isTooLong(key)) return undefined
    const row = await this.#reading(() => this.#rows.entry(key))
    return row !== undefined && (await this.#isLive(row)) ? { payload: row.payload, expiresAtMs: row.expiresAtMs, tags: row.tags } : undefined
  }

  write(key: string, { payload, expiresAtMs, tags }: PersistentEntry, mark: PersistentMark): Promise<boolean> {
    const bytes = ROW_BYTES + 2 * key.length + payload.length
    return this.#change(async () => {
      if (bytes > this.#maxBytes || [key, ...tags].some(isTooLong)) {
        await this.#rows.deleteKeys([key].filter((text) => !isTooLong(text)))
        return false
      }
      const seq = ++this.#newestSeq
      await this.#rows.insertEntry({ key, payload, tags, expiresAtMs, bytes, seq, generation: this.#generation })
      await this.#rows.deleteBefore(key, seq)
      this.#entries += 1
      this.#bytes += bytes
      if (mark.run !== this.#storedMark.run || mark.followed >= this.#storedMark.followed + MARK_EVERY) await this.#setMark(mark)
      if (this.#entries > this.#maxEntries * SLACK || this.#bytes > this.#maxBytes * SLACK) await this.#makeRoom()
      return true
    })
  }

  remove({ keys = [], tags = [], patterns = [], all = false }: Invalidation, mark: PersistentMark): Promise<number> {
    return this.#change(async () => {
      let removed = 0
      if (all) await this.#storeState({ ...mark, generation: newToken() })
      const kept = keys.filter((key) => !isTooLong(key))
      for (let at = 0; at < kept.length; at += KEYS_AT_ONCE) removed += await this.#removeKeys(kept.slice(at, at + KEYS_AT_ONCE))
      for (const tag of tags) if (!isTooLong(tag)) await this.#rows.insertTag(tag, this.#newestSeq, this.#generation)
      for (const pattern of patterns) await this.#removeMatching(pattern)
      if (!all) await this.#setMark(mark)
      return removed
    })
  }

  async keysAfter(after: string | undefined, limit: number): Promise<readonly string[]> {
    await this.#tail
    const found: string[] = []
    for (let from = after; found.length < limit; ) {
      const page = await this.#reading(() => this.#rows.page(from, limit))
      if (page.length === 0) break
      for (const row of page) if (await this.#isLive(row)) found.push(row.key)
      from = page.at(-1)?.key
    }
    return found
  }

  cleanup(): Promise<CleanupReport> {
    return this.#change(async () => {
      const before = this.#entries
      await this.#rows.deleteExpired(this.#now(), this.#generation)
      await this.#count()
      const expired = Math.max(0, before - this.#entries)
      const evicted = await this.#makeRoom()
      await this.#rows.deleteUnusedTags()
      return { expired, evicted, entries: this.#entries, bytes: this.#bytes }
    })
  }

  get #generation(): string {
    return this.#state?.generation ?? ''
  }

  async #isLive({ generation, seq, tags, expiresAtMs }: { generation: string; seq: number; tags: readonly string[]; expiresAtMs: number | null }): Promise<boolean> {
    if (generation !== this.#generation || (expiresAtMs !== null && expiresAtMs <= this.#now())) return false
    return tags.length === 0 || (await this.#rows.newestRemovalOf(tags, this.#generation)) < seq
  }

  async #removeKeys(keys: readonly string[]): Promise<number> {
    let removed = 0
    for (const row of await this.#rows.entries(keys)) if (await this.#isLive(row)) removed += 1
    await this.#rows.deleteKeys(keys)
    return removed
  }

  async #removeMatching(pattern: string): Promise<void> {
    const matches = compileGlob(pattern)
    for (let from: string | undefined; ; ) {
      const page = await this.#rows.page(from, KEYS_AT_ONCE)
      if (page.length === 0) return
      const keys = page.map(({ key }) => key).filter(matches)
      if (keys.length > 0) await this.#rows.deleteKeys(keys)
      from = page.at(-1)?.key
    }
  }

  async #makeRoom(): Promise<number> {
    await this.#count()
    const before = this.#entries
    while (this.#entries > this.#maxEntries || this.#bytes > this.#maxBytes) {
      const spare = Math.max(this.#entries - this.#maxEntries, Math.ceil(this.#entries / 8))
      await this.#rows.deleteOldest(spare)
      await this.#count()
    }
    return before - this.#entries
  }

  async #count(): Promise<void> {
    const totals = await this.#rows.totals()
    this.#entries = totals.entries
    this.#bytes = totals.bytes
  }

  async #setMark(mark: PersistentMark): Promise<void> {
    const { run, followed } = this.#storedMark
    if (mark.run !== run || mark.followed !== followed) await this.#storeState({ ...mark, generation: this.#generation })
  }

  async #storeState(state: State): Promise<void> {
    await this.#rows.storeState(state, ++this.#newestSeq)
    this.#state = state
    this.#storedMark = { run: state.run, followed: state.followed, mark: state.mark }
  }

  /** After one that failed nothing is known: everything is refused until the layer is opened again, and what was there is void then. */
  #change<R>(step: () => Promise<R>): Promise<R> {
    return this.#inTurn(async () => {
      if (this.#refuses) throw persistentError('be changed before it is open', undefined)
      try {
        return await step()
      } catch (error) {
        this.#refuses = true
        this.#isInDoubt = true
        throw persistentError('be changed', error)
      }
    })
  }

  async #reading<R>(step: () => Promise<R>): Promise<R> {
    try {
      return await step()
    } catch (error) {
      throw persistentError('be read', error)
    }
  }

  #inTurn<R>(step: () => Promise<R>): Promise<R> {
    if (this.#pending >= this.#maxPending) return Promise.reject(persistentError(`take more, as ${this.#maxPending} requests wait already`, undefined))
    this.#pending += 1
    const result = this.#tail.then(step).finally(() => (this.#pending -= 1))
    this.#tail = result.catch(() => {})
    return result
  }
}

/** PostgreSQL's indexes take no more; nothing of such a key or tag is kept. */
const isTooLong = (text: string): boolean => text.length > 350 && Buffer.byteLength(JSON.stringify(text)) > 2_100

/** A layer in a table of a store. @throws ConfigurationError `ERR_CACHE_CONFIGURATION` for a wrong option */
export function createStorageLayer(options: StorageLayerOptions): StorageLayer {
  return new StorageLayer(options)
}

