import { abortedError } from '@smart-whale/interfaces'
import { kafkaError, messagingTimeout, notConnected } from '../../../src/errors.ts'
import { KafkaTransport } from '../../../src/kafka/client/kafka-transport.ts'
import { BROKER } from '../../../src/kafka/broker-errors.ts'
import type { FetchedPartition, JoinGroupResult, KafkaApi, KafkaConnections, KafkaRequestOptions, KafkaTarget, ProduceResult } from '../../../src/kafka/kafka-api.ts'
import type { KafkaTransportOptions } from '../../../src/kafka/options.ts'
import { ClientClock } from './client-clock.ts'
import type { SimulatedCluster, SimulatedNode } from './cluster.ts'
import { type ApiName, Faults } from './faults.ts'

interface Call<T> {
  readonly target: KafkaTarget
  readonly options: KafkaRequestOptions
  readonly carryOut: (node: SimulatedNode) => T | Promise<T>
  readonly refuse: (errorCode: number) => T
}

/** One process that uses a {@link SimulatedCluster}: it has its own time, which can stand still, and its own line, which can be cut. */
export class SimulatedProcess {
  readonly clock: ClientClock
  readonly transport: KafkaTransport
  /** What goes wrong with its requests alone. */
  readonly faults = new Faults()
  /** Nothing gets through, and nobody hangs up. */
  isCutOff = false
  #isClosed = false
  /** Breaks off each request that waits for an answer. */
  readonly #open = new Set<() => void>()
  readonly #cluster: SimulatedCluster
  readonly #name: string

