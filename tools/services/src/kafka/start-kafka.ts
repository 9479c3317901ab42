import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openDataFolder } from '../data-folder.ts'
import { findFreePorts } from '../free-ports.ts'
import type { Progress } from '../install-once.ts'
import { type ManagedServer, manageServer, type ServerLife } from '../managed-server.ts'
import { awaitWhole } from './await-whole.ts'
import { type BrokerPlan, type NodePorts, renderBrokerProperties } from './broker-properties.ts'
import { formatStorage } from './format-storage.ts'
import { launchBroker } from './launch-broker.ts'
import { prepareKafka } from './prepare-kafka.ts'
import { type PreparedKafka, TEST_USER } from './prepared-kafka.ts'
import { type KafkaUser, PROTOCOLS, type SecuredListener, securitySettings } from './security.ts'

/** How a cluster is started. */
export interface StartKafkaOptions {
  /** Number of nodes, each broker and controller at once. @default 1 */
  readonly nodes?: number | undefined
  /** Folder of the data, kept after `stop`. @default a temporary one, removed by `stop` or when this process is gone */
  readonly dir?: string | undefined
  /** Listeners besides the plain one. @default all of them */
  readonly listeners?: readonly SecuredListener[] | undefined
  /** Who may log in at the SASL listeners; they are made with the cluster. @default {@link TEST_USER} */
  readonly users?: readonly KafkaUser[] | undefined
  /** Broker settings over ours, as `server.properties` names them. @default {} */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Java heap of each node, in megabytes. @default 512 for one node, 384 for more */
  readonly heapMegabytes?: number | undefined
  /** Whether each heap has that size from the beginning, as with Kafka's own start script: for measurements. @default false, it grows */
  readonly isHeapFixed?: boolean | undefined
  /** Whether the brokers are for a minute or a few: they are compiled quickly rather than well then, which takes half of their processor time. @default false */
  readonly isShortLived?: boolean | undefined
  /** How long each start of a node may take, recovery after a kill included, in milliseconds. @default 90_000 */
  readonly startTimeoutMs?: number | undefined
  /** Told what takes its time. @default silent */
  readonly progress?: Progress | undefined
}

/** One node of a cluster. */
export interface KafkaNode extends ManagedServer {
  readonly id: number
}

/** A running cluster. */
export interface KafkaCluster extends AsyncDisposable {
  /** `host:port` of each node's plain listener, node 1 first. */
  readonly brokers: readonly string[]
  readonly nodes: readonly KafkaNode[]
  /** `host:port` of each node's other listeners. */
  readonly secured: Readonly<Partial<Record<SecuredListener, readonly string[]>>>
  /** The certificate that the TLS listeners show, as PEM: a client's `ca`. */
  readonly certificate: string
  readonly users: readonly KafkaUser[]
  /** Version of the brokers. */
  readonly version: string
  /** Waits until every node is alive and every replica of every partition is in sync. @throws ServiceError naming what is missing at the deadline */
  awaitInSync(timeoutMs?: number): Promise<void>
  /** Ends all nodes. May be called again. */
  stop(): Promise<void>
}

/** A cluster that is stopped as a whole loses its quorum on the way, and its nodes then wait for it for minutes. */
const SHUTDOWN_MS = 8_000

