import { readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, isSameProcess, markProcess, type ProcessMark, programName, workingFolder } from './process-state.ts'
import type { ServerFolder } from './server-folder.ts'
import { StartFailure } from './supervisor-protocol.ts'

/** Who runs the server of a folder. */
interface Owner {
  readonly server: ProcessMark
  readonly supervisor: ProcessMark
  readonly parent: ProcessMark
}

const POLL_MS = 50
/** How long an old server that has lost its owner may take to end by itself or by our signal, before a harder one. */
const PATIENCE_MS = 8_000

/** Notes in the folder who runs its server, for a later start to judge by. */
export async function noteOwner(folder: ServerFolder, serverPid: number, parentPid: number): Promise<void> {
  const owner: Owner = { server: markProcess(serverPid), supervisor: markProcess(process.pid), parent: markProcess(parentPid) }
  await writeFile(folder.ownerFile, `${JSON.stringify(owner)}\n`, { mode: 0o600 })
}

/**
 * Waits until no server runs on the folder. One whose owner is gone is waited for, and ended when its supervisor is gone too.
 *
 * @throws StartFailure `ERR_TIMESCALEDB_FOLDER_BUSY` at once when its owner lives, or at the deadline
 */
export async function awaitFolderFree(folder: ServerFolder, deadline: number, signal: AbortSignal): Promise<void> {
  const began = performance.now()
  for (;;) {
    const pid = await runningServer(folder)
    if (pid === undefined) return
    const owner = await readOwner(folder)
    const ours = owner?.server.pid === pid ? owner : undefined
    if (ours && isSameProcess(ours.parent)) throw busy(folder, pid, `process ${ours.parent.pid} is using it`)
    if (performance.now() > deadline) throw busy(folder, pid, 'it did not end in time')
    // Without a supervisor nobody else will end it. Only one that we started is ended.
    if (ours && !isSameProcess(ours.supervisor)) endOrphan(pid, performance.now() - began)
    if (!ours && performance.now() - began > PATIENCE_MS) throw busy(folder, pid, 'it was not started by this package')
    await sleep(POLL_MS, undefined, { signal })
  }
}

/** The server that holds the folder. A lock file that a crash left behind is no server, and is removed. */
async function runningServer(folder: ServerFolder): Promise<number | undefined> {
  const lock = join(folder.cluster, 'postmaster.pid')
  const pid = Number((await readFile(lock, 'utf8').catch(() => '')).split('\n')[0])
  if (!isAlive(pid)) return undefined
  const standsIn = workingFolder(pid)
  const isOther = (programName(pid) ?? 'postgres') !== 'postgres' || (standsIn !== null && standsIn !== (await realpath(folder.cluster)))
  if (!isOther) return pid
  // The id belongs to something else by now: usual in containers, where ids begin anew with each start.
  await rm(lock, { force: true })
  return undefined
}

async function readOwner(folder: ServerFolder): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(folder.ownerFile, 'utf8')) as Owner
  } catch {
    return undefined
  }
}

function endOrphan(pid: number, waitedMs: number): void {
  const signal = waitedMs < PATIENCE_MS / 2 ? 'SIGINT' : waitedMs < PATIENCE_MS ? 'SIGQUIT' : 'SIGKILL'
  try {
    process.kill(pid, signal)
  } catch {
    // Gone meanwhile.
  }
}

function busy(folder: ServerFolder, pid: number, why: string): StartFailure {
  return new StartFailure(
    'ERR_TIMESCALEDB_FOLDER_BUSY',
    `the data folder ${folder.dataDir} is in use by a running PostgreSQL (process ${pid}): ${why}; stop that one, or choose another folder`,
    { dataDir: folder.dataDir, pid },
  )
}
