import { InfrastructureError } from '@smart-whale/interfaces'
import type { KafkaTransportOptions } from '../../../src/kafka/options.ts'
import type { GroupMembership, PartitionReader } from '../../../src/transport.ts'
import { SimulatedCluster } from './cluster.ts'
import { SimulatedProcess } from './process.ts'

/** Times that are short, and as far apart as they are by default. */
export const GROUP_OPTIONS: KafkaTransportOptions = {
  sessionTimeoutMs: 3_000,
  heartbeatIntervalMs: 300,
  rebalanceTimeoutMs: 8_000,
  handoverTimeoutMs: 2_000,
  requestTimeoutMs: 1_500,
  fetchMaxWaitMs: 200,
}
const READ = { maxBytes: 1_000_000, maxRecords: 3, maxWaitMs: 500 }

/** One process that joins and leaves the group, and works on what it gets. */
export class Worker {
  readonly process: SimulatedProcess
  membership: GroupMembership | null = null
  /** From the beginning of a join until it is known what came of it. */
  joining: Promise<void> | null = null
  isGone = false
  readonly #world: GroupWorld

  constructor(world: GroupWorld, name: string) {
    this.#world = world
    this.process = new SimulatedProcess(world.cluster, name, GROUP_OPTIONS)
  }

  join(): void {
    if (this.isGone || this.joining !== null) return
    this.joining = this.#join().catch((error: unknown) => {
      this.joining = null
      // Nobody was there to ask for so long: it can be tried again.
      const mayPass = InfrastructureError.isInstance(error) && error.retryable
      if (!mayPass && !this.isGone) this.#world.complain(`a join failed: ${String(error)}`)
    })
  }

  leave(): void {
    const { membership } = this
    if (membership === null || this.isGone) return
    this.membership = null
    void this.#world.within(`leaving of ${membership.memberId}`, 2_000 + 1_500 + 500, membership.leave(), this.process).then(() => (this.joining = null))
  }

  crash(): void {
    this.isGone = true
    void this.process.transport.crash()
  }

  async #join(): Promise<void> {
    const { transport } = this.process
    await transport.start()
    const membership = await transport.join({ groupId: 'g', topics: ['t'], onPartition: (reader) => this.#work(reader) })
    this.membership = membership
    membership.failed.addEventListener('abort', () => {
      if (!this.isGone) this.#world.complain(`a membership failed: ${String(membership.failed.reason)}`)
    })
  }

  async #work(reader: PartitionReader): Promise<void> {
    const hold = this.#world.begin(this, reader)
    while (!reader.signal.aborted) {
      const batch = await reader.read(READ).catch((error: unknown) => this.#endsBy(error, reader))
      if (batch === null) return
      if (batch.length === 0) continue
      hold.onRead(batch.offsetAt(0), batch.nextOffset, batch.length)
      await new Promise<void>((resolve) => this.process.clock.setTimeout(resolve, this.#world.workMs))
      const isStored = await reader.commit(batch.nextOffset, { timeoutMs: 5_000 }).then(() => true, (error: unknown) => this.#endsBy(error, reader) !== null)
      hold.isAtWork = false
      if (!isStored) return
    }
  }

  /** What a handler may meet, and ends with; what it can bear is undefined. */
  #endsBy(error: unknown, reader: PartitionReader): null {
    const mayPass = InfrastructureError.isInstance(error) && error.retryable
    if (!reader.signal.aborted && !mayPass) this.#world.complain(`a handler that was not revoked met ${String(error)}`)
    return null
  }
}

/** One handler's time with a partition: it must begin where the group stands, go on without a gap, alone, and read only what the broker thinks it has. */
export class Hold {
  isAtWork = false
  readonly reader: PartitionReader
  readonly worker: Worker
  readonly #world: GroupWorld
  #next: bigint | null = null

  constructor(world: GroupWorld, worker: Worker, reader: PartitionReader) {
    this.#world = world
    this.worker = worker
    this.reader = reader
  }

  onRead(first: bigint, next: bigint, count: number): void {
    const { group } = this.#world.cluster
    const { partition } = this.reader
    this.#next ??= group.committed.get(partition)?.offset ?? 0n
    if (first !== this.#next) this.#complain(`was read from ${first}, and stood at ${this.#next}`)
    if (next !== first + BigInt(count)) this.#complain(`has ${count} records from ${first} to ${next}`)
    this.#next = next
    this.isAtWork = true
    const memberId = this.worker.membership?.memberId ?? ''
    const isOwner = group.owners.get(partition) === memberId && group.memberIds.includes(memberId)
    // A member that leaves, or has just joined, has no name here yet.
    if (this.worker.membership !== null && !isOwner) this.#complain(`was read by ${memberId || 'nobody'}, and is ${group.owners.get(partition)}'s (${group.memberIds.join(', ')})`)
    for (const other of this.#world.holds) if (other !== this && other.isInTheWayOf(this)) this.#complain('was read while another handler was still at work on it')
  }

  /** Whether it works on the same partition, and the group still counts on it, or it is in the same process. */
  isInTheWayOf({ reader, worker }: Hold): boolean {
    if (!this.isAtWork || this.worker.isGone || this.reader.partition !== reader.partition) return false
    if (this.worker === worker) return true
    const isCountedOn = this.#world.cluster.group.memberIds.includes(this.worker.membership?.memberId ?? '')
    const isFenced = (this.reader.signal.reason as { code?: string } | undefined)?.code === 'ERR_MESSAGING_FENCED'
    return isCountedOn && !isFenced
  }

  #complain(what: string): void {
    this.#world.complain(`partition ${this.reader.partition} ${what}`)
  }
}

/** A group under faults, and what must never be seen of it. */
export class GroupWorld {
  readonly cluster: SimulatedCluster
  readonly workers: Worker[]
  readonly complaints: string[] = []
  workMs = 20
  readonly holds: Hold[] = []

  constructor(partitions: number, workers: number) {
    this.cluster = new SimulatedCluster(partitions)
    this.workers = Array.from({ length: workers }, (_, index) => new Worker(this, `worker${index}`))
  }

  complain(what: string): void {
    this.complaints.push(`${this.cluster.clock.monotonic()} ms: ${what}`)
  }

  /** A handler begins. */
  begin(worker: Worker, reader: PartitionReader): Hold {
    const hold = new Hold(this, worker, reader)
    this.holds.push(hold)
    return hold
  }

  /** Complains when the work takes longer than it may, by the time of an awake process. */
  async within<T>(what: string, ms: number, work: Promise<T>, process: SimulatedProcess): Promise<T> {
    const began = this.cluster.clock.monotonic()
    const sleptBefore = process.clock.sleptMs
    const result = await work
    const took = this.cluster.clock.monotonic() - began - (process.clock.sleptMs - sleptBefore)
    if (took > ms) this.complain(`${what} took ${took} ms`)
    return result
  }

  /** Everything is well again: all that was written must be stored as done, in time. */
  async untilAllIsDone(mostMs: number): Promise<void> {
    const { cluster } = this
    cluster.faults.clear()
    for (const { nodeId, state } of cluster.nodes) if (state !== 'up') cluster.resume(nodeId)
    for (const { process } of this.workers) {
      process.isCutOff = false
      process.clock.wake()
    }
    const isDone = (): boolean => cluster.logs.every(({ end }, partition) => (cluster.group.committed.get(partition)?.offset ?? 0n) === end)
    // If nobody is left, somebody comes.
    if (this.workers.every(({ isGone }) => isGone)) this.workers.push(new Worker(this, 'heir'))
    for (let passed = 0; !isDone() && passed < mostMs; passed += 100) {
      this.workers.find(({ isGone }) => !isGone)?.join()
      await cluster.clock.advance(100)
    }
    if (!isDone()) this.complain(`not all is done after ${mostMs} ms: ${cluster.logs.map(({ end }, partition) => `${cluster.group.committed.get(partition)?.offset ?? 0n} of ${end}`).join(', ')}; the group is ${cluster.group.state} with ${cluster.group.memberIds.join(', ')}`)
    this.#checkCommits()
  }

  /** Stops every process; none may leave a timer or a request behind. */
  async close(): Promise<void> {
    for (const worker of this.workers) {
      worker.isGone = true
      const stopping = this.within('a stop', 2_000 + 1_500 + 1_000, worker.process.transport.stop(), worker.process)
      await this.cluster.clock.runUntilSettled(stopping)
      await this.cluster.clock.advance(0)
      const { clock, waiting } = worker.process
      if (clock.pendingTimers + waiting > 0) this.complain(`${clock.pendingTimers} timers and ${waiting} requests were left behind`)
    }
    this.cluster.close()
  }

  #checkCommits(): void {
    for (const { partition, before, offset, memberId } of this.cluster.group.commits) {
      if (offset < before) this.complain(`partition ${partition} went back from ${before} to ${offset}, by ${memberId}`)
    }
  }
}
