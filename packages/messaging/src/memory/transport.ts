import type { Clock } from '@smart-whale/interfaces'
import { kindOf, messagingError, messagingValidationError, notConnected, optionError, partitionNotFound } from '../errors.ts'
import { runCall } from '../run-call.ts'
import { checkTopicName } from '../topic-name.ts'
import { KeptProducer } from '../transactions/kept-producer.ts'
import { checkTransactional } from '../transactions/transactional-settings.ts'
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
} from '../transport.ts'
import { EmbeddedBroker, type MemoryBroker } from './broker.ts'
import { GroupMember } from './group-member.ts'
import { brokerSettings, type MemoryBrokerOptions } from './options.ts'
import { LogPartitionReader } from './partition-reader.ts'
import { sendRecords } from './send-records.ts'
import { MemoryTopicAdmin } from './topic-admin.ts'

/** How {@link createMemoryTransport} makes a transport: with a broker of its own, or on one that others use too. */
export interface MemoryTransportOptions extends MemoryBrokerOptions {
  /** The broker to be a client of; then the other options must not be given, they are the broker's. @default one of its own */
  broker?: MemoryBroker | undefined
}

/** A transport on an embedded broker. */
export interface MemoryTransport extends MessagingTransport {
  /** Ends as a process does that is killed: no handler is waited for, and whatever they still do is refused. For tests. */
  crash(): void
}

/** Makes a transport that needs no server: a broker in this process, in memory or with its log in a folder. */
export function createMemoryTransport(options: MemoryTransportOptions = {}): MemoryTransport {
  const { broker, ...own } = options
  if (broker === undefined) return new BrokerTransport(new EmbeddedBroker(brokerSettings(own)), true)
  if (!(broker instanceof EmbeddedBroker)) throw optionError('broker', broker, 'what createMemoryBroker made')
  const given = Object.entries(own).find(([, value]) => value !== undefined)
  if (given !== undefined) throw optionError(given[0], given[1], 'given to createMemoryBroker when there is a broker')
  return new BrokerTransport(broker, false)
}

class BrokerTransport implements MemoryTransport {
  readonly topics: TopicAdmin
  readonly maxRecordBytes: number
  readonly #broker: EmbeddedBroker
  readonly #ownsBroker: boolean
  readonly #clock: Clock
  readonly #members = new Set<GroupMember>()
  readonly #readers = new Set<AbortController>()
  readonly #producers = new Set<KeptProducer>()
  #state: 'stopped' | 'running' | 'stopping' = 'stopped'

  constructor(broker: EmbeddedBroker, ownsBroker: boolean) {
    this.#broker = broker
    this.#ownsBroker = ownsBroker
    this.#clock = broker.settings.clock
    this.maxRecordBytes = broker.settings.maxRecordBytes
    this.topics = new MemoryTopicAdmin(broker, (what) => this.#checkRunning(what))
  }

  async start(): Promise<void> {
    await this.#broker.start()
    this.#state = 'running'
  }

  /** Leaves all groups, so that their handlers finish, then stops a broker of its own. */
  async stop(): Promise<void> {
    if (this.#state === 'running') this.#state = 'stopping'
    // Handlers that finish may still send, to the dead letters for example.
    await Promise.all([...this.#members].map((member) => member.leave()))
    await Promise.all([...this.#producers].map((producer) => producer.close()))
    this.#state = 'stopped'
    this.#closeReaders(notConnected('reading'))
    if (this.#ownsBroker) await this.#broker.stop()
  }

  crash(): void {
    this.#state = 'stopped'
    const crashed = messagingError('ERR_MESSAGING_MEMBERSHIP_LOST', 'the transport crashed')
    for (const producer of this.#producers) producer.crash()
    for (const member of [...this.#members]) member.fail(crashed)
    this.#closeReaders(crashed)
  }

  async send(topic: string, records: readonly OutgoingRecord[], options?: TransportCallOptions): Promise<readonly RecordPosition[]> {
    this.#checkRunning('sending')
    if (!Array.isArray(records)) throw invalid('records', `must be an array of records, got ${kindOf(records)}`)
    const target = this.#broker.topic(topic)
    return records.length === 0 ? [] : sendRecords(target, records, this.#clock, options)
  }

  async transactional(transactionalId: string, options?: TransactionalOptions): Promise<TransactionalProducer> {
    this.#checkRunning('opening a producer of transactions')
    const transactionTimeoutMs = checkTransactional(transactionalId, options)
    const keeper = await runCall(`opening the transactional id "${transactionalId}"`, options, this.#clock, () => this.#broker.transactional(transactionalId))
    const producer = new KeptProducer({ transactionalId, keeper, transactionTimeoutMs, clock: this.#clock, onClose: (closed) => this.#producers.delete(closed) })
    this.#producers.add(producer)
    return producer
  }

  async join(options: JoinOptions): Promise<GroupMembership> {
    if (this.#state !== 'running') throw notConnected('joining a group')
    if (!Array.isArray(options.topics) || options.topics.length === 0) throw invalid('topics', 'must name at least one topic')
    for (const topic of options.topics) this.#broker.topic(topic)
    const member = new GroupMember({
      group: this.#broker.group(options.groupId),
      join: options,
      handoverTimeoutMs: this.#broker.settings.handoverTimeoutMs,
      clock: this.#clock,
      onEnd: (ended) => this.#members.delete(ended),
    })
    this.#members.add(member)
    member.begin()
    return member
  }

  async openPartition(topic: string, partition: number): Promise<PartitionReader> {
    this.#checkRunning('reading')
    const source = this.#broker.topic(topic)
    const log = source.logs[partition]
    if (log === undefined) throw partitionNotFound(topic, partition, source.logs.length)
    const closing = new AbortController()
    this.#readers.add(closing)
    const close = async (): Promise<void> => {
      this.#readers.delete(closing)
      closing.abort(notConnected('reading'))
    }
    const grant = { signal: closing.signal, committed: () => null, place: null, commit: () => Promise.reject(noGroup(topic, partition)), close }
    return new LogPartitionReader({ topic: source, partition, startOffset: log.earliest, clock: this.#clock, grant })
  }

  async groupLag(groupId: string, topic: string, options?: TransportCallOptions): Promise<readonly PartitionLag[]> {
    this.#checkRunning('asking for lag')
    return runCall('asking for lag', options, this.#clock, async () => {
      checkTopicName(topic)
      const source = this.#broker.topic(topic)
      const group = this.#broker.findGroup(groupId)
      return source.logs.map((log, partition) => {
        const committed = group?.committed(source.id, partition) ?? null
        const next = Math.max(committed?.nextOffset ?? 0, log.earliest)
        const lag = BigInt(Math.max(0, log.latest - next))
        return { partition, committed: committed === null ? null : BigInt(committed.nextOffset), metadata: committed?.metadata ?? '', latest: BigInt(log.latest), lag }
      })
    })
  }

  #checkRunning(what: string): void {
    if (this.#state === 'stopped') throw notConnected(what)
  }

  #closeReaders(reason: unknown): void {
    for (const reader of this.#readers) reader.abort(reason)
    this.#readers.clear()
  }
}

function noGroup(topic: string, partition: number): Error {
  return messagingError('ERR_MESSAGING_NO_GROUP', `partition ${partition} of topic "${topic}" is read without a group, so there is nothing to commit to: join one`)
}

function invalid(field: string, message: string): Error {
  return messagingValidationError('ERR_MESSAGING_INVALID_ARGUMENT', `${field} ${message}`, [{ path: [field], message }])
}