/** Starts real Apache Kafka on this machine, in KRaft mode. It ends with this process, however that ends. */
export async function startKafka(options: StartKafkaOptions = {}): Promise<KafkaCluster> {
  const prepared = await prepareKafka(options.progress)
  const folder = await openDataFolder(options.dir, 'kafka')
  const plan = await planCluster(prepared, folder.path, options)
  const started = await Promise.allSettled(plan.ports.map((_, index) => startNode(plan, index + 1)))
  const nodes = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const stop = async (): Promise<void> => {
    // What is thrown away need not be shut down in good order.
    await Promise.all(nodes.map((node) => (folder.isTemporary ? node.kill().then(() => node.stop()) : node.stop())))
    await folder.remove()
  }
  const failure = started.find((outcome) => outcome.status === 'rejected')
  if (failure !== undefined) {
    await stop()
    throw failure.reason
  }
  return {
    brokers: nodes.map((node) => node.address),
    nodes,
    secured: Object.fromEntries(plan.listeners.map((listener) => [listener, plan.ports.map(({ secured }) => `127.0.0.1:${secured[listener]}`)])),
    certificate: await readFile(prepared.certificate.certificate, 'utf8'),
    users: plan.users,
    version: prepared.version,
    awaitInSync: (timeoutMs = 60_000) => awaitWhole(nodes, timeoutMs),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** What the nodes of a cluster have in common. */
interface ClusterPlan {
  readonly kafka: PreparedKafka
  readonly folder: string
  readonly ports: readonly NodePorts[]
  readonly listeners: readonly SecuredListener[]
  readonly users: readonly KafkaUser[]
  readonly settings: BrokerPlan['settings']
  readonly heapMegabytes: number
  readonly isHeapFixed: boolean
  readonly isShortLived: boolean
  readonly timeoutMs: number
}

async function planCluster(prepared: PreparedKafka, folder: string, options: StartKafkaOptions): Promise<ClusterPlan> {
  const { nodes = 1, users = [TEST_USER], listeners = Object.keys(PROTOCOLS) as SecuredListener[] } = options
  // Users other than the prepared one are among the first records too: the cluster has no time without them.
  const bootstrap = options.users === undefined ? prepared.bootstrap : await formatStorage(prepared, await makeFolder(join(folder, 'format')), users)
  return {
    kafka: { ...prepared, bootstrap },
    folder,
    ports: await claimPorts(join(folder, 'ports.json'), nodes, listeners),
    listeners,
    users,
    settings: options.settings ?? {},
    heapMegabytes: options.heapMegabytes ?? (nodes === 1 ? 512 : 384),
    isHeapFixed: options.isHeapFixed ?? false,
    isShortLived: options.isShortLived ?? false,
    timeoutMs: options.startTimeoutMs ?? 90_000,
  }
}

/** Free ports, or those that the folder's cluster had before: its nodes know each other by them. */
async function claimPorts(file: string, nodes: number, listeners: readonly SecuredListener[]): Promise<readonly NodePorts[]> {
  const before = await readFile(file, 'utf8').catch(() => undefined)
  if (before !== undefined) return JSON.parse(before) as NodePorts[]
  const each = 2 + listeners.length
  const free = await findFreePorts(nodes * each)
  const ports = Array.from({ length: nodes }, (_, index) => {
    const [plain, controller, ...rest] = free.slice(index * each, (index + 1) * each) as [number, number, ...number[]]
    return { plain, controller, secured: Object.fromEntries(listeners.map((listener, at) => [listener, rest[at] as number])) }
  })
  await writeFile(file, JSON.stringify(ports))
  return ports
}

async function startNode({ kafka, folder, ports, listeners, users, settings, heapMegabytes, isHeapFixed, isShortLived, timeoutMs }: ClusterPlan, id: number): Promise<KafkaNode> {
  const dataDir = await makeFolder(join(folder, `node-${id}`))
  const security = securitySettings(listeners, users, kafka.certificate)
  const port = (ports[id - 1] as NodePorts).plain
  await writeFile(join(dataDir, 'server.properties'), renderBrokerProperties({ id, ports, dataDir, settings, security }))
  const start = async (): Promise<ServerLife> => {
    const broker = await launchBroker(kafka, { id, dataDir, port, heapMegabytes, isHeapFixed, isShortLived, timeoutMs })
    return { pid: broker.pid, exited: broker.exited, end: () => broker.end(SHUTDOWN_MS) }
  }
  return Object.assign(manageServer({ address: `127.0.0.1:${port}`, first: await start(), start }), { id })
}

async function makeFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  return folder
}
