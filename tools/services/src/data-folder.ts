import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { forgetFolder, removeAfterUs } from './reaper.ts'

/** Where a server keeps its data. */
export interface DataFolder {
  readonly path: string
  /** Whether nobody wants it after the server's end. */
  readonly isTemporary: boolean
  /** Removes it, if it is temporary. */
  remove(): Promise<void>
}

/** The folder that is named, else a temporary one that goes with its server, or with our process at the latest. */
export async function openDataFolder(named: string | undefined, what: string): Promise<DataFolder> {
  if (named !== undefined) {
    const path = resolve(named)
    await mkdir(path, { recursive: true })
    return { path, isTemporary: false, remove: async () => {} }
  }
  const path = await mkdtemp(join(tmpdir(), `smart-whale-${what}-`))
  removeAfterUs(path)
  const remove = async (): Promise<void> => {
    await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    forgetFolder(path)
  }
  return { path, isTemporary: true, remove }
}
