// How does a command end when nobody is left to wait for it? It is asked, then it and all it started are killed.
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { descendantsOf, findProcess, isAlive, listProcesses } from './process-table.mjs'

const POLL_MS = 100

/** Sends SIGTERM to the process (unless `asked` already), and after the grace SIGKILL to whatever of its tree remains. */
export async function endTree(pid, { graceMs, asked = false }) {
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore', timeout: 10_000 })
    return
  }
  const tree = new Map()
  collect(tree, findProcess(pid))
  if (!asked) send(pid, 'SIGTERM')

  const deadline = Date.now() + graceMs
  while (living(tree).length > 0 && Date.now() < deadline) await sleep(POLL_MS)
  for (const entry of living(tree)) send(entry.pid, 'SIGKILL')
}

/** What of the tree still lives; takes in what it has started in the meantime, so that an orphan is not lost sight of. */
function living(tree) {
  const processes = listProcesses()
  for (const known of [...tree.values()]) collect(tree, known, processes)
  return [...tree.values()].filter(isAlive)
}

function collect(tree, entry, processes) {
  if (entry === undefined || !isAlive(entry)) return
  for (const found of [entry, ...descendantsOf(entry.pid, processes)]) tree.set(`${found.pid}@${found.startedAt}`, found)
}

function send(pid, signal) {
  try {
    process.kill(pid, signal)
  } catch {
    // it ended by itself in the meantime
  }
}
