import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { randomUUID } from 'node:crypto'
import { BackupError } from '../operational-errors.ts'
import type { BackupStore, StoredFile } from './backup-store.ts'

/** The {@link BackupStore} over a folder. */
export interface FolderStore extends BackupStore {
  /** Its absolute path. */
  readonly folder: string
}

/** Keeps backups in a folder, which is made when the first one is. */
export function folderStore(folder: string): FolderStore {
  const root = resolve(folder)
  return {
    folder: root,
    list: (prefix) => guarded(`list ${prefix}`, () => listFiles(root, prefix)),
    read: (name, call) => readChunks(pathOf(root, name), name, call?.signal),
    write: (name, chunks, call) => guarded(`write ${name}`, () => writeWhole(pathOf(root, name), chunks, call?.signal)),
    remove: (prefix) => guarded(`remove ${prefix}`, () => removeFiles(root, prefix)),
  }
}

async function listFiles(root: string, prefix: string): Promise<StoredFile[]> {
  // The prefix may end in the middle of a name: what it has before its last slash is the folder to look in.
  const from = pathOf(root, prefix.slice(0, prefix.lastIndexOf('/') + 1))
  const entries = await readdir(from, { recursive: true, withFileTypes: true }).catch(ifMissing([]))
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const wanted = files.map((path) => ({ path, name: relative(root, path).split(sep).join('/') })).filter(({ name }) => name.startsWith(prefix))
  const found = await Promise.all(
    wanted.map(async ({ path, name }) => {
      const { size } = await stat(path).catch(ifMissing({ size: -1 }))
      return { name, bytes: size }
    }),
  )
  return found.filter(({ bytes }) => bytes >= 0)
}

async function* readChunks(path: string, name: string, signal: AbortSignal | undefined): AsyncIterable<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 256 * 1024, ...(signal === undefined ? {} : { signal }) }) as AsyncIterable<Uint8Array>
  } catch (error) {
    throw storeError(`read ${name}`, error)
  }
}

/** Under another name first; on the disk before it gets its own. */
async function writeWhole(path: string, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const temporary = join(folder, `.${randomUUID()}.partial`)
  try {
    const file = await open(temporary, 'wx')
    try {
      for await (const chunk of chunks) {
        signal?.throwIfAborted()
        await file.writeFile(chunk)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    // What nobody waits for any more must not appear later.
    signal?.throwIfAborted()
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** A rename is on the disk when the folder is. Not every file system has folders that can be told so. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null)
  await handle?.sync().catch(() => {})
  await handle?.close()
}

async function removeFiles(root: string, prefix: string): Promise<void> {
  if (prefix.endsWith('/')) return rm(pathOf(root, prefix), { recursive: true, force: true })
  for (const { name } of await listFiles(root, prefix)) {
    await rm(pathOf(root, name), { force: true })
    // The folder goes with its last file.
    await rmdir(dirname(pathOf(root, name))).catch(() => {})
  }
}

/** No name leads out of the folder. */
function pathOf(root: string, name: string): string {
  const path = resolve(root, name)
  if (path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)) return path
  throw new BackupError(`"${name}" lies outside of the folder of the backups`, { code: 'ERR_CLICKHOUSE_BACKUP_STORE', status: 400 })
}

async function guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storeError(what, error)
  }
}

/** Failures of the file system become ours; what came out of the chunks stays what it is. */
function storeError(what: string, error: unknown): unknown {
  const { code, syscall } = error as { code?: string; syscall?: string }
  if (syscall === undefined) return error
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  return new BackupError(`the place of the backups can't ${what}: ${code ?? 'failed'}${full ? '; make room there' : '; look at the rights of the folder'}`, {
    code: code === 'ENOENT' ? 'ERR_CLICKHOUSE_BACKUP_NOT_FOUND' : 'ERR_CLICKHOUSE_BACKUP_STORE',
    cause: error,
    context: { systemCode: code },
  })
}

function ifMissing<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if ((error as { code?: string }).code === 'ENOENT') return instead
    throw error
  }
}
