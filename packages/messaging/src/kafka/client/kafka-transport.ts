import { randomUUID } from 'node:crypto'
import { kindOf, messagingError, messagingValidationError, notConnected, partitionNotFound } from '../../errors.ts'
import { BROKER, brokerError } from '../broker-errors.ts'
import { ClusterView } from '../cluster-view.ts'
import type { KafkaApi, KafkaConnections } from '../kafka-api.ts'
import { type KafkaTransportOptions, kafkaTransportSettings, type KafkaTransportSettings } from '../options.ts'
import { createKafkaApi } from '../protocol/create-kafka-api.ts'
import { runCall } from '../../run-call.ts'
import { checkTopicName } from '../../topic-name.ts'
import type { GroupMembership, JoinOptions, MessagingTransport, OutgoingRecord, PartitionLag, PartitionReader, RecordPosition, TopicAdmin, TransportCallOptions } from '../../transport.ts'
import { callLeader } from './call-leader.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { GroupMember } from './group-member.ts'
import { KafkaPartitionReader, type PartitionGrant } from './kafka-partition-reader.ts'
import { KafkaTopicAdmin } from './kafka-topic-admin.ts'
import { RecordSender } from './send-records.ts'

/** A transport on Kafka, over connections that a client library makes. */
export class KafkaTransport implements MessagingTransport {
  readonly maxRecordBytes: number
  readonly topics: TopicAdmin
  readonly #connections: KafkaConnections
  readonly #api: KafkaApi
  readonly #settings: KafkaTransportSettings
  readonly #closing = new AbortController()
  readonly #view: ClusterView
  readonly #sender: RecordSender
  readonly #members = new Set<GroupMember>()
  readonly #readers = new Set<AbortController>()
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'

