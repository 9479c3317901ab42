import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { OperationalError } from '../operational-errors.ts'
import { askServer } from './ask-server.ts'
import { checkStartOptions } from './check-start-options.ts'
import { forgetLauncher, prepareFolders, previousLauncher, recordLauncher } from './data-folder.ts'
import { classifyStartFailure, explainStartFailure, portInUseError } from './explain-start-failure.ts'
import { findLibrary } from './find-library.ts'
import { findFreePort, isPortFree } from './find-port.ts'
import { renderServerConfig, renderUsersConfig, type ServerUser, serverFolders } from './server-config.ts'
import { type ServerProcess, spawnServer } from './server-process.ts'
import { StartDeadline } from './start-deadline.ts'
import type { EmbeddedAccount, EmbeddedClickHouse, EmbeddedUserOptions, ServerExit, StartClickHouseOptions } from './start-options.ts'

const POLL_MS = 15
const PREDECESSOR_POLL_MS = 200
const PORT_ATTEMPTS = 5
const FLUSH_TIMEOUT_MS = 2000

/**
 * Starts a real ClickHouse server on 127.0.0.1 as a child process, and resolves when it answers queries.
 *
 * The data stays in `dataDir` between starts. The server ends with this process, however that ends.
 * @throws ValidationError for options that can't be right
 * @throws ConfigurationError `ERR_CLICKHOUSE_MISSING_PEER`, `ERR_CLICKHOUSE_UNSUPPORTED_PLATFORM`, `ERR_CLICKHOUSE_PORT_IN_USE`, `ERR_CLICKHOUSE_FOLDER_UNUSABLE`
 * @throws OperationalError `ERR_CLICKHOUSE_FOLDER_BUSY`, `ERR_CLICKHOUSE_FOLDER_CORRUPT`, `ERR_CLICKHOUSE_START_FAILED`
 * @throws TimeoutError `ERR_CLICKHOUSE_START_TIMEOUT`
 */
export async function startClickHouse(options: StartClickHouseOptions): Promise<EmbeddedClickHouse> {
  checkStartOptions(options)
  const launch = planLaunch(options)
  await prepareFolders(launch.dataDir)
  const predecessor = await previousLauncher(launch.dataDir)

  for (let portAttempt = 1; ; ) {
    launch.deadline.check()
    const outcome = await tryLaunch(launch)
    if ('server' in outcome) return outcome.server

    // A server whose parent was killed may still be about to end: it then holds the folder, and the port.
    const inTheWay = outcome.failure === 'folder-busy' ? predecessor !== 'alive' : outcome.failure === 'port-in-use' && predecessor === 'gone'
    if (inTheWay && launch.deadline.mayWaitForPredecessor()) await launch.deadline.pause(PREDECESSOR_POLL_MS)
    // Somebody was faster at taking the port that was free a moment ago.
    else if (outcome.failure === 'port-in-use' && !options.port && portAttempt < PORT_ATTEMPTS) portAttempt++
    else throw outcome.error
  }
}

/** What stays the same over the attempts of one start. */
interface Launch {
  readonly options: StartClickHouseOptions
  readonly libraryPath: string
  readonly dataDir: string
  readonly database: string
  readonly owner: EmbeddedAccount
  readonly reader: EmbeddedAccount
  readonly users: Readonly<Record<string, EmbeddedAccount>>
  readonly serverUsers: readonly ServerUser[]
  readonly deadline: StartDeadline
  readonly logger: Logger
  readonly clock: Clock
}

type LaunchOutcome =
  | { readonly server: EmbeddedClickHouse }
  | { readonly failure: ReturnType<typeof classifyStartFailure>; readonly error: Error }

function planLaunch(options: StartClickHouseOptions): Launch {
  const clock = options.clock ?? systemClock
  const database = options.database ?? 'default'
  const owner = makeAccount(options.owner, 'owner')
  const reader = makeAccount(options.reader, 'reader')
  const others = (options.users ?? []).map((user) => ({ user, account: makeAccount(user, user.username) }))
  const limited = (user: EmbeddedUserOptions | undefined, account: EmbeddedAccount): ServerUser => ({
    ...account,
    access: { databases: user?.databases ?? [database], readOnly: user?.readOnly ?? true, limits: user?.limits ?? {} },
  })
  return {
    options,
    libraryPath: findLibrary(),
    dataDir: resolve(options.dataDir),
    database,
    owner,
    reader,
    users: Object.fromEntries(others.map(({ account }) => [account.username, account])),
    serverUsers: [
      { ...owner, access: 'everything' },
      limited(options.reader, reader),
      ...others.map(({ user, account }) => limited(user, account)),
    ],
    deadline: new StartDeadline(options.startTimeoutMs ?? 30_000, options.busyTimeoutMs ?? 10_000, clock, options.signal),
    logger: options.logger ?? silentLogger,
    clock,
  }
}

