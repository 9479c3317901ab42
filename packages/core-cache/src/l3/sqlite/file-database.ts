import { crc32 } from 'node:zlib'
import { compileGlob } from '@smart-whale/interfaces'
import type { Invalidation } from '../../shared/shared-cache.ts'
import type { CleanupReport, PersistentEntry, PersistentEvent, PersistentMark } from '../persistent-cache.ts'
import { FileConnection } from './file-connection.ts'
import type { FileSettings } from './file-messages.ts'
import { isCorruption, moveAside, openDatabase, SQLITE_FULL, sqliteCodeOf } from './open-database.ts'

/** What an entry takes besides its key and payload: its row, and its place in the indexes. */
const ROW_BYTES = 160
/** Entries that leave at a time when room is needed. */
const EVICTED_AT_ONCE = 64
/** Keys that are looked at in one go. */
const KEYS_AT_ONCE = 1000
/** Tags that are remembered as removed before those without an entry are dropped. */
const MOST_REMOVED_TAGS = 10_000

interface Row {
  readonly seq: number
  readonly payload: string
  readonly tags: string | null
  readonly bytes: number
  readonly expires_at: number | null
  readonly checksum: number
}

/** Where an entry stands, and all but its value. `key` is the kept text. */
type KeyRow = Pick<Row, 'seq' | 'bytes' | 'tags' | 'expires_at'> & { readonly key: string }

/**
 * The entries in their file. Everything here is synchronous, and belongs in a thread of its own. Writes gather in one transaction, which whoever calls commits;
 * a removal commits by itself, and is on the disk when it returns.
 */
export class FileDatabase {
  readonly #settings: FileSettings
  readonly #tell: (event: PersistentEvent) => void
  readonly #connection = new FileConnection(() => this.#count())
  #entries = 0
  #bytes = 0
  #newestSeq = 0

  constructor(settings: FileSettings, tell: (event: PersistentEvent) => void) {
    this.#settings = settings
    this.#tell = tell
  }

  /** Whether writes wait for their commit. */
  get hasUncommitted(): boolean {
    return this.#connection.isInTransaction
  }

