import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDataFolder } from '../data-folder.ts'
import { findFreePort } from '../free-ports.ts'
import type { Progress } from '../install-once.ts'
import { type ManagedServer, manageServer, type ServerLife } from '../managed-server.ts'
import { lastLines, spawnOwned } from '../owned-process.ts'
import { ServiceError } from '../service-error.ts'
import { findToxiproxy } from './find-toxiproxy.ts'
import { createToxiproxyClient, type ToxiproxyClient } from './toxiproxy-client.ts'

const READY_MS = 10_000
const POLL_MS = 20
const SHUTDOWN_MS = 2_000

/** A Toxiproxy and its client; its address is that of its HTTP interface. */
export interface Toxiproxy extends ManagedServer, ToxiproxyClient {}

/** Starts Toxiproxy on this machine. It ends with this process, however that ends. */
export async function startToxiproxy({ progress }: { readonly progress?: Progress | undefined } = {}): Promise<Toxiproxy> {
  const program = await findToxiproxy(progress)
  const folder = await openDataFolder(undefined, 'toxiproxy')
  const port = await findFreePort()
  const address = `http://127.0.0.1:${port}`
  const client = createToxiproxyClient(address)
  const logFile = join(folder.path, 'toxiproxy.log')
  const start = async (): Promise<ServerLife> => {
    const server = await spawnOwned({ command: program, args: ['-host', '127.0.0.1', '-port', String(port)], logFile })
    const deadline = Date.now() + READY_MS
    while (!(await client.answers())) {
      if (server.hasEnded() || Date.now() > deadline) {
        await server.end(0)
        throw new ServiceError(`Toxiproxy did not get ready:\n${await lastLines(logFile)}`, { code: 'ERR_SERVICES_START_FAILED', remedy: 'see whether its port is free' })
      }
      await sleep(POLL_MS)
    }
    return { pid: server.pid, exited: server.exited, end: () => server.end(SHUTDOWN_MS) }
  }
  return Object.assign(manageServer({ address, first: await start(), start, cleanUp: () => folder.remove() }), client)
}