function makeAccount(options: { username?: string | undefined; password?: string | undefined } | undefined, username: string): EmbeddedAccount {
  return { username: options?.username ?? username, password: options?.password ?? randomBytes(24).toString('base64url') }
}

/** One child process: either it becomes the server, or it is gone when this returns. */
async function tryLaunch(launch: Launch): Promise<LaunchOutcome> {
  const port = launch.options.port || (await findFreePort())
  if (launch.options.port && !(await isPortFree(port))) return { failure: 'port-in-use', error: portInUseError(port) }

  // Outside of the data folder and gone once the server has read them: what is in there would let anyone log in who can read it.
  const configFolder = await mkdtemp(join(tmpdir(), 'smart-whale-clickhouse-'))
  try {
    const child = spawnServer(launch.libraryPath, await writeConfig(launch, configFolder, port), launch.logger)
    const exit = await becomeReady(launch, child, port).catch(async (error: unknown) => {
      await child.kill()
      throw error
    })
    if (exit) return { failure: classifyStartFailure(exit), error: explainStartFailure(exit, launch.dataDir, port) }
    await recordLauncher(launch.dataDir)
    launch.logger.info({ port, pid: child.pid, dataDir: launch.dataDir }, 'the embedded ClickHouse is ready')
    return { server: runningServer(launch, child, port) }
  } finally {
    await rm(configFolder, { recursive: true, force: true })
  }
}

async function writeConfig(launch: Launch, folder: string, port: number): Promise<string> {
  const usersFile = join(folder, 'users.xml')
  const configFile = join(folder, 'config.xml')
  await writeFile(usersFile, renderUsersConfig(launch.serverUsers), { mode: 0o600 })
  await writeFile(configFile, renderServerConfig(launch.dataDir, port, usersFile, launch.options.config ?? {}), { mode: 0o600 })
  return configFile
}

/** Waits until the server answers its owner; answers how the child ended if it did not get there. */
async function becomeReady(launch: Launch, child: ServerProcess, port: number): Promise<ServerExit | undefined> {
  // The owner's password is known to this server alone: another one that took the port can't pass for it.
  const steps = [
    { path: '/ping', query: undefined },
    { path: '/', query: { text: `CREATE DATABASE IF NOT EXISTS \`${launch.database.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``, account: launch.owner } },
  ]
  for (const step of steps) {
    for (;;) {
      const exit = child.exit()
      if (exit) return exit
      launch.deadline.check()
      const answer = await askServer(port, step.path, step.query, Math.ceil(launch.deadline.leftMs())).catch(() => undefined)
      if (answer?.status === 200) break
      if (answer && step.query) throw new OperationalError(`the embedded ClickHouse refused its owner: ${answer.text.slice(0, 500)}`, { code: 'ERR_CLICKHOUSE_START_FAILED' })
      await launch.deadline.pause(POLL_MS)
    }
  }
  return undefined
}

function runningServer(launch: Launch, child: ServerProcess, port: number): EmbeddedClickHouse {
  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    if (!child.exit()) {
      // All that is acknowledged is in files already, but for the last seconds of the query log.
      await askServer(port, '/', { text: 'SYSTEM FLUSH LOGS', account: launch.owner }, FLUSH_TIMEOUT_MS).catch(() => {})
      await child.kill()
    }
    await forgetLauncher(launch.dataDir)
  }
  const server: EmbeddedClickHouse = {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    database: launch.database,
    owner: launch.owner,
    reader: launch.reader,
    users: launch.users,
    backupPath: serverFolders(launch.dataDir).backups,
    exited: child.exited,
    stop: () => (stopped ??= stop()),
    [Symbol.asyncDispose]: () => server.stop(),
  }
  return server
}
