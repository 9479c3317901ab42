import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { childEnvironment } from './embedded-config.ts'
import { pathFromInside, type ServerFolder } from './server-folder.ts'
import { type ServerExit, StartFailure, type SupervisorJob } from './supervisor-protocol.ts'

const POLL_MS = 20
const KEPT_LINES = 20
const LAST_WORDS_MS = 500

/** Settings of every embedded server; the caller's own win over them. */
const DEFAULT_SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: '96MB',
  max_connections: '60',
  huge_pages: 'off',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  log_line_prefix: '',
  // Neither statements nor rows belong into a log.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
}

/** A running `postgres`. */
export interface ServerProcess {
  readonly pid: number
  readonly exited: Promise<ServerExit>
  hasEnded(): boolean
  /** The newest lines that it wrote. */
  readonly lastLines: readonly string[]
}

/** Spawns `postgres` on the folder; it is not ready yet. */
export async function spawnServer(folder: ServerFolder, port: number, job: SupervisorJob, onLine: (line: string) => void): Promise<ServerProcess> {
  const program = join(job.binFolder, process.platform === 'win32' ? 'postgres.exe' : 'postgres')
  const settings = { ...DEFAULT_SETTINGS, ...job.settings, listen_addresses: '127.0.0.1', unix_socket_directories: '', port: String(port) }
  const parameters = ['-D', pathFromInside(folder.cluster, job.account), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const child = spawn(program, parameters, { cwd: folder.cluster, env: childEnvironment(), stdio: ['ignore', 'ignore', 'pipe'], ...(job.account ?? {}) })
  const lastLines: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastLines.push(line)
    if (lastLines.length > KEPT_LINES) lastLines.shift()
    onLine(line)
  })
  const exited = whenExited(child)
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
  return { pid: await spawnedPid(child, program), exited, hasEnded, lastLines }
}

/** The end of the process, with all that it wrote; processes of a killed server that linger are not waited for. */
function whenExited(child: ChildProcess): Promise<ServerExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const settle = (): void => resolve({ code, signal })
      const timer = setTimeout(settle, LAST_WORDS_MS)
      child.once('close', () => {
        clearTimeout(timer)
        settle()
      })
    })
  })
}

function spawnedPid(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number))
    child.once('error', (error) => reject(new StartFailure('ERR_TIMESCALEDB_START_FAILED', `${program} can't be run: ${error.message}`)))
  })
}

/** Resolves when the server says in its lock file that it accepts connections. */
export async function awaitReady(server: ServerProcess, folder: ServerFolder, signal: AbortSignal): Promise<void> {
  const lock = join(folder.cluster, 'postmaster.pid')
  for (;;) {
    if (server.hasEnded()) {
      await server.exited
      throw startFailure(server.lastLines, folder)
    }
    const lines = (await readFile(lock, 'utf8').catch(() => '')).split('\n')
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return
    await sleep(POLL_MS, undefined, { signal })
  }
}

/** Whether the lines say that processes of a server that was killed have not ended yet: worth another try. */
export function isStillHeld(lines: readonly string[]): boolean {
  return lines.some((line) => line.includes('pre-existing shared memory block') || /lock file ".*" already exists/.test(line))
}

const BROKEN_FOLDER = /could not (locate|find|read|open|access|map)|invalid|incorrect|corrupt|incompatible|not a database|not a valid|missing|unrecognized|checksum|bogus|does not exist|requested timeline|PANIC/

function startFailure(lines: readonly string[], folder: ServerFolder): StartFailure {
  const context = { dataDir: folder.dataDir }
  if (isStillHeld(lines)) {
    return new StartFailure('ERR_TIMESCALEDB_FOLDER_BUSY', `the data folder ${folder.dataDir} is in use by another PostgreSQL; stop that one, or choose another folder`, context)
  }
  const fatal = lines.find((line) => /^(FATAL|PANIC):/.test(line)) ?? lines.at(-1) ?? 'it ended without a word'
  const reason = fatal.replace(/^(FATAL|PANIC):\s*/, '')
  if (lines.some((line) => /Address already in use|could not create any TCP\/IP sockets/.test(line))) {
    return new StartFailure('ERR_TIMESCALEDB_PORT_BUSY', 'the port is in use by another program; choose another port', context)
  }
  if (/configuration parameter|parameter "|invalid value for/.test(fatal)) {
    return new StartFailure('ERR_TIMESCALEDB_START_FAILED', `PostgreSQL refuses a setting: ${reason}`, context)
  }
  if (BROKEN_FOLDER.test(lines.join('\n'))) {
    const remedy = 'restore the folder from a backup, or move it away to begin anew'
    return new StartFailure('ERR_TIMESCALEDB_FOLDER_CORRUPT', `PostgreSQL can't start on ${folder.dataDir}, its files are damaged: ${reason}; ${remedy}`, context)
  }
  return new StartFailure('ERR_TIMESCALEDB_START_FAILED', `PostgreSQL ended while it started on ${folder.dataDir}: ${reason}`, context)
}

/** Ends the server: asks it, then insists, then kills. */
export async function endServer(server: ServerProcess, folder: ServerFolder, job: SupervisorJob, patienceMs: number): Promise<ServerExit> {
  if (server.hasEnded()) return server.exited
  for (const [mode, waitMs] of [['fast', patienceMs], ['immediate', 3_000]] as const) {
    signalServer(server, folder, job, mode)
    const exit = await Promise.race([server.exited, sleep(waitMs, undefined, { ref: false })])
    if (exit) return exit
  }
  killQuietly(server.pid, 'SIGKILL')
  return server.exited
}

function signalServer(server: ServerProcess, folder: ServerFolder, job: SupervisorJob, mode: 'fast' | 'immediate'): void {
  if (process.platform !== 'win32') return killQuietly(server.pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
  // Windows has no signals: pg_ctl speaks through a pipe of the server's own.
  const control = join(job.binFolder, 'pg_ctl.exe')
  if (existsSync(control)) execFile(control, ['stop', '-D', folder.cluster, '-m', mode, '-W'], { env: childEnvironment() }, () => {})
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone already.
  }
}

/** The wished port if it is free, or any free one for 0. */
export function claimPort(wished: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => reject(portFailure(error, wished)))
    probe.listen({ port: wished, host: '127.0.0.1', exclusive: true }, () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}

function portFailure(error: NodeJS.ErrnoException, port: number): StartFailure {
  const reason = error.code === 'EADDRINUSE' ? 'is in use by another program' : error.code === 'EACCES' ? 'needs rights that this account lacks' : `can't be used (${error.code})`
  return new StartFailure('ERR_TIMESCALEDB_PORT_BUSY', `port ${port} on 127.0.0.1 ${reason}; choose another port`, { port })
}
