/**
 * The process between a program and its embedded PostgreSQL. It starts the server, and ends it when told,
 * or when its standard input closes: the program is gone then, however it died.
 */
import { createInterface } from 'node:readline'
import { awaitFolderFree, noteOwner } from './old-server.ts'
import { prepareCluster, prepareDataDir, type ServerFolder, serverFolder } from './server-folder.ts'
import { awaitReady, claimPort, endServer, isStillHeld, type ServerProcess, spawnServer } from './server-process.ts'
import { StartFailure, type SupervisorCommand, type SupervisorJob, type SupervisorReport } from './supervisor-protocol.ts'

/** How long a fast shutdown may take: asked for, or because the program is gone. */
const PATIENCE_ASKED_MS = 15_000
const PATIENCE_ORPHANED_MS = 4_000

const PORT_ATTEMPTS = 5

const stopping = new AbortController()
let patienceMs = PATIENCE_ASKED_MS

function report(message: SupervisorReport): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

/** Runs the server from start to end. */
async function supervise(job: SupervisorJob): Promise<void> {
  const folder = serverFolder(job.dataDir)
  const startSignal = AbortSignal.any([stopping.signal, AbortSignal.timeout(job.startTimeoutMs)])
  let server: ServerProcess | undefined
  try {
    const deadline = performance.now() + job.startTimeoutMs * 0.9
    await prepareDataDir(job.dataDir, job.account)
    await awaitFolderFree(folder, deadline, startSignal)
    const skipSync = job.settings['fsync'] === 'off'
    const password = await prepareCluster(folder, { binFolder: job.binFolder, account: job.account, skipSync, signal: startSignal })
    const started = await startOnPort(folder, job, deadline, startSignal)
    server = started.server
    report({ kind: 'ready', pid: server.pid, port: started.port, password })
  } catch (error) {
    if (!stopping.signal.aborted) report(failedReport(causeOf(error, startSignal), job))
    return
  }
  const wish = new Promise<'stop'>((resolve) => stopping.signal.addEventListener('abort', () => resolve('stop'), { once: true }))
  if (stopping.signal.aborted || (await Promise.race([server.exited, wish])) === 'stop') await endServer(server, folder, job, patienceMs)
  report({ kind: 'exited', ...(await server.exited) })
}

/** Starts the server on its port; on another one when another program took the free one that was found, before the server could. */
async function startOnPort(folder: ServerFolder, job: SupervisorJob, deadline: number, signal: AbortSignal): Promise<{ server: ServerProcess; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await claimPort(job.port)
    try {
      return { server: await startServer(folder, port, job, deadline, signal), port }
    } catch (error) {
      const wasTaken = error instanceof StartFailure && error.code === 'ERR_TIMESCALEDB_PORT_BUSY'
      if (!wasTaken || job.port !== 0 || attempt === PORT_ATTEMPTS) throw error
    }
  }
}

/** Starts the server, again as long as processes of one that was killed are still ending. */
async function startServer(folder: ServerFolder, port: number, job: SupervisorJob, deadline: number, signal: AbortSignal): Promise<ServerProcess> {
  for (;;) {
    const server = await spawnServer(folder, port, job, (line) => report({ kind: 'log', line }))
    report({ kind: 'started', pid: server.pid })
    try {
      await noteOwner(folder, server.pid, job.parentPid)
      await awaitReady(server, folder, signal)
      return server
    } catch (error) {
      await endServer(server, folder, job, PATIENCE_ORPHANED_MS)
      if (signal.aborted || !isStillHeld(server.lastLines) || performance.now() > deadline) throw error
      await awaitFolderFree(folder, deadline, signal)
    }
  }
}

/** Once the time is over, what is ended for it may fail in any way: that the time is over is the reason then. */
function causeOf(error: unknown, startSignal: AbortSignal): unknown {
  const isSpecific = error instanceof StartFailure && error.code !== 'ERR_TIMESCALEDB_START_FAILED'
  return startSignal.aborted && !isSpecific ? startSignal.reason : error
}

function failedReport(error: unknown, job: SupervisorJob): SupervisorReport {
  if (error instanceof StartFailure) return { kind: 'failed', code: error.code, message: error.message, context: error.context }
  const { name, code, message } = error as NodeJS.ErrnoException
  const context = { dataDir: job.dataDir }
  if (name === 'AbortError' || name === 'TimeoutError') {
    return { kind: 'failed', code: 'ERR_TIMESCALEDB_TIMEOUT', message: `PostgreSQL was not ready after ${job.startTimeoutMs} ms on ${job.dataDir}; raise startTimeoutMs, or look into its log`, context }
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return { kind: 'failed', code: 'ERR_TIMESCALEDB_FOLDER_UNREACHABLE', message: `the data folder ${job.dataDir} can't be used: ${message}; choose a folder that this account may write to`, context }
  }
  return { kind: 'failed', code: 'ERR_TIMESCALEDB_START_FAILED', message: `PostgreSQL can't be started on ${job.dataDir}: ${message}`, context }
}

function stop(patience: number): void {
  patienceMs = patience
  stopping.abort()
}

// The program decides when to end: a Ctrl-C in its terminal must not take the database from under it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
// Reports to a program that is gone have nowhere to go.
process.stdout.on('error', () => {})

const input = createInterface({ input: process.stdin })
let started = false
input.on('line', (line) => {
  if (started) return (JSON.parse(line) as SupervisorCommand).command === 'stop' ? stop(PATIENCE_ASKED_MS) : undefined
  started = true
  void supervise(JSON.parse(line) as SupervisorJob).finally(() => process.stdout.write('', () => process.exit(0)))
})
input.on('close', () => {
  stop(PATIENCE_ORPHANED_MS)
  if (!started) process.exit(0)
})
