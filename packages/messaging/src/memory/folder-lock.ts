import type { DatabaseSync } from 'node:sqlite'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messagingError } from '../errors.ts'
import { mapFileError } from '../map-error.ts'
import { writeFileAtomically } from './log/atomic-file.ts'

/** The right to write to a folder. */
export interface FolderLock {
  release(): void
}

/**
 * Takes a folder for this process alone, or says who has it.
 *
 * The lock itself is SQLite's on a file: the operating system lets go of it when its owner dies, however it dies. A file with a
 * process id alone can't do that: ids are used again, and mean nothing in another container.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await makeFolder(folder)
  const ownerPath = join(folder, 'broker.owner')
  const database = openExclusively(join(folder, 'broker.lock'))
  if (database === undefined) throw busy(folder, await describeOwner(ownerPath))
  try {
    await writeFileAtomically(ownerPath, `${process.pid}\n`, 'write')
  } catch (error) {
    database.close()
    throw mapFileError(error, ownerPath, 'writing')
  }
  return { release: () => database.close() }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    // Of a file system that is read-only, making folders within folders says that they are not there; making one tells the truth.
    await mkdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? mkdir(folder) : Promise.reject(error)))
  } catch (error) {
    throw mapFileError(error, folder, 'making the data folder')
  }
}

function openExclusively(path: string): DatabaseSync | undefined {
  // Asked for by name at run time: bundlers know the module under a name that doesn't exist, and without a folder it isn't needed.
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    if (database?.isOpen) database.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
    throw mapFileError(error, path, 'locking')
  }
}

const SQLITE_BUSY = 5

async function describeOwner(path: string): Promise<string> {
  const content = await readFile(path, 'utf8').catch(() => '')
  const id = Number.parseInt(content, 10)
  return Number.isInteger(id) ? `process ${id}` : 'another process'
}

function busy(folder: string, owner: string): Error {
  return messagingError(
    'ERR_MESSAGING_LOG_BUSY',
    `the data folder ${folder} is in use by ${owner}: stop it first, or name another folder`,
    { status: 503, context: { folder } },
  )
}
