import { setTimeout as sleep } from 'node:timers/promises'
import { type DataFolder, openDataFolder } from '../data-folder.ts'
import { findFreePorts } from '../free-ports.ts'
import type { Progress } from '../install-once.ts'
import type { ManagedServer } from '../managed-server.ts'
import { ServiceError } from '../service-error.ts'
import { findRedis, type RedisBuild } from './find-redis.ts'
import { launchRedis } from './launch-redis.ts'
import { askRedis } from './redis-wire.ts'
import { SENTINEL_MASTER } from './sentinel-master.ts'

/** One server; three masters that share the slots; or a master, a replica and three Sentinels that watch over them. */
export type RedisLayout = 'single' | 'cluster' | 'sentinel'

/** How Redis is started. */
export interface StartRedisOptions {
  /** Which build. @default 'redis-8' */
  readonly build?: RedisBuild | undefined
  /** How many servers, and what they are to each other. @default 'single' */
  readonly layout?: RedisLayout | undefined
  /** Replicas of each master of a cluster. @default 0 */
  readonly replicas?: number | undefined
  /** Told what takes its time. @default silent */
  readonly progress?: Progress | undefined
}

/** Running servers of one layout. They keep nothing on disk: one that was killed comes back empty. */
export interface RedisServers extends AsyncDisposable {
  /** The servers that hold data; masters first, then replicas in the order of their masters. */
  readonly nodes: readonly ManagedServer[]
  /** Empty unless the layout is `sentinel`. */
  readonly sentinels: readonly ManagedServer[]
  /** Ends all of them. May be called again. */
  stop(): Promise<void>
}

const SLOTS = 16_384
const MASTERS = 3
const AGREED_MS = 30_000
const POLL_MS = 50

/** Starts real Redis or Valkey on this machine. It ends with this process, however that ends. */
export async function startRedis({ build = 'redis-8', layout = 'single', replicas = 0, progress }: StartRedisOptions = {}): Promise<RedisServers> {
  const program = await findRedis(build, progress)
  const folder = await openDataFolder(undefined, 'redis')
  const started: ManagedServer[] = []
  const crew: Crew = {
    folder,
    replicas,
    launch: async (port, lines, sentinel = false) => {
      const server = await launchRedis({ program, folder: folder.path, port, lines, sentinel })
      started.push(server)
      return server
    },
  }
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()))
    await folder.remove()
  }
  try {
    const servers = await LAYOUTS[layout](crew)
    return { ...servers, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Crew {
  readonly folder: DataFolder
  readonly replicas: number
  launch(port: number, lines: readonly string[], sentinel?: boolean): Promise<ManagedServer>
}

type Servers = Pick<RedisServers, 'nodes' | 'sentinels'>

const LAYOUTS: Readonly<Record<RedisLayout, (crew: Crew) => Promise<Servers>>> = { single: startSingle, cluster: startCluster, sentinel: startSentinel }

async function startSingle({ launch }: Crew): Promise<Servers> {
  const [port] = (await findFreePorts(1)) as [number]
  return { nodes: [await launch(port, [])], sentinels: [] }
}

async function startCluster({ launch, replicas }: Crew): Promise<Servers> {
  const count = MASTERS * (1 + replicas)
  const free = await findFreePorts(2 * count)
  const all = Array.from({ length: count }, (_, index) => ({ port: free[2 * index] as number, bus: free[2 * index + 1] as number }))
  const ports = all.slice(0, MASTERS)
  const lines = ({ bus }: { bus: number }): string[] => ['cluster-enabled yes', `cluster-port ${bus}`, 'cluster-node-timeout 2000', 'cluster-announce-ip 127.0.0.1', 'cluster-config-file nodes.conf']
  const nodes = await Promise.all(all.map((node) => launch(node.port, lines(node))))
  for (const [index, { port }] of ports.entries()) {
    const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / ports.length)) as [number, number]
    await askRedis(port, ['CLUSTER', 'SET-CONFIG-EPOCH', index + 1])
    await askRedis(port, ['CLUSTER', 'ADDSLOTSRANGE', from, to - 1])
  }
  const [first, ...others] = all as [(typeof all)[number], ...typeof all]
  for (const { port, bus } of others) await askRedis(first.port, ['CLUSTER', 'MEET', '127.0.0.1', port, bus])
  const isWhole = async ({ port }: { port: number }): Promise<boolean> => {
    const state = await askRedis(port, ['CLUSTER', 'INFO'])
    return /cluster_state:ok/.test(state) && state.includes(`cluster_known_nodes:${count}`) && /cluster_slots_ok:16384/.test(state)
  }
  await until('the cluster', async () => (await Promise.all(all.map(isWhole))).every(Boolean))
  await Promise.all(all.slice(MASTERS).map((replica, index) => follow(replica.port, (ports[index % MASTERS] as { port: number }).port)))
  return { nodes, sentinels: [] }
}

async function follow(replica: number, master: number): Promise<void> {
  await askRedis(replica, ['CLUSTER', 'REPLICATE', await askRedis(master, ['CLUSTER', 'MYID'])])
  await until('a replica', async () => /master_link_status:up/.test(await askRedis(replica, ['INFO', 'replication'])))
}

async function startSentinel({ launch }: Crew): Promise<Servers> {
  const [master, replica, ...watchers] = (await findFreePorts(5)) as [number, number, ...number[]]
  const nodes = [await launch(master, []), await launch(replica, [`replicaof 127.0.0.1 ${master}`])]
  await until('the replica', async () => /master_link_status:up/.test(await askRedis(replica, ['INFO', 'replication'])))
  const lines = [
    `sentinel monitor ${SENTINEL_MASTER} 127.0.0.1 ${master} 2`,
    `sentinel down-after-milliseconds ${SENTINEL_MASTER} 1000`,
    `sentinel failover-timeout ${SENTINEL_MASTER} 3000`,
  ]
  const sentinels = await Promise.all(watchers.map((port) => launch(port, lines, true)))
  const knowsAll = async (port: number): Promise<boolean> => new RegExp(`name=${SENTINEL_MASTER},status=ok.*slaves=1,sentinels=3`).test(await askRedis(port, ['INFO', 'sentinel']))
  await until('the Sentinels', async () => (await Promise.all(watchers.map(knowsAll))).every(Boolean))
  return { nodes, sentinels }
}

/** Waits until the servers have come to know each other. */
async function until(who: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + AGREED_MS
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > deadline) throw new ServiceError(`${who} did not come together in ${AGREED_MS} ms`, { code: 'ERR_SERVICES_START_TIMEOUT', remedy: 'try again on a less busy machine' })
    await sleep(POLL_MS)
  }
}
