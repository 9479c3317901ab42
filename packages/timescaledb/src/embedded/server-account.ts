import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ServerAccount } from './supervisor-protocol.ts'

const FALLBACK: ServerAccount = { uid: 65534, gid: 65534 }

/**
 * Under which account the server runs: ours, unless we are root, as whom PostgreSQL refuses to run.
 * Then the owner of an existing cluster, or else `nobody`.
 */
export async function chooseAccount(dataDir: string): Promise<ServerAccount | null> {
  if (process.getuid?.() !== 0) return null
  const owner = await stat(join(dataDir, 'cluster')).catch(() => undefined)
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const fields = /^nobody:.*$/m.exec(users)?.[0].split(':')
  return fields ? { uid: Number(fields[2]), gid: Number(fields[3]) } : FALLBACK
}

/** Whether an account may walk to a folder and read it. */
export async function isReachable(folder: string, account: ServerAccount): Promise<boolean> {
  let path = await realpath(folder).catch(() => undefined)
  if (path === undefined) return false
  for (;;) {
    const found = await stat(path)
    const shift = found.uid === account.uid ? 6 : found.gid === account.gid ? 3 : 0
    if (((found.mode >> shift) & 0o1) === 0) return false
    const parent = dirname(path)
    if (parent === path) return true
    path = parent
  }
}
