import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** What the server's processes see of our environment: nothing that PostgreSQL would take for a setting. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const { PATH, SystemRoot, TEMP } = process.env
  return {
    LC_ALL: 'C',
    TZ: 'UTC',
    ...(PATH === undefined ? {} : { PATH }),
    ...(SystemRoot === undefined ? {} : { SystemRoot }),
    ...(TEMP === undefined ? {} : { TEMP }),
  }
}

/** Where runnable copies of the binaries may be kept, best first. */
export function cacheFolders(asRoot: boolean): string[] {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  const ofTheUser =
    process.platform === 'win32'
      ? (LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'))
      : process.platform === 'darwin'
        ? join(homedir(), 'Library', 'Caches')
        : XDG_CACHE_HOME || join(homedir(), '.cache')
  const shared = join(tmpdir(), `smart-whale-${userInfo().username}`)
  return [join(asRoot && process.platform !== 'win32' ? '/var/cache' : ofTheUser, 'smart-whale'), shared]
}
