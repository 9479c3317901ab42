import { FakeClock } from '@smart-whale/interfaces/testing'
import { kafkaError } from '../../../src/errors.ts'
import { BROKER } from '../../../src/kafka/broker-errors.ts'
import type { ClusterMetadata, FetchedPartition, FetchRequestPartition, KafkaNode, KafkaTarget } from '../../../src/kafka/kafka-api.ts'
import { type ApiName, type Fault, Faults } from './faults.ts'
import { GroupState } from './group-state.ts'
import { PartitionLog } from './partition-log.ts'

/** How long a request or an answer is on its way. */
const ON_THE_WAY_MS = 1
/** How long the cluster waits for a broker that isn't heard of, before others take over what it led. */
const BROKER_SESSION_MS = 4_000

/** A request at a broker: how it is carried out, and how it is broken off. */
export interface Arrival<T> {
  readonly api: ApiName
  /** What goes wrong with the requests of this process alone. */
  readonly faults: Faults
  readonly target: KafkaTarget
  readonly onLeave: () => void
  /** Carries it out; the node is the one that does it. */
  readonly carryOut: (node: SimulatedNode) => T | Promise<T>
  readonly refuse: (errorCode: number) => T
  readonly answer: (answer: T) => void
  readonly fail: (error: Error) => void
}

/** One broker. A suspended one keeps what it is sent, and works on it in its order when it goes on. */
export class SimulatedNode implements KafkaNode {
  readonly nodeId: number
  readonly host: string
  readonly port = 9092
  state: 'up' | 'suspended' | 'down' = 'up'
  /** Breaks off each request that is at the broker. */
  readonly open = new Set<() => void>()
  #resumed = Promise.withResolvers<void>()
  /** Grows with each change, so that an old plan for a failover is known as such. */
  epoch = 0

  constructor(nodeId: number) {
    this.nodeId = nodeId
    this.host = `broker-${nodeId}`
  }

  untilItRuns(): Promise<void> {
    return this.state === 'suspended' ? this.#resumed.promise : Promise.resolve()
  }

  goOn(): void {
    this.#resumed.resolve()
    this.#resumed = Promise.withResolvers()
  }
}

/**
 * A cluster of three brokers on a clock that the test moves: topic `t`, one group, and everything that may go wrong with them. What is
 * acknowledged is kept whatever happens to a broker, as with `min.insync.replicas` of two.
 */
export class SimulatedCluster {
  readonly clock = new FakeClock()
  readonly faults = new Faults()
  readonly nodes: readonly SimulatedNode[] = [1, 2, 3].map((id) => new SimulatedNode(id))
  readonly topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
  readonly logs: readonly PartitionLog[]
  readonly group: GroupState
  coordinator = 1
  /** How many replicas are in sync, of which two are needed. */
  inSync = 3
  readonly #leaders: { node: number; epoch: number }[]
  #producers = 0n

  constructor(partitions = 1) {
    this.logs = Array.from({ length: partitions }, () => new PartitionLog())
    this.#leaders = this.logs.map((_, partition) => ({ node: (partition % 3) + 1, epoch: 1 }))
    this.group = new GroupState(this.clock)
  }

  suspend(nodeId: number): void {
    this.#change(nodeId, 'suspended')
  }

  kill(nodeId: number): void {
    const node = this.#change(nodeId, 'down')
    node.goOn()
    for (const breakOff of [...node.open]) breakOff()
  }

  /** A suspended broker goes on, one that was killed is started again. */
  resume(nodeId: number): void {
    this.#change(nodeId, 'up').goOn()
  }

  /** Elects another leader while the one before is well. */
  moveLeader(partition: number): void {
    this.#elect(partition, 0)
  }

  moveCoordinator(): void {
    const other = this.nodes.find(({ nodeId, state }) => state === 'up' && nodeId !== this.coordinator)
    if (other === undefined) return
    this.coordinator = other.nodeId
    this.group.move()
  }

  leaderOf(partition: number): number {
    return this.#leaders[partition]?.node ?? -1
  }

  /** One request, from leaving its client until its answer is there; what comes of it is told by `answer` or `fail`, or by nothing at all. */
  async pass<T>({ api, faults, target, onLeave, carryOut, refuse, answer, fail }: Arrival<T>): Promise<void> {
    const fault = faults.next(api) ?? this.faults.next(api)
    if (fault === 'never leaves') return fail(broken())
    onLeave()
    await this.#wait(ON_THE_WAY_MS)
    const node = this.nodes.find(({ host }) => host === target.host)
    if (node === undefined || node.state === 'down' || fault === 'request lost') return fail(broken())
    if (fault === 'request swallowed') return
    const breakOff = (): void => fail(broken())
    node.open.add(breakOff)
    await node.untilItRuns()
    if (!node.open.has(breakOff)) return
    const said = isRefusal(fault) ? refuse(fault.refusedWith) : await carryOut(node)
    await this.#wait(ON_THE_WAY_MS + (isLate(fault) ? fault.lateMs : 0))
    await node.untilItRuns()
    node.open.delete(breakOff)
    if (fault === 'answer lost') return fail(broken())
    if (fault !== 'answer swallowed') answer(isLie(fault) ? refuse(fault.doneButSaid) : said)
  }

