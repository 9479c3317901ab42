import { randomUUID } from 'node:crypto'
import { InfrastructureError } from '@smart-whale/interfaces'
import { kindOf, messagingError, messagingValidationError, notConnected, PartialSendError, partitionNotFound, timedOutBecause } from '../../errors.ts'
import { runCall } from '../../run-call.ts'
import { checkTopicName } from '../../topic-name.ts'
import { KeptProducer } from '../../transactions/kept-producer.ts'
import { checkTransactional } from '../../transactions/transactional-settings.ts'
import type {
  GroupMembership,
  JoinOptions,
  MessagingTransport,
  OutgoingRecord,
  PartitionLag,
  PartitionReader,
  RecordPosition,
  TopicAdmin,
  TransactionalOptions,
  TransactionalProducer,
  TransportCallOptions,
} from '../../transport.ts'
import { BROKER, brokerError } from '../broker-errors.ts'
import { ClusterView } from '../cluster-view.ts'
import type { KafkaApi, KafkaConnections } from '../kafka-api.ts'
import { type KafkaTransportOptions, kafkaTransportSettings } from '../options.ts'
import { createKafkaApi } from '../protocol/create-kafka-api.ts'
import { Fetcher } from './fetcher.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { firstRecord } from './first-record.ts'
import { GroupMember, type GrantedPartition } from './group-member.ts'
import { createBrokerRetry, type KafkaClient } from './kafka-client.ts'
import { KafkaPartitionReader, type PartitionGrant } from './kafka-partition-reader.ts'
import { KafkaTopicAdmin } from './kafka-topic-admin.ts'
import { latestOffset, offsetBounds } from './offset-bounds.ts'
import { RecordSender, type SendReport } from './send-records.ts'
import { KafkaKeeper } from './transactions/kafka-keeper.ts'

/** A broker that is just starting is waited for; one that isn't there is told of. */
const START_TIMEOUT_MS = 15_000
/** How long a stop waits for sends that are under way; each has a deadline of its own as well. */
const DRAIN_MS = 10_000

/** A transport on Kafka, over connections that a client library makes. */
export class KafkaTransport implements MessagingTransport {
  readonly maxRecordBytes: number
  readonly topics: TopicAdmin
  readonly #connections: KafkaConnections
  readonly #client: KafkaClient
  readonly #closing = new AbortController()
  readonly #sender: RecordSender
  readonly #fetcher: Fetcher
  readonly #members = new Set<GroupMember>()
  readonly #readers = new Set<AbortController>()
  readonly #producers = new Set<KeptProducer>()
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'
  #stopping: Promise<void> | undefined

