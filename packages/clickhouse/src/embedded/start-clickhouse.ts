import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { quoteName } from '../access/quote-name.ts'
import { askServer } from './ask-server.ts'
import { checkStartOptions } from './check-start-options.ts'
import { forgetLauncher, prepareFolders, previousLauncher, recordLauncher } from './data-folder.ts'
import { classifyStartFailure, explainRefusal, explainStartFailure, portInUseError, type StartFailure } from './explain-start-failure.ts'
import { findLibrary } from './find-library.ts'
import { findFreePort, isPortFree } from './find-port.ts'
import { renderServerConfig, renderUsersConfig, type ServerUser, serverFolders } from './server-config.ts'
import { type ServerProcess, spawnServer } from './server-process.ts'
import { StartDeadline } from './start-deadline.ts'
import type { EmbeddedAccount, EmbeddedClickHouse, EmbeddedUserOptions, ServerExit, StartClickHouseOptions } from './start-options.ts'

const POLL_MS = 15
const PREDECESSOR_POLL_MS = 200
const JUST_KILLED_MS = 1000
const PORT_ATTEMPTS = 5
const FLUSH_TIMEOUT_MS = 2000
const BROKEN_PARTS_TIMEOUT_MS = 2000

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

  for (let portAttempt = 1; ; ) {
    launch.deadline.check()
    const outcome = await tryLaunch(launch)
    if ('server' in outcome) return outcome.server

    // A server whose parent was killed may still be about to end: it then holds the folder, and the port.
    const inTheWay = outcome.failure !== 'other' && (await isPredecessorLeaving(launch, outcome.failure))
    if (inTheWay && launch.deadline.mayWaitForPredecessor()) await launch.deadline.pause(PREDECESSOR_POLL_MS)
    // Somebody was faster at taking the port that was free a moment ago.
    else if (outcome.failure === 'port-in-use' && !options.port && portAttempt < PORT_ATTEMPTS) portAttempt++
    else throw outcome.error
  }
}

/** The folder's lock decides who has it; here it is only about how long to wait for it. */
async function isPredecessorLeaving({ dataDir, deadline }: Launch, failure: StartFailure): Promise<boolean> {
  const predecessor = await previousLauncher(dataDir)
  // A process that was just killed still looks alive until its own parent has taken note.
  if (predecessor === 'alive') return deadline.elapsedMs() < JUST_KILLED_MS
  return failure === 'folder-busy' || (failure === 'port-in-use' && predecessor === 'gone')
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
  | { readonly failure: StartFailure; readonly error: Error }

function planLaunch(options: StartClickHouseOptions): Launch {
  const clock = options.clock ?? systemClock
  const database = options.database ?? 'default'
  const owner = makeAccount(options.owner, 'owner')
  const reader = makeAccount(options.reader, 'reader')
  const others = (options.users ?? []).map((user) => ({ user, account: makeAccount(user, user.username) }))
  const limited = (user: EmbeddedUserOptions | undefined, account: EmbeddedAccount): ServerUser => ({
    ...account,
    access: {
      databases: user?.databases ?? (user?.tables === undefined ? [database] : []),
      tables: (user?.tables ?? []).map((right) => ({ ...right, database: right.database ?? database })),
      readOnly: user?.readOnly ?? true,
      limits: user?.limits ?? {},
      settings: user?.settings ?? {},
      changeable: user?.changeable ?? {},
    },
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
    await beginQueryLog(launch, port)
    await reportBrokenParts(launch, port)
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
  const asOwner = (text: string) => ({ path: '/', query: { text, account: launch.owner } })
  const steps = [
    { path: '/ping', query: undefined },
    asOwner(`CREATE DATABASE IF NOT EXISTS ${quoteName(launch.database)}`),
  ]
  for (const step of steps) {
    for (;;) {
      const exit = child.exit()
      if (exit) return exit
      launch.deadline.check()
      const answer = await askServer(port, step.path, step.query, Math.ceil(launch.deadline.leftMs())).catch(() => undefined)
      if (answer?.status === 200) break
      // Not listening yet is no answer; a refusal is one, and comes from data that can't be worked with.
      if (answer && step.query) throw explainRefusal(answer.text, launch.dataDir)
      await launch.deadline.pause(POLL_MS)
    }
  }
  return undefined
}

/** The library forgets the log's table at the end of each life, and can't make it again over the files that stay. The folder is ours now. */
async function beginQueryLog(launch: Launch, port: number): Promise<void> {
  await rm(join(serverFolders(launch.dataDir).server, 'data', 'system', 'query_log'), { recursive: true, force: true })
  await askServer(port, '/', { text: 'SYSTEM FLUSH LOGS', account: launch.owner }, FLUSH_TIMEOUT_MS).catch(() => {})
}

/** ClickHouse starts without the parts that it can't read: their rows are missing from then on, and nobody would know. */
async function reportBrokenParts(launch: Launch, port: number): Promise<void> {
  const text = "SELECT database, table, name FROM system.detached_parts WHERE startsWith(reason, 'broken') LIMIT 100 FORMAT JSONCompactEachRow"
  const answer = await askServer(port, '/', { text, account: launch.owner }, BROKEN_PARTS_TIMEOUT_MS).catch(() => undefined)
  if (answer?.status !== 200 || answer.text === '') return
  launch.logger.warn({ dataDir: launch.dataDir, parts: answer.text.split('\n') }, 'the embedded ClickHouse set aside parts that it could not read; their rows are missing')
}

function runningServer(launch: Launch, child: ServerProcess, port: number): EmbeddedClickHouse {
  let stopped: Promise<void> | undefined
  // All that is acknowledged is in files already: there is nothing to wait for.
  const stop = async (): Promise<void> => {
    if (!child.exit()) await child.kill()
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
