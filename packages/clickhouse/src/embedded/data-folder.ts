import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigurationError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { serverFolders } from './server-config.ts'

/** Makes the folders that a server works in. @throws ConfigurationError `ERR_CLICKHOUSE_FOLDER_UNUSABLE` */
export async function prepareFolders(dataDir: string): Promise<void> {
  const folders = serverFolders(dataDir)
  try {
    for (const folder of [folders.server, folders.backups]) await mkdir(folder, { recursive: true, mode: 0o700 })
    const probe = join(dataDir, `.probe-${process.pid}`)
    await writeFile(probe, '')
    await rm(probe)
  } catch (cause) {
    throw new ConfigurationError<ClickHouseErrorCode>(
      `"${dataDir}" can't be a data folder: ${(cause as Error).message}; name a folder that this user may write to`,
      { code: 'ERR_CLICKHOUSE_FOLDER_UNUSABLE', cause, context: { dataDir } },
    )
  }
}

const launcherFile = (dataDir: string): string => join(dataDir, 'launcher.pid')

/** Leaves word that this process runs a server on the folder. */
export async function recordLauncher(dataDir: string): Promise<void> {
  await writeFile(launcherFile(dataDir), String(process.pid))
}

/** Takes the word back, after a server that ended in order. */
export async function forgetLauncher(dataDir: string): Promise<void> {
  await rm(launcherFile(dataDir), { force: true })
}

/**
 * What became of the process that last ran a server on the folder. Only a hint for how long to wait: the server's own
 * lock decides who has the folder.
 */
export async function previousLauncher(dataDir: string): Promise<'none' | 'alive' | 'gone'> {
  const pid = Number(await readFile(launcherFile(dataDir), 'utf8').catch(() => ''))
  if (!Number.isInteger(pid) || pid <= 0) return 'none'
  return pid !== process.pid && isAlive(pid) ? 'alive' : 'gone'
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
