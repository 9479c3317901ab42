import { existsSync } from 'node:fs'
import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from '../../toolchain/lock.mjs'
import { cacheFolder } from './services-folder.ts'

/** What is told while something takes its time. */
export type Progress = (line: string) => void

export interface InstallOptions {
  /** Name of the folder: what it is and in which version, so that another version gets another folder. */
  readonly name: string
  /** Told when it takes longer than a look into the cache. @default silent */
  readonly progress?: Progress | undefined
  /** Fills the folder. It is thrown away when this fails or the process is killed. */
  readonly fill: (folder: string) => Promise<void>
}

/**
 * Answers a folder of the cache, and fills it when it isn't there. It is filled beside its place and moved there whole:
 * what has the name is complete. Of several processes that want it, one fills it and the others wait.
 */
export async function installOnce({ name, progress = () => {}, fill }: InstallOptions): Promise<string> {
  const place = join(await cacheFolder(), name)
  if (existsSync(place)) return place
  const onWait = (pid: number): void => progress(`waiting for process ${pid}, which is installing ${name}`)
  return withLock(`${place}.lock`, { onWait }, async () => {
    if (existsSync(place)) return place
    const draft = `${place}.partial`
    await rm(draft, { recursive: true, force: true })
    await mkdir(draft, { recursive: true })
    await chmod(draft, 0o755)
    try {
      await fill(draft)
      await rename(draft, place)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
    return place
  })
}
