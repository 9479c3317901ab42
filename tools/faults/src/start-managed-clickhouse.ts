import { randomBytes } from 'node:crypto'
import { type EmbeddedClickHouse, startClickHouse } from '@smart-whale/clickhouse/embedded'
import { findFreePort } from '../../services/src/free-ports.ts'
import { type ManagedServer, manageServer, type ServerLife } from '../../services/src/managed-server.ts'
import type { ClickHouseAddress } from './count-stored.ts'

/** Starts a real ClickHouse server that a run may kill, hold and start again on the same folder and port. */
export async function startManagedClickHouse(dataDir: string): Promise<ManagedServer & { readonly login: ClickHouseAddress }> {
  const owner = { username: 'owner', password: randomBytes(24).toString('base64url') }
  const port = await findFreePort()
  const launch = (): Promise<EmbeddedClickHouse> => startClickHouse({ dataDir, port, owner })
  const lifeOf = ({ pid, exited, stop }: EmbeddedClickHouse): ServerLife => ({ pid, exited, end: stop })
  const first = await launch()
  const server = manageServer({ address: first.url, first: lifeOf(first), start: async () => lifeOf(await launch()) })
  const login = { url: first.url, user: owner.username, password: owner.password, database: first.database }
  return Object.defineProperty(server, 'login', { value: login, enumerable: true }) as ManagedServer & { readonly login: ClickHouseAddress }
}