  constructor(cluster: SimulatedCluster, name: string, options: KafkaTransportOptions = {}) {
    this.#cluster = cluster
    this.#name = name
    this.clock = new ClientClock(cluster.clock)
    const connections: KafkaConnections = {
      seeds: cluster.nodes.map(({ host, port }) => ({ host, port })),
      request: () => Promise.reject(kafkaError('ERR_MESSAGING_PROTOCOL', 'a simulated cluster is asked by its api')),
      close: async () => {
        this.#isClosed = true
        for (const breakOff of [...this.#open]) breakOff()
      },
    }
    this.transport = new KafkaTransport(connections, { ...options, clock: this.clock }, this.#api())
  }

  /** Requests that wait for an answer; a process that was closed has none. */
  get waiting(): number {
    return this.#open.size
  }

  #api(): KafkaApi {
    const cluster = this.#cluster
    const { group } = cluster
    const call = <T>(api: ApiName, call: Call<T>): Promise<T> => this.#ask(api, call)
    const coded = (errorCode: number): { errorCode: number } => ({ errorCode })
    const known: Partial<KafkaApi> = {
      metadata: (target, _, options) => call('metadata', { target, options, carryOut: () => cluster.metadata(), refuse: () => ({ ...cluster.metadata(), topics: [] }) }),
      initProducerId: (target, _, options) =>
        call('initProducerId', { target, options, carryOut: () => ({ errorCode: 0, producerId: cluster.nextProducer(), producerEpoch: 0 }), refuse: (errorCode) => ({ errorCode, producerId: -1n, producerEpoch: -1 }) }),
      produce: (target, { partition, records }, options) => {
        const said = (answer: { errorCode: number; baseOffset: bigint }): ProduceResult => ({ ...answer, logAppendTimeMs: -1n, errorMessage: null })
        return call('produce', { target, options, carryOut: (node) => said(cluster.produce(node, partition, records)), refuse: (errorCode) => said({ errorCode, baseOffset: -1n }) })
      },
      listOffsets: (target, { partition, timestamp }, options) => {
        const offset = (): bigint => (timestamp === -2n ? 0n : (cluster.logs[partition]?.end ?? 0n))
        return call('listOffsets', { target, options, carryOut: () => ({ errorCode: 0, offset: offset() }), refuse: (errorCode) => ({ errorCode, offset: -1n }) })
      },
      fetch: (target, { partitions, maxWaitMs }, options) => {
        const refuse = (errorCode: number): { errorCode: number; partitions: readonly FetchedPartition[] } => ({
          errorCode: 0,
          partitions: partitions.map(({ topicId, partition }) => ({ topicId, partition, errorCode, highWatermark: -1n, lastStableOffset: -1n, logStartOffset: -1n, abortedTransactions: [], records: new Uint8Array() })),
        })
        return call('fetch', { target, options, carryOut: async (node) => ({ errorCode: 0, partitions: await cluster.fetch(node, partitions, maxWaitMs) }), refuse })
      },
      findCoordinator: (target, _, __, options) => {
        const node = (): SimulatedNode => cluster.nodes[cluster.coordinator - 1] as SimulatedNode
        return call('findCoordinator', { target, options, carryOut: () => ({ errorCode: 0, node: node() }), refuse: (errorCode) => ({ errorCode, node: node() }) })
      },
      joinGroup: (target, request, options) => {
        const refuse = (errorCode: number): JoinGroupResult => ({ errorCode, generation: -1, protocol: null, leader: '', memberId: request.memberId, members: [] })
        return call('joinGroup', { target, options, refuse, carryOut: (node) => cluster.coordinate(node, refuse, () => group.join(this.#name, request)) })
      },
      syncGroup: (target, request, options) => {
        const refuse = (errorCode: number): { errorCode: number; assignment: Uint8Array } => ({ errorCode, assignment: new Uint8Array() })
        return call('syncGroup', { target, options, refuse, carryOut: (node) => cluster.coordinate(node, refuse, () => group.sync(request)) })
      },
      heartbeat: (target, right, options) => {
        // A group that asks for another round has heard its member.
        const refuse = (errorCode: number): { errorCode: number } => {
          if (errorCode === BROKER.REBALANCE_IN_PROGRESS) group.heartbeat(right)
          return { errorCode }
        }
        return call('heartbeat', { target, options, refuse, carryOut: (node) => cluster.coordinate(node, coded, () => group.heartbeat(right)) })
      },
      leaveGroup: (target, { memberId }, options) => call('leaveGroup', { target, options, refuse: coded, carryOut: (node) => cluster.coordinate(node, coded, () => group.leave(memberId)) }),
      offsetCommit: (target, request, options) => call('offsetCommit', { target, options, refuse: coded, carryOut: (node) => cluster.coordinate(node, coded, () => group.commit(request)) }),
      offsetFetch: (target, { topic, partitions }, options) => {
        const stored = (partition: number): { offset: bigint; metadata: string } => group.committed.get(partition) ?? { offset: -1n, metadata: '' }
        const offsets = () => partitions.map((partition) => ({ topic, partition, errorCode: 0, ...stored(partition) }))
        const refuse = (errorCode: number) => ({ errorCode, offsets: [] })
        return call('offsetFetch', { target, options, refuse, carryOut: (node) => cluster.coordinate(node, refuse, () => ({ errorCode: 0, offsets: offsets() })) })
      },
    }
    const missing = (): never => {
      throw kafkaError('ERR_MESSAGING_PROTOCOL', 'the simulated cluster has no answer to this')
    }
    return new Proxy(known, { get: (api, name: ApiName) => api[name] ?? missing }) as KafkaApi
  }

  /** As connections do: an answer, a broken connection, the deadline, or the caller's signal, whichever comes first. */
  #ask<T>(api: ApiName, { target, options, carryOut, refuse }: Call<T>): Promise<T> {
    const { signal, timeoutMs, onSend } = options
    return new Promise<T>((resolve, reject) => {
      let isOver = false
      const end = (how: () => void): void => {
        if (isOver) return
        isOver = true
        this.#open.delete(breakOff)
        this.clock.clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        how()
      }
      const breakOff = (): void => end(() => reject(notConnected(`a request to ${target.host}`)))
      const onAbort = (): void => end(() => reject(abortedError(`a request to ${target.host}`, signal ?? AbortSignal.abort())))
      this.#open.add(breakOff)
      const timer = this.clock.setTimeout(() => end(() => reject(messagingTimeout(`the answer of ${target.host}`, timeoutMs))), timeoutMs)
      if (this.#isClosed) return breakOff()
      if (signal?.aborted === true) return onAbort()
      signal?.addEventListener('abort', onAbort)
      if (this.isCutOff) return onSend?.()
      void this.#cluster.pass({
        api,
        faults: this.faults,
        target,
        carryOut,
        refuse,
        onLeave: () => void (isOver || onSend?.()),
        answer: (answer) => this.clock.whenAwake(() => end(() => resolve(answer))),
        fail: (error) => this.clock.whenAwake(() => end(() => reject(error))),
      })
    })
  }
}
