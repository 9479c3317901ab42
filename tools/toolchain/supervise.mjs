// Who hears a signal, and when does a command have to end? One child at a time: npm, pnpm, then the command itself.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { endTree } from './end-tree.mjs'
import { SetupError } from './setup-error.mjs'
import { watchParent } from './watch-parent.mjs'

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** The same signal often comes twice at once: to the whole group, and passed on by npm. It is one wish. */
const SAME_WISH_MS = 500
/** The apps end within 10 s; whoever needs longer than this will not end by itself. */
const GRACE_MS = 15_000

export function createSupervisor({ cwd, graceMs = GRACE_MS }) {
  let child
  let signalled
  let ending
  const forwardedAt = new Map()

  const forward = (signal) => {
    signalled ??= signal
    if (signal === 'SIGINT' && inTerminalForeground()) return // the terminal has told the child itself
    if (Date.now() - (forwardedAt.get(signal) ?? 0) < SAME_WISH_MS) return
    forwardedAt.set(signal, Date.now())
    child?.kill(signal)
  }
  for (const signal of FORWARDED) process.on(signal, forward)

  watchParent(() => {
    const asked = signalled !== undefined
    signalled ??= 'SIGTERM'
    if (child?.pid !== undefined) ending = endTree(child.pid, { graceMs, asked })
  })

  return {
    /** The first signal that asked us to end. A lost parent counts as SIGTERM. */
    get signalled() {
      return signalled
    },
    get exitCodeOfSignal() {
      return exitCodeOf(signalled)
    },
    /** Starts a command, answers with its exit code. `onChild` gets the process, to read its pipes. */
    async run(command, args, { env, stdio, onChild, timeoutMs, shell = process.platform === 'win32', cwd: folder = cwd }) {
      if (signalled !== undefined) return exitCodeOf(signalled)
      child = spawn(command, args, { cwd: folder, env, stdio, shell })
      onChild?.(child)
      const code = await exitOf(child, command, timeoutMs)
      await ending
      child = undefined
      return code
    },
  }
}

function exitOf(child, command, timeoutMs) {
  return new Promise((resolve, reject) => {
    const timer =
      timeoutMs &&
      setTimeout(async () => {
        await endTree(child.pid, { graceMs: 2_000 })
        reject(new SetupError(`${command} did not finish within ${timeoutMs / 60_000} minutes and was stopped.`))
      }, timeoutMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(new SetupError(error.code === 'ENOENT' ? `command not found: ${command}` : `${command}: ${error.message}`))
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve(code ?? exitCodeOf(signal))
    })
  })
}

/** As a shell reports it. */
function exitCodeOf(signal) {
  return 128 + (constants.signals[signal] ?? 1)
}

/** A Ctrl-C goes to every process of the foreground group. Linux tells whether that is ours; elsewhere a terminal on stdin means it. */
function inTerminalForeground() {
  if (process.platform !== 'linux') return process.stdin.isTTY === true
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8')
    const [, , group, , terminal, foregroundGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return terminal !== '0' && group === foregroundGroup
  } catch {
    return process.stdin.isTTY === true
  }
}