  constructor(connections: KafkaConnections, options: KafkaTransportOptions = {}) {
    this.#connections = connections
    this.#settings = kafkaTransportSettings(options)
    this.#api = createKafkaApi(connections)
    this.maxRecordBytes = this.#settings.maxRecordBytes
    this.#view = new ClusterView(this.#api, connections.seeds, this.#settings, this.#closing.signal)
    const { clock } = this.#settings
    const ports = { api: this.#api, view: this.#view, settings: this.#settings, clock }
    this.#sender = new RecordSender({ ...ports, closing: this.#closing.signal })
    this.topics = new KafkaTopicAdmin({ ...ports, checkRunning: (what) => this.#checkRunning(what) })
  }

  /** Resolves when one of the brokers has answered. */
  async start(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#state === 'running') return
    if (this.#state !== 'new') throw notConnected('starting again')
    await runCall('reaching Kafka', { signal: options.signal, timeoutMs: START_TIMEOUT_MS }, this.#settings.clock, (signal) => this.#view.nodes(signal))
    this.#state = 'running'
  }

  /** Leaves all groups, so that their handlers finish, then closes the connections. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return
    this.#state = 'stopping'
    // Handlers that finish may still send, to the dead letters for example.
    await Promise.all([...this.#members].map((member) => member.leave()))
    this.#state = 'stopped'
    this.#closeAll(notConnected('reading'))
    await this.#connections.close()
  }

  /** Ends as the process would: nobody is told. */
  async crash(): Promise<void> {
    this.#state = 'stopped'
    const crashed = messagingError('ERR_MESSAGING_MEMBERSHIP_LOST', 'the transport crashed')
    for (const member of [...this.#members]) member.fail(crashed)
    this.#closeAll(crashed)
    await this.#connections.close()
  }

  async send(topic: string, records: readonly OutgoingRecord[], options?: TransportCallOptions): Promise<readonly RecordPosition[]> {
    this.#checkRunning('sending')
    if (!Array.isArray(records)) throw invalid('records', `must be an array of records, got ${kindOf(records)}`)
    return runCall(`sending to topic "${topic}"`, options, this.#settings.clock, async (signal) => {
      if (records.length > 0) return this.#sender.send(topic, records, signal)
      await this.#view.topic(topic, signal)
      return []
    })
  }

  async join(options: JoinOptions): Promise<GroupMembership> {
    if (this.#state !== 'running') throw notConnected('joining a group')
    if (!Array.isArray(options.topics) || options.topics.length === 0) throw invalid('topics', 'must name at least one topic')
    const { clock, logger, rebalanceTimeoutMs } = this.#settings
    const member = new GroupMember({
      api: this.#api,
      view: this.#view,
      settings: this.#settings,
      clock,
      logger,
      join: options,
      channel: randomUUID(),
      makeReader: (grant, held) => this.#groupReader(grant, held, options),
      onEnd: (ended) => this.#members.delete(ended),
    })
    await runCall(`joining group "${options.groupId}"`, { signal: options.signal, timeoutMs: rebalanceTimeoutMs * 2 }, clock, async (signal) => {
      for (const topic of options.topics) await this.#view.topic(topic, signal)
      await member.begin(signal)
    })
    this.#members.add(member)
    return member
  }

  async openPartition(topic: string, partition: number, options?: TransportCallOptions): Promise<PartitionReader> {
    this.#checkRunning('reading')
    return runCall(`opening partition ${partition} of topic "${topic}"`, options, this.#settings.clock, async (signal) => {
      const { id, partitions } = await this.#view.topic(topic, signal)
      if (!partitions.some((candidate) => candidate.partition === partition)) throw partitionNotFound(topic, partition, partitions.length)
      const closing = new AbortController()
      this.#readers.add(closing)
      const close = async (): Promise<void> => {
        this.#readers.delete(closing)
        closing.abort(notConnected('reading'))
      }
      const grant: PartitionGrant = { signal: closing.signal, checkCurrent: () => {}, committed: async () => null, commit: () => Promise.reject(noGroup(topic, partition)), close }
      const reader = this.#reader(grant, { name: topic, id }, partition, 0n)
      reader.seek((await reader.bounds({ signal })).earliest)
      return reader
    })
  }

  async groupLag(groupId: string, topic: string, options?: TransportCallOptions): Promise<readonly PartitionLag[]> {
    this.#checkRunning('asking for lag')
    const { clock, requestTimeoutMs } = this.#settings
    return runCall('asking for lag', options, clock, async (signal) => {
      checkTopicName(topic)
      const { partitions } = await this.#view.topic(topic, signal)
      const numbers = partitions.map(({ partition }) => partition)
      const coordinator = new GroupCoordinator({ api: this.#api, view: this.#view, settings: this.#settings, clock }, groupId)
      const { errorCode, offsets } = await coordinator.call(signal, (target) => this.#api.offsetFetch(target, { groupId, topic, partitions: numbers }, { signal, timeoutMs: requestTimeoutMs }))
      if (errorCode !== BROKER.NONE) throw brokerError(errorCode, `asking for the progress of group "${groupId}"`)
      const latest = await Promise.all(numbers.map((partition) => this.#latest(topic, partition, signal)))
      return numbers.map((partition, index) => {
        const { offset = -1n, metadata = '' } = offsets.find((stored) => stored.partition === partition) ?? {}
        return { partition, committed: offset < 0n ? null : offset, metadata: metadata ?? '', latest: latest[index] as bigint }
      })
    })
  }

  async #latest(topic: string, partition: number, signal: AbortSignal): Promise<bigint> {
    const { clock, requestTimeoutMs } = this.#settings
    const what = `asking for the end of partition ${partition} of topic "${topic}"`
    const call = { view: this.#view, clock, topic, partition, what, signal }
    const { offset } = await callLeader({ ...call, call: (target, leaderEpoch) => this.#api.listOffsets(target, { topic, partition, timestamp: -1n, leaderEpoch }, { signal, timeoutMs: requestTimeoutMs }) })
    return offset
  }

  async #groupReader(grant: PartitionGrant, { topic, partition, committed }: Parameters<ConstructorParameters<typeof GroupMember>[0]['makeReader']>[1], { startFrom }: JoinOptions): Promise<PartitionReader> {
    const reader = this.#reader(grant, topic, partition, 0n)
    const { earliest, latest } = await reader.bounds({ signal: grant.signal })
    if (committed !== null && committed.offset >= earliest && committed.offset <= latest) reader.seek(committed.offset)
    else {
      if (committed !== null) this.#settings.logger.warn({ topic: topic.name, partition, committed: String(committed.offset) }, 'the committed offset is no longer there; reading begins at the first one that is')
      reader.seek(committed === null && startFrom === 'latest' ? latest : earliest)
    }
    return reader
  }

  #reader(grant: PartitionGrant, topic: { name: string; id: string }, partition: number, startOffset: bigint): KafkaPartitionReader {
    const { clock } = this.#settings
    return new KafkaPartitionReader({ api: this.#api, view: this.#view, settings: this.#settings, clock, topic, partition, channel: randomUUID(), grant, startOffset })
  }

  #checkRunning(what: string): void {
    if (this.#state === 'stopped' || this.#state === 'new') throw notConnected(what)
  }

  #closeAll(reason: unknown): void {
    for (const reader of this.#readers) reader.abort(reason)
    this.#readers.clear()
    this.#closing.abort(reason)
  }
}

const START_TIMEOUT_MS = 30_000

/** Makes a transport on Kafka over a library's connections. */
export function createKafkaTransport(connections: KafkaConnections, options?: KafkaTransportOptions): KafkaTransport {
  return new KafkaTransport(connections, options)
}

function noGroup(topic: string, partition: number): Error {
  return messagingError('ERR_MESSAGING_NO_GROUP', `partition ${partition} of topic "${topic}" is read without a group, so there is nothing to commit to: join one`)
}

function invalid(field: string, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${field} ${message}`, [{ path: [field], message }])
}
