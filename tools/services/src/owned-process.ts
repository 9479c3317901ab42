import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { signalTree } from './process-tree.ts'
import { dieWithUs, forgetProcess } from './reaper.ts'
import { ServiceError } from './service-error.ts'

/** How a process ended. */
export interface ProcessExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface SpawnOptions {
  readonly command: string
  readonly args: readonly string[]
  /** File that gets what the process prints; it is appended to. */
  readonly logFile: string
  readonly cwd?: string | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly account?: { readonly uid: number; readonly gid: number } | null | undefined
}

/** A process that ends with ours, however ours ends. */
export interface OwnedProcess {
  readonly pid: number
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<ProcessExit>
  hasEnded(): boolean
  /** Asks it to end, and kills it and its children when it hasn't after that time. */
  end(graceMs: number): Promise<void>
}

/** Starts a process that writes to a log file. @throws ServiceError when it can't be run */
export async function spawnOwned({ command, args, logFile, cwd, env, account }: SpawnOptions): Promise<OwnedProcess> {
  const log = openSync(logFile, 'a')
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    // Apart from our process group: a Ctrl-C must reach us, not the server under us.
    detached: true,
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(account ?? {}),
  })
  closeSync(log)
  const exited = new Promise<ProcessExit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  const pid = await spawnedPid(child, command)
  dieWithUs(pid)
  void exited.then(() => forgetProcess(pid))
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  const end = async (graceMs: number): Promise<void> => {
    if (hasEnded()) return
    if (graceMs > 0) signalTree(pid, 'SIGTERM')
    await Promise.race([exited, sleep(graceMs, undefined, { ref: false })])
    if (!hasEnded()) signalTree(pid, 'SIGKILL')
    await exited
  }
  return { pid, exited, hasEnded, end }
}

/** The end of a log file, for a message about a failure. */
export async function lastLines(logFile: string, count = 5): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

function spawnedPid(child: ChildProcess, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number))
    child.once('error', (cause) => reject(new ServiceError(`${command} can't be run: ${cause.message}`, { code: 'ERR_SERVICES_START_FAILED', remedy: 'see whether it is there and may be run', cause })))
  })
}
