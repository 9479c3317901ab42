import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { persistentError } from '../../errors.ts'
import type { PersistentEvent } from '../persistent-cache.ts'

/** "SWC3" as a number: whose file it is. */
const APPLICATION_ID = 0x53_57_43_33
/** Form of the tables; one of ours in another form is as good as corrupt. */
const FORM = 1

const SQLITE_CORRUPT = 11
/** SQLite's number for a file, or a disk, without room. */
export const SQLITE_FULL = 13
const SQLITE_NOTADB = 26

const TABLES = `
create table entries (
  seq integer primary key,
  key text not null unique,
  payload text not null,
  tags text,
  bytes integer not null,
  expires_at integer,
  checksum integer not null
);
create index entries_expiry on entries (expires_at) where expires_at is not null;
create table removed_tags (tag text primary key, seq integer not null) without rowid;
create table mark (only_one integer primary key check (only_one = 1), run text not null, followed integer not null, mark text not null);
insert into mark values (1, '', 0, '');
`

/** What a file turned out to be. */
export interface OpenedDatabase {
  readonly database: DatabaseSync
  readonly event: PersistentEvent | undefined
}

/** SQLite's number of what an error is about, without its details. */
export function sqliteCodeOf(error: unknown): number | undefined {
  const code = (error as { readonly errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

/** Whether the file is no use as it is. */
export const isCorruption = (error: unknown): boolean => [SQLITE_CORRUPT, SQLITE_NOTADB].includes(sqliteCodeOf(error) ?? 0)

/**
 * Opens the file, and makes it if it isn't there. One that is corrupt, or not ours, is moved aside: its name says why. One that another process has in use is an error,
 * as is a folder that can't be written to.
 */
export function openDatabase(path: string, maxBytes: number): OpenedDatabase {
  mkdirSync(dirname(path), { recursive: true })
  const found = tryOpen(path, maxBytes)
  if (found !== 'corrupt' && found !== 'foreign') return { database: found, event: undefined }
  const movedTo = moveAside(path, found)
  const anew = tryOpen(path, maxBytes)
  if (anew === 'corrupt' || anew === 'foreign') throw persistentError(`make ${path} anew`, undefined)
  return { database: anew, event: { kind: 'rebuilt', reason: found, movedTo } }
}

/** Where a file went that could not be used. Of corrupt ones the last is kept, for whoever looks for the reason; what others wrote is never deleted. */
export function moveAside(path: string, reason: 'corrupt' | 'foreign'): string {
  const movedTo = reason === 'corrupt' ? `${path}.corrupt` : `${path}.foreign-${Date.now()}`
  for (const suffix of ['-wal', '-shm', '-journal', '']) {
    if (reason === 'corrupt') rmSync(movedTo + suffix, { force: true })
    if (existsSync(path + suffix)) renameSync(path + suffix, movedTo + suffix)
  }
  return movedTo
}

function tryOpen(path: string, maxBytes: number): DatabaseSync | 'corrupt' | 'foreign' {
  // Asked for at run time: bundlers take `node:sqlite` for a package called sqlite.
  const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
  const database = new Database(path)
  try {
    // One process has the file: no shared memory beside it, and whoever comes second is told so.
    database.exec('pragma locking_mode = exclusive; pragma busy_timeout = 0;')
    const kind = kindOf(database)
    if (kind === 'foreign' || kind === 'corrupt') {
      database.close()
      return kind
    }
    if (kind === 'new') database.exec('pragma auto_vacuum = incremental;')
    // A commit survives the process; what must survive the machine asks for it.
    database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma temp_store = memory; pragma cell_size_check = on;')
    database.exec(`pragma journal_size_limit = 16777216; pragma max_page_count = ${pagesFor(maxBytes)};`)
    if (kind === 'new') database.exec(`begin immediate; ${TABLES} pragma application_id = ${APPLICATION_ID}; pragma user_version = ${FORM}; commit;`)
    database.prepare('select seq, key, payload, tags, bytes, expires_at, checksum from entries limit 1').get()
    return database
  } catch (error) {
    database.close()
    if (sqliteCodeOf(error) === SQLITE_NOTADB) return 'foreign'
    if (isCorruption(error) || hasOtherTables(error)) return 'corrupt'
    throw error
  }
}

function kindOf(database: DatabaseSync): 'ours' | 'new' | 'foreign' | 'corrupt' {
  const numberOf = (pragma: string): number => Object.values(database.prepare(`pragma ${pragma}`).get() ?? {})[0] as number
  const application = numberOf('application_id')
  if (application === APPLICATION_ID) return numberOf('user_version') === FORM ? 'ours' : 'corrupt'
  const { tables } = database.prepare('select count(*) as tables from sqlite_master').get() as { tables: number }
  return application === 0 && tables === 0 ? 'new' : 'foreign'
}

/** The file says that it is ours, and isn't. */
const hasOtherTables = (error: unknown): boolean => error instanceof Error && /no such (table|column)/.test(error.message)

/** A bound for the file itself, above what the entries may take: pages, indexes and what is free between them. */
const pagesFor = (maxBytes: number): number => Math.ceil((maxBytes * 2) / 4096) + 256
