import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ManagedServer, manageServer, type ServerLife } from '../managed-server.ts'
import { lastLines, spawnOwned } from '../owned-process.ts'
import { ServiceError } from '../service-error.ts'
import { askRedis } from './redis-wire.ts'

const READY_MS = 20_000
const POLL_MS = 20
const SHUTDOWN_MS = 3_000

/** How one server is started. */
export interface RedisLaunch {
  readonly program: string
  readonly folder: string
  readonly port: number
  /** Lines of its configuration, besides those that all have. */
  readonly lines: readonly string[]
  readonly sentinel?: boolean | undefined
}

/** Starts one server, and waits until it answers. */
export async function launchRedis({ program, folder, port, lines, sentinel = false }: RedisLaunch): Promise<ManagedServer> {
  const place = join(folder, String(port))
  const [config, logFile] = [join(place, 'server.conf'), join(place, 'server.log')]
  await mkdir(place, { recursive: true })
  await writeFile(config, `${[`port ${port}`, 'bind 127.0.0.1', `dir ${place}`, 'protected-mode no', 'daemonize no', ...(sentinel ? [] : IN_MEMORY), ...lines].join('\n')}\n`)
  const start = async (): Promise<ServerLife> => {
    const server = await spawnOwned({ command: program, args: [config, ...(sentinel ? ['--sentinel'] : [])], logFile, cwd: place })
    const deadline = Date.now() + READY_MS
    while ((await askRedis(port, ['PING']).catch(() => '')) !== 'PONG') {
      if (server.hasEnded() || Date.now() > deadline) {
        await server.end(0)
        throw new ServiceError(`the server at port ${port} did not get ready:\n${await lastLines(logFile)}`, { code: 'ERR_SERVICES_START_FAILED', remedy: `see ${logFile}` })
      }
      await sleep(POLL_MS)
    }
    return { pid: server.pid, exited: server.exited, end: () => server.end(SHUTDOWN_MS) }
  }
  return manageServer({ address: `127.0.0.1:${port}`, first: await start(), start })
}

/** A replica would lag behind by 5 seconds otherwise. */
const IN_MEMORY = ['save ""', 'appendonly no', 'repl-diskless-sync-delay 0']