  metadata(): ClusterMetadata {
    const partitions = this.#leaders.map(({ node, epoch }, partition) => ({ partition, errorCode: node < 0 ? BROKER.LEADER_NOT_AVAILABLE : 0, leader: node, leaderEpoch: epoch, replicas: [1, 2, 3], inSync: [1, 2, 3] }))
    const nodes = this.nodes.filter(({ state }) => state !== 'down').map(({ nodeId, host, port }) => ({ nodeId, host, port }))
    return { clusterId: 'simulated', controllerId: 1, nodes, topics: [{ name: 't', id: this.topicId, errorCode: 0, isInternal: false, partitions }] }
  }

  nextProducer(): bigint {
    return ++this.#producers
  }

  produce({ nodeId }: SimulatedNode, partition: number, records: Uint8Array): { errorCode: number; baseOffset: bigint } {
    if (this.leaderOf(partition) !== nodeId) return { errorCode: BROKER.NOT_LEADER_OR_FOLLOWER, baseOffset: -1n }
    if (this.inSync < 2) return { errorCode: BROKER.NOT_ENOUGH_REPLICAS, baseOffset: -1n }
    return (this.logs[partition] as PartitionLog).append(records)
  }

  async fetch(node: SimulatedNode, partitions: readonly FetchRequestPartition[], maxWaitMs: number): Promise<readonly FetchedPartition[]> {
    const answers = (): FetchedPartition[] => partitions.map((asked) => this.#answer(node, asked))
    const first = answers()
    if (maxWaitMs === 0 || first.some(({ errorCode, records }) => errorCode !== 0 || records.length > 0)) return first
    await Promise.race([this.#wait(maxWaitMs), ...partitions.map(({ partition }) => (this.logs[partition] as PartitionLog).grown())])
    return answers()
  }

  /** The group's coordinator, or the code of whoever is not. */
  coordinate<T extends { errorCode: number }>({ nodeId }: SimulatedNode, refuse: (errorCode: number) => T, work: () => T | Promise<T>): T | Promise<T> {
    return nodeId === this.coordinator ? work() : refuse(BROKER.NOT_COORDINATOR)
  }

  close(): void {
    this.group.close()
  }

  #answer({ nodeId }: SimulatedNode, { topicId, partition, fetchOffset, leaderEpoch, maxBytes }: FetchRequestPartition): FetchedPartition {
    const log = this.logs[partition] as PartitionLog
    const leader = this.#leaders[partition]
    const said = (errorCode: number, records: Uint8Array = new Uint8Array()): FetchedPartition => ({
      topicId,
      partition,
      errorCode,
      records,
      highWatermark: log.end,
      lastStableOffset: log.end,
      logStartOffset: 0n,
      abortedTransactions: [],
    })
    if (topicId !== this.topicId) return said(BROKER.UNKNOWN_TOPIC_ID)
    if (leader?.node !== nodeId) return said(BROKER.NOT_LEADER_OR_FOLLOWER)
    if (leaderEpoch < leader.epoch) return said(BROKER.FENCED_LEADER_EPOCH)
    if (fetchOffset > log.end) return said(BROKER.OFFSET_OUT_OF_RANGE)
    return said(BROKER.NONE, log.from(fetchOffset, maxBytes))
  }

  #change(nodeId: number, state: SimulatedNode['state']): SimulatedNode {
    const node = this.nodes[nodeId - 1] as SimulatedNode
    node.state = state
    const epoch = ++node.epoch
    if (state === 'up') this.#fillVacancies()
    else this.clock.setTimeout(() => void (node.epoch === epoch && this.#takeOver(nodeId)), BROKER_SESSION_MS)
    return node
  }

  #takeOver(nodeId: number): void {
    for (const [partition, { node }] of this.#leaders.entries()) if (node === nodeId) this.#elect(partition, nodeId)
    if (this.coordinator === nodeId) this.moveCoordinator()
  }

  #fillVacancies(): void {
    for (const [partition, { node }] of this.#leaders.entries()) if (node < 0) this.#elect(partition, 0)
  }

  #elect(partition: number, not: number): void {
    const leader = this.#leaders[partition] as { node: number; epoch: number }
    const able = this.nodes.filter(({ nodeId, state }) => state === 'up' && nodeId !== not && nodeId !== leader.node)
    leader.node = able[0]?.nodeId ?? -1
    leader.epoch++
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimeout(resolve, ms))
  }
}

const broken = (): Error => kafkaError('ERR_MESSAGING_CONNECTION', 'the connection broke', { retryable: true, status: 503 })
const isRefusal = (fault: Fault | undefined): fault is { refusedWith: number } => typeof fault === 'object' && 'refusedWith' in fault
const isLie = (fault: Fault | undefined): fault is { doneButSaid: number } => typeof fault === 'object' && 'doneButSaid' in fault
const isLate = (fault: Fault | undefined): fault is { lateMs: number } => typeof fault === 'object' && 'lateMs' in fault
