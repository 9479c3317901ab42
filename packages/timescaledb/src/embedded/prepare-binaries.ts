import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { TimescaleOperationError } from '../errors.ts'
import { cacheFolders } from './embedded-config.ts'
import type { PostgresBinaries } from './find-binaries.ts'
import { isReachable } from './server-account.ts'
import type { ServerAccount } from './supervisor-protocol.ts'

/** A library's other name, as the package lists it: paths from the package's root. */
interface LibraryLink {
  readonly source: string
  readonly target: string
}

/**
 * Returns a `bin` folder that the account can run: the package's own, if its libraries have all their names and the
 * account can walk there, else a copy in a cache folder. (npm packages can't hold links, and package managers block the
 * install script that would make them.)
 */
export async function prepareBinaries(binaries: PostgresBinaries, account: ServerAccount | null, cache = cacheFolders(account !== null)): Promise<string> {
  const links = await readLinks(binaries.native)
  const complete = links.every((link) => existsSync(join(dirname(binaries.native), link.target)))
  if (complete && (account === null || (await isReachable(binaries.native, account)))) return join(binaries.native, 'bin')
  const failures: unknown[] = []
  for (const folder of cache) {
    try {
      return join(await copyTo(folder, binaries, links, account), 'bin')
    } catch (error) {
      failures.push(error)
    }
  }
  throw new TimescaleOperationError(
    `no folder for a runnable copy of PostgreSQL's binaries: tried ${cache.join(' and ')}; make one of them writable${account ? ' and open to all users' : ''}`,
    { code: 'ERR_TIMESCALEDB_FOLDER_UNREACHABLE', cause: new AggregateError(failures), context: { folders: cache } },
  )
}

async function readLinks(native: string): Promise<LibraryLink[]> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  return JSON.parse(text) as LibraryLink[]
}

/** A copy is made beside its place and moved there whole, so that it is complete as soon as it is there. */
async function copyTo(cache: string, binaries: PostgresBinaries, links: readonly LibraryLink[], account: ServerAccount | null): Promise<string> {
  const mode = account === null ? 0o700 : 0o755
  const place = join(cache, binaries.label)
  await mkdir(cache, { recursive: true, mode })
  await requireOurs(cache)
  if (!existsSync(place)) {
    const draft = `${place}.${randomUUID()}`
    try {
      await copyFolder(binaries.native, draft, mode)
      for (const link of links) await symlink(basename(link.source), join(draft, link.target.replace(/^native\//, ''))).catch(ignoreExisting)
      await rename(draft, place).catch(ignoreExisting)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  }
  if (account !== null && !(await isReachable(place, account))) {
    throw new TimescaleOperationError(`${place} lies in a folder that is closed to the server's account`, { code: 'ERR_TIMESCALEDB_FOLDER_UNREACHABLE' })
  }
  return place
}

/** In a folder for everybody, such as `/tmp`, somebody else may have been there first. */
async function requireOurs(folder: string): Promise<void> {
  const found = await lstat(folder)
  if (process.platform === 'win32' || (found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0)) return
  throw new TimescaleOperationError(`${folder} belongs to somebody else or can be written by others`, { code: 'ERR_TIMESCALEDB_FOLDER_UNREACHABLE' })
}

async function copyFolder(from: string, to: string, mode: number): Promise<void> {
  await mkdir(to, { mode })
  await chmod(to, mode)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    // Static libraries and build files are of no use at run time.
    if (entry.name.endsWith('.a') || entry.name === 'pkgconfig' || entry.name === 'pgxs') continue
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyFolder(source, target, mode)
    else if (entry.isSymbolicLink()) continue
    else await copyFile(source, target).then(() => chmod(target, isRunnable(entry.name, from) ? mode : mode & 0o644))
  }
}

function isRunnable(name: string, folder: string): boolean {
  return basename(folder) === 'bin' || /\.(so|dylib|dll)(\.|$)/.test(name)
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST' && error.code !== 'ENOTEMPTY' && error.code !== 'EPERM') throw error
}
