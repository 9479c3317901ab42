import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Durability } from './file-segment-bytes.ts'

/** Replaces a file so that whoever looks sees the old content or the new, never a part; after a crash too. */
export async function writeFileAtomically(path: string, content: string | Uint8Array, durability: Durability): Promise<void> {
  const temporary = `${path}.tmp`
  const handle = await open(temporary, 'w')
  try {
    await handle.writeFile(content)
    if (durability === 'fsync') await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
  if (durability === 'fsync') await syncFolder(dirname(path))
}

/** Makes the names in a folder durable: a synced file whose name isn't is lost all the same. */
export async function syncFolder(path: string): Promise<void> {
  // Windows has no handle for a folder, and needs none.
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The file's content; undefined when there is no such file. */
export async function readFileIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
