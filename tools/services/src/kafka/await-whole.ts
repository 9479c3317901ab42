import { setTimeout as sleep } from 'node:timers/promises'
import { ServiceError } from '../service-error.ts'
import { fetchMetadata } from './kafka-wire.ts'

const POLL_MS = 100

/** A node as far as it takes to ask it. */
interface AskedNode {
  readonly id: number
  /** `host:port` of its plain listener. */
  readonly address: string
}

/** Waits until every node is alive and every replica of every partition is in sync. @throws ServiceError naming what is missing at the deadline */
export async function awaitWhole(nodes: readonly AskedNode[], timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const lacks = await whatIsMissing(nodes)
    if (lacks === undefined) return
    if (Date.now() > deadline) throw new ServiceError(`the cluster is not whole after ${timeoutMs} ms: ${lacks}`, { code: 'ERR_SERVICES_START_TIMEOUT', remedy: "look into the nodes' broker.log" })
    await sleep(POLL_MS)
  }
}

/** Each node is asked: one that has just come back may not know yet that it lags behind. */
async function whatIsMissing(nodes: readonly AskedNode[]): Promise<string | undefined> {
  for (const node of nodes) {
    const metadata = await fetchMetadata(node.address).catch(() => undefined)
    if (metadata === undefined) return `node ${node.id} does not answer`
    if (metadata.brokers.length < nodes.length) return `node ${node.id} knows ${metadata.brokers.length} of ${nodes.length} nodes`
    const behind = metadata.partitions.find(({ leader, replicas, inSync }) => leader < 0 || inSync.length < replicas.length)
    if (behind !== undefined) return `${behind.topic}[${behind.partition}] has ${behind.inSync.length} of ${behind.replicas.length} replicas in sync`
  }
  return undefined
}
