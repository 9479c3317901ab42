import { randomBytes } from 'node:crypto'
import { type EmbeddedAccount, startClickHouse, type StartClickHouseOptions } from '../../../../packages/clickhouse/src/embedded/index.ts'
import { openDataFolder } from '../data-folder.ts'
import { findFreePort } from '../free-ports.ts'
import { type ManagedServer, manageServer, type ServerLife } from '../managed-server.ts'

/** How a ClickHouse of this machine is started. */
export interface StartManagedClickHouseOptions {
  /** Folder of the data, kept after `stop`. @default a temporary one, removed by `stop` or when this process is gone */
  readonly dir?: string | undefined
  /** TCP port of the HTTP interface on 127.0.0.1. @default a free one */
  readonly port?: number | undefined
  /** Databases that the read-only account sees; a trailing `*` stands for every name with that start. @default ['default', 'test_*'] */
  readonly readable?: readonly string[] | undefined
  /** Server settings over the launcher's. @default {} */
  readonly config?: StartClickHouseOptions['config']
  /** How long each start may take, in milliseconds. @default 60_000 */
  readonly startTimeoutMs?: number | undefined
}

/** A ClickHouse server; its address is the HTTP interface's, without credentials. They stay the same over restarts. */
export interface ManagedClickHouse extends ManagedServer {
  readonly url: string
  /** May do everything. */
  readonly owner: EmbeddedAccount
  /** May read. */
  readonly reader: EmbeddedAccount
  /** Folder that `BACKUP … TO File('…')` may write to. */
  readonly backupPath: string
}

/** Starts a real ClickHouse that tests may kill, hold and start again. It ends with this process, however that ends. */
export async function startManagedClickHouse(options: StartManagedClickHouseOptions = {}): Promise<ManagedClickHouse> {
  const folder = await openDataFolder(options.dir, 'clickhouse')
  const [owner, reader] = [makeAccount('owner'), makeAccount('reader')]
  const plan: StartClickHouseOptions = {
    dataDir: folder.path,
    port: options.port ?? (await findFreePort()),
    owner,
    reader: { ...reader, databases: options.readable ?? ['default', 'test_*'] },
    config: options.config,
    startTimeoutMs: options.startTimeoutMs ?? 60_000,
  }
  const start = async (): Promise<ServerLife & { readonly url: string; readonly backupPath: string }> => {
    const { pid, exited, stop, url, backupPath } = await startClickHouse(plan)
    return { pid, exited, end: stop, url, backupPath }
  }
  try {
    const first = await start()
    const server = manageServer({ address: first.url, first, start, cleanUp: () => folder.remove() })
    return Object.assign(server, { url: first.url, owner, reader, backupPath: first.backupPath })
  } catch (error) {
    await folder.remove()
    throw error
  }
}

function makeAccount(username: string): EmbeddedAccount {
  return { username, password: randomBytes(18).toString('base64url') }
}
