// Is whoever started us still there? npm does not always pass a signal on, and a killed npm cannot.
import { findProcess, isAlive } from './process-table.mjs'

const EVERY_MS = 300
const SHELLS = /^-?(sh|ash|bash|dash|ksh|zsh)$/

/** Calls `onGone` once when our parent (or the npm above the shell that npm started us through) is gone. */
export function watchParent(onGone, { env = process.env, everyMs = EVERY_MS } = {}) {
  const parent = process.ppid
  const npm = npmAboveShell(parent, env)
  const timer = setInterval(() => {
    if (parentIs(parent) && (npm === undefined || isAlive(npm))) return
    clearInterval(timer)
    onGone()
  }, everyMs)
  timer.unref()
}

/** npm runs a script as `sh -c`; some shells stay in between, and would outlive a killed npm for as long as we run. */
function npmAboveShell(parent, env) {
  if (env.npm_lifecycle_event === undefined) return undefined
  const shell = findProcess(parent)
  return shell !== undefined && SHELLS.test(shell.name) ? findProcess(shell.parent) : undefined
}

function parentIs(pid) {
  if (process.platform !== 'win32') return process.ppid === pid
  try {
    process.kill(pid, 0) // Windows never gives an orphan another parent
    return true
  } catch {
    return false
  }
}