  open(): PersistentMark {
    if (!this.#connection.isOpen) {
      const { database, event } = openDatabase(this.#settings.path, this.#settings.maxBytes)
      this.#connection.use(database)
      if (event !== undefined) this.#tell(event)
      this.#count()
    }
    return { ...(this.#connection.statement('select run, followed, mark from mark').get() as unknown as PersistentMark) }
  }

  close(): void {
    this.#connection.commit()
    this.#connection.close()
  }

  read(key: string, nowMs: number): PersistentEntry | undefined {
    const row = this.#connection.statement('select seq, payload, tags, bytes, expires_at, checksum from entries where key = ?').get(textOf(key)) as Row | undefined
    if (row === undefined) return undefined
    if (!this.#isLive(row, nowMs)) {
      this.#deleteRow(row)
      return undefined
    }
    if (checksumOf(key, row.payload) !== row.checksum) {
      this.#deleteRow(row)
      this.#tell({ kind: 'damaged', key })
      return undefined
    }
    return { payload: row.payload, expiresAtMs: row.expires_at, tags: tagsOf(row.tags) }
  }

  /** Whether there is room for it at all. */
  write(key: string, { payload, expiresAtMs, tags }: PersistentEntry, mark: PersistentMark, nowMs: number): boolean {
    const bytes = ROW_BYTES + 2 * Buffer.byteLength(key) + Buffer.byteLength(payload)
    this.#connection.begin()
    const old = this.#connection.statement('select seq, bytes from entries where key = ?').get(textOf(key)) as Pick<Row, 'seq' | 'bytes'> | undefined
    if (old !== undefined) this.#deleteRow(old)
    this.#setMark(mark)
    if (bytes > this.#settings.maxBytes) return false
    this.#makeRoom(bytes, nowMs)
    const seq = ++this.#newestSeq
    const insert = (): unknown =>
      this.#connection.statement('insert into entries values (?, ?, ?, ?, ?, ?, ?)').run(seq, textOf(key), payload, tags.length === 0 ? null : JSON.stringify(tags), bytes, expiresAtMs, checksumOf(key, payload))
    this.#evictingWhenFull(insert, nowMs)
    this.#entries += 1
    this.#bytes += bytes
    return true
  }

  /** How many of the keys there were. Holds when it returns; without a mark that has it made up for, also on the disk. */
  remove({ keys = [], tags = [], patterns = [], all = false }: Invalidation, mark: PersistentMark, nowMs: number): number {
    this.#connection.commit()
    if (mark.run === '') this.#connection.run('pragma synchronous = full')
    try {
      this.#connection.begin()
      let removed = 0
      if (all) removed = this.#removeAll()
      for (const key of keys) removed += this.#removeKey(key, nowMs)
      for (const tag of tags) this.#connection.statement('insert into removed_tags values (?, ?) on conflict (tag) do update set seq = excluded.seq').run(textOf(tag), this.#newestSeq)
      for (const pattern of patterns) this.#removeMatching(pattern)
      this.#setMark(mark)
      this.#connection.commit()
      return removed
    } catch (error) {
      this.#connection.rollBack()
      throw error
    } finally {
      this.#connection.run('pragma synchronous = normal')
    }
  }

  keysAfter(after: string | undefined, limit: number, nowMs: number): string[] {
    const found: string[] = []
    let from = after === undefined ? undefined : textOf(after)
    while (found.length < limit) {
      const rows = this.#page(from, Math.min(limit, KEYS_AT_ONCE))
      for (const row of rows) {
        from = row.key
        if (this.#isLive(row, nowMs)) found.push(keyOf(from))
        if (found.length === limit) return found
      }
      if (rows.length === 0) return found
    }
    return found
  }

  cleanup(nowMs: number): CleanupReport {
    this.#connection.begin()
    const expired = this.#removeExpired(nowMs)
    const evicted = this.#makeRoom(0, nowMs)
    this.#dropUnusedTags()
    this.#connection.commit()
    this.#connection.run('pragma incremental_vacuum(1000); pragma wal_checkpoint(passive)')
    return { expired, evicted, entries: this.#entries, bytes: this.#bytes }
  }

  /** Stores what was written. @throws when that fails; what was written since the last commit is gone then, removals aside */
  commit(): void {
    this.#connection.commit()
  }

  /** Whether an error means that the file is no use: it was moved aside then, and the next `open` begins anew. */
  rebuildAfter(error: unknown): boolean {
    if (!isCorruption(error)) return false
    try {
      this.#connection.close()
    } catch {
      // It is broken already; what is left of it is moved aside.
    }
    this.#tell({ kind: 'rebuilt', reason: 'corrupt', movedTo: moveAside(this.#settings.path, 'corrupt') })
    return true
  }

  #count(): void {
    const totals = this.#connection.statement('select count(*) as entries, coalesce(sum(bytes), 0) as bytes, coalesce(max(seq), 0) as newest from entries').get() as { entries: number; bytes: number; newest: number }
    const { newest } = this.#connection.statement('select coalesce(max(seq), 0) as newest from removed_tags').get() as { newest: number }
    this.#entries = totals.entries
    this.#bytes = totals.bytes
    // A number below one that a tag was removed at would be taken for removed.
    this.#newestSeq = Math.max(totals.newest, newest)
  }

  #isRemovedByTag(seq: number, tags: readonly string[]): boolean {
    return tags.some((tag) => {
      const removed = this.#connection.statement('select seq from removed_tags where tag = ?').get(textOf(tag)) as { seq: number } | undefined
      return removed !== undefined && removed.seq >= seq
    })
  }

  #removeKey(key: string, nowMs: number): number {
    const row = this.#connection.statement('select seq, key, bytes, tags, expires_at from entries where key = ?').get(textOf(key)) as KeyRow | undefined
    if (row === undefined) return 0
    this.#deleteRow(row)
    return this.#isLive(row, nowMs) ? 1 : 0
  }

  #isLive({ seq, tags, expires_at }: Pick<Row, 'seq' | 'tags' | 'expires_at'>, nowMs: number): boolean {
    return (expires_at === null || expires_at > nowMs) && !this.#isRemovedByTag(seq, tagsOf(tags))
  }

  #removeAll(): number {
    const entries = this.#entries
    this.#connection.run('delete from entries; delete from removed_tags')
    this.#entries = 0
    this.#bytes = 0
    return entries
  }

  #removeMatching(pattern: string): void {
    const matches = compileGlob(pattern)
    let from: string | undefined
    for (;;) {
      const rows = this.#page(from, KEYS_AT_ONCE)
      if (rows.length === 0) return
      for (const row of rows) if (matches(keyOf(row.key))) this.#deleteRow(row)
      from = rows.at(-1)?.key
    }
  }

