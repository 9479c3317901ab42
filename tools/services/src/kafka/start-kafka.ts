import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePorts } from '../free-ports.ts'
import type { Progress } from '../install-once.ts'
import { type ManagedServer, manageServer, type ServerLife } from '../managed-server.ts'
import { forgetFolder, removeAfterUs } from '../reaper.ts'
import { ServiceError } from '../service-error.ts'
import { type BrokerPlan, renderBrokerProperties } from './broker-properties.ts'
import { fetchMetadata } from './kafka-wire.ts'
import { launchBroker } from './launch-broker.ts'
import { prepareKafka } from './prepare-kafka.ts'
import type { PreparedKafka } from './prepared-kafka.ts'

/** How a cluster is started. */
export interface StartKafkaOptions {
  /** Number of nodes, each broker and controller at once. @default 1 */
  readonly nodes?: number | undefined
  /** Folder of the data, kept after `stop`. @default a temporary one, removed by `stop` or when this process is gone */
  readonly dir?: string | undefined
  /** Broker settings over ours, as `server.properties` names them. @default {} */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Java heap of each node, in megabytes. @default 512 for one node, 384 for more */
  readonly heapMegabytes?: number | undefined
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
  /** Version of the brokers. */
  readonly version: string
  /** Waits until every node is alive and every replica of every partition is in sync. @throws ServiceError naming what is missing at the deadline */
  awaitInSync(timeoutMs?: number): Promise<void>
  /** Ends all nodes. May be called again. */
  stop(): Promise<void>
}

const IN_SYNC_POLL_MS = 100
/** A cluster that is stopped as a whole loses its quorum on the way, and its nodes then wait for it for minutes. */
const SHUTDOWN_MS = 8_000

/** Starts real Apache Kafka on this machine, in KRaft mode. It ends with this process, however that ends. */
export async function startKafka(options: StartKafkaOptions = {}): Promise<KafkaCluster> {
  const kafka = await prepareKafka(options.progress)
  const temporary = options.dir === undefined
  const folder = options.dir === undefined ? await mkdtemp(join(tmpdir(), 'smart-whale-kafka-')) : resolve(options.dir)
  if (temporary) removeAfterUs(folder)
  const removeFolder = async (): Promise<void> => {
    if (!temporary) return
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    forgetFolder(folder)
  }
  const started = await startNodes(kafka, folder, options)
  const failure = started.find((outcome) => outcome.status === 'rejected')
  const nodes = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => (temporary ? node.kill().then(() => node.stop()) : node.stop())))
    await removeFolder()
  }
  if (failure !== undefined) {
    await stop()
    throw failure.reason
  }
  const awaitInSync = (timeoutMs = 60_000): Promise<void> => awaitWhole(nodes, timeoutMs)
  return { brokers: nodes.map((node) => node.address), nodes, version: kafka.version, awaitInSync, stop, [Symbol.asyncDispose]: stop }
}

async function startNodes(kafka: PreparedKafka, folder: string, options: StartKafkaOptions): Promise<PromiseSettledResult<KafkaNode>[]> {
  const { nodes: count = 1, settings = {}, heapMegabytes = count === 1 ? 512 : 384, startTimeoutMs: timeoutMs = 90_000 } = options
  const free = await findFreePorts(2 * count)
  const ports = Array.from({ length: count }, (_, index) => ({ plain: free[2 * index] as number, controller: free[2 * index + 1] as number, secured: {} }))
  const startNode = async (id: number): Promise<KafkaNode> => {
    const dataDir = join(folder, `node-${id}`)
    const plan: BrokerPlan = { id, ports, dataDir, settings, security: {} }
    const port = (ports[id - 1] as (typeof ports)[number]).plain
    await mkdir(dataDir, { recursive: true })
    await writeFile(join(dataDir, 'server.properties'), renderBrokerProperties(plan))
    const start = async (): Promise<ServerLife> => {
      const broker = await launchBroker(kafka, { id, dataDir, port, heapMegabytes, timeoutMs })
      return { pid: broker.pid, exited: broker.exited, end: () => broker.end(SHUTDOWN_MS) }
    }
    return Object.assign(manageServer({ address: `127.0.0.1:${port}`, first: await start(), start }), { id })
  }
  return Promise.allSettled(ports.map((_, index) => startNode(index + 1)))
}

async function awaitWhole(nodes: readonly KafkaNode[], timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const lacks = await whatIsMissing(nodes)
    if (lacks === undefined) return
    if (Date.now() > deadline) throw new ServiceError(`the cluster is not whole after ${timeoutMs} ms: ${lacks}`, { code: 'ERR_SERVICES_START_TIMEOUT', remedy: "look into the nodes' broker.log" })
    await sleep(IN_SYNC_POLL_MS)
  }
}

/** Each node is asked: one that has just come back may not know yet that it lags behind. */
async function whatIsMissing(nodes: readonly KafkaNode[]): Promise<string | undefined> {
  for (const node of nodes) {
    const metadata = await fetchMetadata(Number(node.address.split(':')[1])).catch(() => undefined)
    if (metadata === undefined) return `node ${node.id} does not answer`
    if (metadata.brokers.length < nodes.length) return `node ${node.id} knows ${metadata.brokers.length} of ${nodes.length} nodes`
    const behind = metadata.partitions.find(({ leader, replicas, inSync }) => leader < 0 || inSync.length < replicas.length)
    if (behind !== undefined) return `${behind.topic}[${behind.partition}] has ${behind.inSync.length} of ${behind.replicas.length} replicas in sync`
  }
  return undefined
}
