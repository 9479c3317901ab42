import { notConnected } from './errors.ts'
import { type KafkaConfig, readKafkaConfig } from './kafka-config.ts'
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
} from './transport.ts'

/** Makes the transport that a configuration names. */
export type TransportFactory = (config: KafkaConfig) => Promise<MessagingTransport>

/** Until it is known what the broker takes: Kafka's own default. */
const USUAL_MAX_RECORD_BYTES = 1_000_000

/**
 * A transport that reads its configuration from the environment, and loads the library that it names, when it is started: not before, so
 * that a service on it can be made wherever it is convenient.
 */
export class EnvironmentTransport implements MessagingTransport {
  readonly #make: TransportFactory
  readonly #environment: Readonly<Record<string, string | undefined>> | undefined
  #transport: Promise<MessagingTransport> | undefined
  #started: MessagingTransport | undefined

  constructor(make: TransportFactory, environment?: Readonly<Record<string, string | undefined>>) {
    this.#make = make
    this.#environment = environment
  }

  get maxRecordBytes(): number {
    return this.#started?.maxRecordBytes ?? USUAL_MAX_RECORD_BYTES
  }

  get topics(): TopicAdmin {
    return this.#reached('asking for topics').topics
  }

  /** @throws ConfigurationError `ERR_MESSAGING_CONFIGURATION`, `ERR_MESSAGING_MISSING_PEER` */
  async start(): Promise<void> {
    const loading = (this.#transport ??= this.#load())
    // What was wrong may be put right before the next start.
    loading.catch(() => {
      if (this.#transport === loading) this.#transport = undefined
    })
    const transport = await loading
    await transport.start()
    this.#started = transport
  }

  async stop(): Promise<void> {
    await this.#started?.stop()
  }

  async send(topic: string, records: readonly OutgoingRecord[], options?: TransportCallOptions): Promise<readonly RecordPosition[]> {
    return this.#reached('sending').send(topic, records, options)
  }

  async transactional(transactionalId: string, options?: TransactionalOptions): Promise<TransactionalProducer> {
    return this.#reached('opening a producer of transactions').transactional(transactionalId, options)
  }

  async join(options: JoinOptions): Promise<GroupMembership> {
    return this.#reached('joining a group').join(options)
  }

  async openPartition(topic: string, partition: number, options?: TransportCallOptions): Promise<PartitionReader> {
    return this.#reached('reading').openPartition(topic, partition, options)
  }

  async groupLag(groupId: string, topic: string, options?: TransportCallOptions): Promise<readonly PartitionLag[]> {
    return this.#reached('asking for lag').groupLag(groupId, topic, options)
  }

  async #load(): Promise<MessagingTransport> {
    return this.#make(readKafkaConfig(this.#environment))
  }

  #reached(what: string): MessagingTransport {
    if (this.#started === undefined) throw notConnected(what)
    return this.#started
  }
}
