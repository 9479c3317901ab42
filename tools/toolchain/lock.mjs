// Which of two launchers that start at once sets things up? The one that holds the lock file; the other waits for it.
import { mkdirSync, renameSync, rmdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endTree } from './end-tree.mjs'
import { createLockFile, identityOf, isStale, modifiedAt, readLockFile, SILENT_MS } from './lock-file.mjs'
import { isAlive } from './process-table.mjs'
import { SetupError } from './setup-error.mjs'

const POLL_MS = 200
const TAKEOVER_POLL_MS = 20
const HEARTBEAT_MS = 2_000
/** Longer than everything that is done under the lock, each part of which has its own limit. */
const GIVE_UP_MS = 40 * 60_000
/** How long a child that outlived its launcher is given to end by itself. */
const ORPHAN_GRACE_MS = 5_000

/**
 * Runs `work` while no other launcher does; takes over from an owner that died.
 * `work` gets a function that notes the child it is waiting for: a killed launcher cannot end it, so its successor does.
 */
export async function withLock(path, { onWait = () => {}, isCancelled = () => false, giveUpMs = GIVE_UP_MS } = {}, work) {
  mkdirSync(dirname(path), { recursive: true })
  const me = { ...identityOf(process.pid), host: hostname() }
  await acquire(path, me, { onWait, isCancelled, giveUpMs })
  const isMine = () => readLockFile(path)?.owner?.pid === me.pid
  const heartbeat = setInterval(() => touch(path), HEARTBEAT_MS)
  const release = () => {
    if (isMine()) rmSync(path, { force: true })
  }
  const noteChild = (child) => {
    if (child.pid === undefined || !isMine()) return
    writeFileSync(`${path}.next`, JSON.stringify({ ...me, child: identityOf(child.pid) }))
    renameSync(`${path}.next`, path)
  }
  process.once('exit', release)
  try {
    return await work(noteChild)
  } finally {
    clearInterval(heartbeat)
    process.off('exit', release)
    release()
  }
}

async function acquire(path, me, { onWait, isCancelled, giveUpMs }) {
  const deadline = Date.now() + giveUpMs
  let told = false
  while (!createLockFile(path, me)) {
    if (isCancelled()) throw new SetupError('stopped while waiting for another launcher.')
    if (Date.now() > deadline) throw new SetupError(`another launcher has held ${path} for too long: end it, or delete that file.`)
    const held = readLockFile(path)
    if (held !== undefined && isStale(held)) {
      await endOrphan(held.owner)
      removeStale(path)
      await sleep(TAKEOVER_POLL_MS)
      continue
    }
    if (!told && held?.owner !== undefined) {
      told = true
      onWait(held.owner.pid)
    }
    await sleep(POLL_MS)
  }
}

/** An npm or pnpm that a killed launcher left behind would go on writing where its successor begins anew. */
async function endOrphan(owner) {
  if (owner?.host !== hostname() || owner.child === undefined || !isAlive(owner.child)) return
  await endTree(owner.child.pid, { graceMs: ORPHAN_GRACE_MS })
}

/** Two waiters may judge the same lock stale; without turns the slower one would delete the quicker one's new lock. */
function removeStale(path) {
  const turn = `${path}.takeover`
  try {
    mkdirSync(turn)
  } catch {
    const since = modifiedAt(turn)
    if (since !== undefined && Date.now() - since > SILENT_MS) rmSync(turn, { recursive: true, force: true })
    return
  }
  try {
    const held = readLockFile(path)
    if (held !== undefined && isStale(held)) rmSync(path, { force: true })
  } finally {
    rmdirSync(turn)
  }
}

function touch(path) {
  try {
    utimesSync(path, new Date(), new Date())
  } catch {
    // the folder was deleted under us; the next launcher starts afresh
  }
}