  constructor(connections: KafkaConnections, options: KafkaTransportOptions = {}, given?: KafkaApi) {
    const settings = kafkaTransportSettings(options)
    const { clock } = settings
    const api = given ?? createKafkaApi(connections, clock)
    const { signal: closing } = this.#closing
    const view = new ClusterView(api, connections.seeds, settings, closing)
    this.#connections = connections
    this.#client = { api, view, settings, clock, closing, retry: createBrokerRetry(clock), closeChannel: (channel) => connections.closeChannel?.(channel) }
    this.maxRecordBytes = settings.maxRecordBytes
    this.#sender = new RecordSender(this.#client)
    this.#fetcher = new Fetcher(this.#client)
    this.topics = new KafkaTopicAdmin(this.#client, (what) => this.#checkRunning(what))
  }

  /** Resolves when one of the brokers has answered. */
  async start(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#state === 'running') return
    if (this.#state !== 'new') throw notConnected('starting again')
    const { view, clock, retry, closing } = this.#client
    // A stop that comes in between ends it as well.
    const given = options.signal === undefined ? closing : AbortSignal.any([options.signal, closing])
    let failure: unknown
    const reach = async (signal: AbortSignal): Promise<void> => {
      try {
        await view.nodes(signal)
      } catch (error) {
        if (!signal.aborted) failure = error
        throw error
      }
    }
    try {
      await runCall('reaching Kafka', { signal: given, timeoutMs: START_TIMEOUT_MS }, clock, (signal) => retry.execute(() => reach(signal), { signal }))
    } catch (error) {
      // Why no broker was reached says more than that time is up.
      throw given.aborted ? error : (failure ?? error)
    }
    this.#state = 'running'
  }

  /** Leaves all groups, so that their handlers finish; lets what is being sent come to its end; then closes the connections. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** Ends as the process would: nobody is told. For tests. */
  async crash(): Promise<void> {
    this.#state = 'stopped'
    const crashed = messagingError('ERR_MESSAGING_MEMBERSHIP_LOST', 'the transport crashed')
    for (const producer of this.#producers) producer.crash()
    for (const member of [...this.#members]) member.fail(crashed)
    this.#closeAll(crashed)
    await this.#connections.close()
  }

  async send(topic: string, records: readonly OutgoingRecord[], options?: TransportCallOptions): Promise<readonly RecordPosition[]> {
    this.#checkRunning('sending')
    if (!Array.isArray(records)) throw invalid('records', `must be an array of records, got ${kindOf(records)}`)
    let report: Promise<SendReport> | undefined
    try {
      const { stored } = await runCall(`sending ${records.length} records to topic "${topic}"`, options, this.#client.clock, async (signal) => {
        report = this.#sender.send(topic, records, signal)
        return throwFailure(await report)
      })
      return stored as readonly RecordPosition[]
    } catch (error) {
      // Out of time, or given up: it is known by now what became of each record.
      const known = await report?.catch(() => undefined)
      if (known === undefined) throw error
      if (known.failure === undefined) return known.stored as readonly RecordPosition[]
      throw sendFailure(topic, known, timedOutBecause(error, known.failure))
    }
  }

  async transactional(transactionalId: string, options?: TransactionalOptions): Promise<TransactionalProducer> {
    this.#checkRunning('opening a producer of transactions')
    const transactionTimeoutMs = checkTransactional(transactionalId, options)
    const { clock } = this.#client
    const keeper = new KafkaKeeper(this.#client, transactionalId, transactionTimeoutMs)
    try {
      await runCall(`opening the transactional id "${transactionalId}"`, options, clock, (signal) => keeper.open(signal))
    } catch (error) {
      keeper.close()
      throw error
    }
    const producer = new KeptProducer({ transactionalId, keeper, transactionTimeoutMs, clock, onClose: (closed) => this.#producers.delete(closed) })
    this.#producers.add(producer)
    return producer
  }

  async join(options: JoinOptions): Promise<GroupMembership> {
    if (this.#state !== 'running') throw notConnected('joining a group')
    if (!Array.isArray(options.topics) || options.topics.length === 0) throw invalid('topics', 'must name at least one topic')
    const { clock, settings, view } = this.#client
    const member = new GroupMember({
      client: this.#client,
      join: options,
      channel: randomUUID(),
      makeReader: (granted) => this.#groupReader(granted, options),
      onEnd: (ended) => this.#members.delete(ended),
    })
    const limits = { signal: options.signal, timeoutMs: settings.rebalanceTimeoutMs + settings.requestTimeoutMs }
    this.#members.add(member)
    try {
      await runCall(`joining group "${options.groupId}"`, limits, clock, async (signal) => {
        for (const topic of options.topics) await view.topic(topic, signal)
        await member.begin(signal)
      })
    } catch (error) {
      await member.leave()
      throw error
    }
    return member
  }

  async openPartition(topic: string, partition: number, options?: TransportCallOptions): Promise<PartitionReader> {
    this.#checkRunning('reading')
    const { clock, view } = this.#client
    return runCall(`opening partition ${partition} of topic "${topic}"`, options, clock, async (signal) => {
      const { id, partitions } = await view.topic(topic, signal)
      if (!partitions.some((candidate) => candidate.partition === partition)) throw partitionNotFound(topic, partition, partitions.length)
      const { earliest } = await offsetBounds(this.#client, { topic, topicId: id, partition, signal })
      const grant = this.#ownGrant(topic, partition)
      return new KafkaPartitionReader(this.#client, this.#fetcher, { topic: { name: topic, id }, partition, startOffset: earliest, grant })
    })
  }

  async groupLag(groupId: string, topic: string, options?: TransportCallOptions): Promise<readonly PartitionLag[]> {
    this.#checkRunning('asking for lag')
    const { api, clock, settings, view } = this.#client
    return runCall('asking for lag', options, clock, async (signal) => {
      checkTopicName(topic)
      const { id: topicId, partitions } = await view.topic(topic, signal)
      const numbers = partitions.map(({ partition }) => partition)
      const coordinator = new GroupCoordinator(this.#client, groupId)
      const { errorCode, offsets } = await coordinator.call(signal, (target) =>
        api.offsetFetch(target, { groupId, topic, partitions: numbers, requireStable: false }, { signal, timeoutMs: settings.requestTimeoutMs }),
      )
      if (errorCode !== BROKER.NONE) throw brokerError(errorCode, `asking for the progress of group "${groupId}"`)
      const lagOf = async (partition: number): Promise<PartitionLag> => {
        const { offset = -1n, metadata = '' } = offsets.find((stored) => stored.partition === partition) ?? {}
        const committed = offset < 0n ? null : offset
        const place = { topic, topicId, partition, signal }
        const latest = await latestOffset(this.#client, place)
        const next = await firstRecord(this.#client, { ...place, from: committed, end: latest })
        return { partition, committed, metadata: metadata ?? '', latest, lag: next < latest ? latest - next : 0n }
      }
      return Promise.all(numbers.map(lagOf))
    })
  }

  async #stop(): Promise<void> {
    const wasRunning = this.#state === 'running'
    if (wasRunning) this.#state = 'stopping'
    // Handlers that finish may still send, to the dead letters for example.
    await Promise.all([...this.#members].map((member) => member.leave()))
    await Promise.all([...this.#producers].map((producer) => producer.close()))
    const { clock, settings } = this.#client
    if (wasRunning) {
      const drained = runCall('sending what is under way', { timeoutMs: DRAIN_MS }, clock, () => this.#sender.idle())
      await drained.catch((error: unknown) => settings.logger.warn({ err: error }, 'records that were under way at the stop were given up'))
    }
    this.#state = 'stopped'
    this.#closeAll(notConnected('reading'))
    await this.#connections.close()
  }

  /** Nobody assigns what is read without a group, and there is nothing to commit to. */
  #ownGrant(topic: string, partition: number): PartitionGrant {
    const closing = new AbortController()
    this.#readers.add(closing)
    const close = async (): Promise<void> => {
      this.#readers.delete(closing)
      closing.abort(notConnected('reading'))
    }
    return {
      signal: closing.signal,
      isCurrent: () => true,
      untilCertain: () => Promise.resolve(),
      onTopicGone: () => {},
      committed: () => Promise.resolve(null),
      commit: () => Promise.reject(noGroup(topic, partition)),
      close,
    }
  }

  async #groupReader(granted: GrantedPartition, { startFrom }: JoinOptions): Promise<PartitionReader> {
    const { grant, topic, partition, isPending } = granted
    // Only where there surely is no progress may it be stored where reading begins.
    const committed = granted.committed === null && isPending && startFrom === 'latest' ? await grant.committed({ signal: grant.signal }) : granted.committed
    const { earliest, latest } = await offsetBounds(this.#client, { topic: topic.name, topicId: topic.id, partition, signal: grant.signal })
    const reader = new KafkaPartitionReader(this.#client, this.#fetcher, { topic, partition, startOffset: committed?.offset ?? earliest, isPending, grant })
    if (committed === null && startFrom === 'latest') {
      reader.seek(latest)
      // Otherwise whoever gets the partition next would begin at the end once more, behind what came in between.
      await grant.commit(latest, { signal: grant.signal })
    } else if (committed !== null && committed.offset < earliest && !isPending) {
      const context = { topic: topic.name, partition, committed: String(committed.offset), earliest: String(earliest) }
      this.#client.settings.logger.warn(context, 'the committed offset is no longer there; reading begins at the first one that is')
      reader.seek(earliest)
    }
    return reader
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

/** Makes a transport on Kafka over a library's connections. */
export function createKafkaTransport(connections: KafkaConnections, options?: KafkaTransportOptions): KafkaTransport {
  return new KafkaTransport(connections, options)
}

function throwFailure(report: SendReport): SendReport {
  if (report.failure === undefined) return report
  throw report.failure
}

/** Nothing of it is there, for sure: then the reason alone says all. */
function sendFailure(topic: string, { stored, unknown }: SendReport, cause: unknown): unknown {
  if (unknown.length === 0 && stored.every((position) => position === null)) return cause
  return new PartialSendError({ topic, stored, unknown, cause, retryable: InfrastructureError.isInstance(cause) && cause.retryable })
}

function noGroup(topic: string, partition: number): Error {
  return messagingError('ERR_MESSAGING_NO_GROUP', `partition ${partition} of topic "${topic}" is read without a group, so there is nothing to commit to: join one`)
}

function invalid(field: string, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${field} ${message}`, [{ path: [field], message }])
}
