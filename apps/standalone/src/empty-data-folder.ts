import { existsSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'

const PARTS = ['broker', 'clickhouse', 'postgres', 'admin.token']

/**
 * Deletes what an earlier run left, when it is asked to, or when an earlier deletion was cut off: a folder that has lost its broker
 * but not its stores would take the same events in a second time. A mark beside the data says so until all of it is gone.
 */
export async function emptyDataFolder(dataDir: string, asked: boolean): Promise<void> {
  const mark = join(dataDir, 'emptying')
  if (!asked && !existsSync(mark)) return
  await writeDurably(mark)
  for (const part of PARTS) await rm(join(dataDir, part), { recursive: true, force: true })
  await rm(mark)
}

async function writeDurably(path: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