  /** In the order of the kept texts, which is any. */
  #page(after: string | undefined, limit: number): KeyRow[] {
    const columns = 'select seq, key, bytes, tags, expires_at from entries'
    const rows = after === undefined ? this.#connection.statement(`${columns} order by key limit ?`).all(limit) : this.#connection.statement(`${columns} where key > ? order by key limit ?`).all(after, limit)
    return rows as unknown as KeyRow[]
  }

  #removeExpired(nowMs: number): number {
    let expired = 0
    for (;;) {
      const rows = this.#connection.statement('select seq, bytes from entries where expires_at <= ? limit ?').all(nowMs, KEYS_AT_ONCE) as unknown as Row[]
      for (const row of rows) this.#deleteRow(row)
      expired += rows.length
      if (rows.length < KEYS_AT_ONCE) return expired
    }
  }

  /** Lets what has expired go first, then the oldest; how many had to go. */
  #makeRoom(bytes: number, nowMs: number): number {
    const { maxBytes, maxEntries } = this.#settings
    const isFull = (): boolean => this.#bytes + bytes > maxBytes || this.#entries + (bytes > 0 ? 1 : 0) > maxEntries
    if (!isFull()) return 0
    this.#removeExpired(nowMs)
    let evicted = 0
    while (isFull() && this.#entries > 0) evicted += this.#evictOldest()
    return evicted
  }

  #evictOldest(): number {
    const rows = this.#connection.statement('select seq, bytes from entries order by seq limit ?').all(Math.min(EVICTED_AT_ONCE, Math.ceil(this.#entries / 8))) as unknown as Row[]
    for (const row of rows) this.#deleteRow(row)
    return rows.length
  }

  /** The file itself is bounded, too: pages that are half empty count there. */
  #evictingWhenFull(insert: () => unknown, nowMs: number): void {
    for (;;) {
      try {
        insert()
        return
      } catch (error) {
        if (sqliteCodeOf(error) !== SQLITE_FULL || this.#entries === 0) throw error
        this.#removeExpired(nowMs)
        this.#evictOldest()
      }
    }
  }

  /** A tag that was removed matters to older entries alone. */
  #dropUnusedTags(): void {
    const { tags } = this.#connection.statement('select count(*) as tags from removed_tags').get() as { tags: number }
    if (tags > MOST_REMOVED_TAGS) this.#removeAll()
    else this.#connection.run('delete from removed_tags where seq < (select coalesce(min(seq), 9007199254740991) from entries)')
  }

  #deleteRow({ seq, bytes }: Pick<Row, 'seq' | 'bytes'>): void {
    this.#connection.begin()
    this.#connection.statement('delete from entries where seq = ?').run(seq)
    this.#entries -= 1
    this.#bytes -= bytes
  }

  #setMark({ run, followed, mark }: PersistentMark): void {
    this.#connection.statement('update mark set run = ?, followed = ?, mark = ? where run <> ? or followed <> ?').run(run, followed, mark, run, followed)
  }
}

const checksumOf = (key: string, payload: string): number => crc32(payload, crc32(key))

const tagsOf = (text: string | null): readonly string[] => (text === null ? [] : (JSON.parse(text) as string[]))

/** SQLite keeps UTF-8, in which half a surrogate pair is no text, and ends some texts at NUL: a key is kept as JSON writes it. */
const textOf = (key: string): string => JSON.stringify(key).slice(1, -1)
const keyOf = (text: string): string => JSON.parse(`"${text}"`) as string
