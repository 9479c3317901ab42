import { randomUUID } from 'node:crypto'
import { type Clock, ConfigurationError, type HealthProbe, InfrastructureError, type Lifecycle, type Logger, type MetricsSink, silentLogger, silentMetrics, systemClock } from '@smart-whale/interfaces'
import type { GroupMembership, MessagingTransport, PartitionReader } from '../transport.ts'
import { ColumnPool } from './columns/column-pool.ts'
import { sliceDecoder } from './decode-batch.ts'
import { checkTopic } from './check-topic.ts'
import { Comebacks } from './comebacks.ts'
import { DeadLetterOutbox } from './dead-letter-outbox.ts'
import { FloodGuard, type FloodOptions } from './flood-guard.ts'
import { runPartition } from './partition-worker.ts'
import type { LetterWork } from './letter-right.ts'
import { makeTopics } from './make-topics.ts'
import type { PipelineDefinition } from './pipeline-definition.ts'
import { pipelineGroup } from './pipeline-group.ts'
import { PartitionProgress, pipelineMetrics, type PipelineMetrics, type PipelineState, type PipelineStatus, type PipelineTotals } from './pipeline-status.ts'
import { createSentLetters } from './sent-letters.ts'
import { SchemaDrift } from './schema-drift.ts'
import { SliceBudget } from './slice-budget.ts'
import { TopicPresence } from './topic-presence.ts'
import type { PipelineStores } from './write-slice.ts'

/** What a pipeline is made of. */
export interface PipelineOptions {
  /** Topic, fields, table; see `definePipelines`. @default none, required */
  definition: PipelineDefinition
  /** Where messages come from, and where dead letters go. @default none, required */
  transport: MessagingTransport
  /** Where rows go; the tables must be there. @default none, required */
  stores: PipelineStores
  /** What the slices of all pipelines that it is given to may hold together. @default one of its own */
  budget?: SliceBudget
  /** When to halt instead of dead-lettering a flood. @default half of the latest 2000 */
  flood?: FloodOptions
  /** Brokers that a topic made here is replicated to. @default 1 */
  replication?: number
  /** How long a slice that is being written may go on after a stop or a rebalance, in milliseconds. @default 5000 */
  graceMs?: number
  /** Names this worker in the ledger. @default a random id */
  owner?: string
  /** Told after each slice that every store has it; must not throw. @default nobody is told */
  onStored?: (definition: PipelineDefinition) => void
  /** Where the pipeline logs what it stores, refuses and retries. @default silent */
  logger?: Logger
  /** Where the pipeline counts what it stores and refuses. @default silent */
  metrics?: MetricsSink
  /** Whose time passes: for the age of slices, grace and pauses. @default the machine's clock */
  clock?: Clock
}

/** One running stream from a topic into the stores. */
export class Pipeline implements Lifecycle {
  readonly definition: PipelineDefinition
  /** The consumer group that its workers share. */
  readonly groupId: string
  readonly #options: PipelineOptions
  readonly #logger: Logger
  readonly #metrics: PipelineMetrics
  readonly #totals: PipelineTotals = { stored: 0, deadLettered: 0, leftOut: 0, lost: [] }
  readonly #progress = new Map<number, PartitionProgress>()
  readonly #flood: FloodGuard
  readonly #budget: SliceBudget
  readonly #pool = new ColumnPool()
  readonly #comebacks = new Comebacks()
  readonly #drift: SchemaDrift
  readonly #presence: TopicPresence
  readonly #stopped = (): void => void this.stop().catch((error: unknown) => this.#logger.warn({ err: error }, 'the group was not left in time'))
  #membership: GroupMembership | null = null
  #leaving: GroupMembership | null = null
  #state: PipelineState = 'starting'
  #reason: string | null = null

  constructor(options: PipelineOptions) {
    refuseLedgerless(options)
    this.definition = options.definition
    this.groupId = pipelineGroup(options.definition.name)
    this.#options = options
    this.#logger = (options.logger ?? silentLogger).child({ pipeline: options.definition.name })
    this.#metrics = pipelineMetrics(options.metrics ?? silentMetrics)
    this.#flood = new FloodGuard(options.flood)
    this.#budget = options.budget ?? new SliceBudget()
    this.#presence = new TopicPresence(options.transport.topics, options.definition.topic)
    this.#drift = new SchemaDrift(options.definition.name, this.#metrics, this.#logger)
  }

  /**
   * Makes the topic and its dead letters when they are missing, then joins the group `smart-whale-<name>`.
   * @param options its signal gives the start up, and stops a pipeline that has started, whenever it aborts
   */
  async start(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#membership !== null) return
    const { topic } = this.definition
    const { transport, replication = 1 } = this.#options
    await makeTopics(transport, this.definition, replication, options)
    await checkTopic(transport, this.definition, this.#logger, options)
    this.#membership = await transport.join({ groupId: this.groupId, topics: [topic], onPartition: (reader) => this.#run(reader), ...options })
    options.signal?.addEventListener('abort', this.#stopped, { once: true, signal: this.#membership.failed })
    this.#membership.failed.addEventListener('abort', () => this.#halt(this.#membership?.failed.reason), { once: true })
    this.#state = 'running'
    if (options.signal?.aborted === true) return this.stop()
    this.#logger.info({ topic, sinks: this.definition.sinks }, 'pipeline started')
  }

  /** Finishes the slices that are being written, within the grace, and leaves the group. */
  async stop(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    // Who asks while it is leaving already waits for the same end.
    this.#leaving = this.#membership ?? this.#leaving
    this.#membership = null
    await this.#leaving?.leave(options)
    if (this.#state !== 'halted') this.#state = 'stopped'
  }

  /** What is known without asking anybody; that the topic is gone, since the last {@link look}. */
  status(): PipelineStatus {
    const partitions = [...this.#progress.values()].map((progress) => progress.status())
    const lack = this.#state === 'running' ? this.#presence.lack : null
    const isPaused = lack !== null || partitions.some((partition) => partition.state === 'paused')
    const state = this.#state === 'running' && isPaused ? 'paused' : this.#state
    const { name, topic, table } = this.definition
    return { name, topic, table, state, ...this.#totals, lost: [...this.#totals.lost], versions: this.#drift.versions(), undeclared: this.#drift.undeclared(), partitions, reason: this.#reason ?? lack }
  }

  /** Asks the broker whether the topic is still there, for the next {@link status}. */
  async look(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#state !== 'running') return
    const before = this.#presence.lack
    await this.#presence.look(options)
    const { lack } = this.#presence
    if (lack === before) return
    if (lack === null) this.#logger.info({ topic: this.definition.topic }, 'the topic is there again')
    else this.#logger.error({ topic: this.definition.topic }, lack)
  }

  /** Records in the topic that are not yet in every store. */
  async lag(options: { signal?: AbortSignal | undefined } = {}): Promise<number> {
    const partitions = await this.#options.transport.groupLag(this.groupId, this.definition.topic, options)
    const lag = Number(partitions.reduce((sum, each) => sum + each.lag, 0n))
    this.#metrics.lag.set({ pipeline: this.definition.name }, lag)
    return lag
  }

  /** Down when the pipeline has halted or its topic is gone, degraded while it waits for a store. */
  healthProbe(): HealthProbe {
    return {
      name: `pipeline ${this.definition.name}`,
      critical: true,
      check: async ({ signal }) => {
        await this.look({ signal })
        const { state, reason, partitions } = this.status()
        if (state === 'running') return { status: 'up' }
        if (state !== 'paused' || reason !== null) return { status: 'down', detail: reason ?? `the pipeline is ${state}` }
        return { status: 'degraded', detail: `waits: ${[...new Set(partitions.map((partition) => partition.waitingFor ?? ''))].filter(Boolean).join(', ')}` }
      },
    }
  }

  async #run(reader: PartitionReader): Promise<void> {
    const { definition } = this
    const { transport, stores, clock = systemClock, graceMs = 5000, owner = randomUUID(), onStored } = this.#options
    const progress = new PartitionProgress(definition, reader.partition, this.#metrics, this.#totals)
    this.#progress.set(reader.partition, progress)
    const outboxes = new Map<string, DeadLetterOutbox>()
    const lettersOf = (pipeline: string): LetterWork => {
      const source = { topic: definition.topic, partition: reader.partition, groupId: pipelineGroup(pipeline) }
      const deadLetters = outboxes.get(pipeline) ?? new DeadLetterOutbox({ transport, ...source, logger: this.#logger })
      outboxes.set(pipeline, deadLetters)
      return { deadLetters, letters: createSentLetters(transport, source) }
    }
    try {
      await runPartition({
        pipeline: definition.name,
        owner,
        reader,
        stores,
        tables: definition.tables,
        ...lettersOf(definition.name),
        formerLetters: lettersOf,
        decode: sliceDecoder(definition, this.#drift, this.#pool),
        fingerprint: definition.fingerprint,
        limits: definition.limits,
        budget: this.#budget,
        flood: this.#flood,
        comebacks: this.#comebacks,
        progress,
        clock,
        logger: this.#logger,
        graceMs,
        onStored: () => onStored?.(definition),
      })
    } finally {
      await Promise.all([...outboxes.values()].map((outbox) => outbox.close()))
      if (this.#progress.get(reader.partition) === progress) this.#progress.delete(reader.partition)
    }
  }

  #halt(reason: unknown): void {
    if (this.#state === 'stopped') return
    this.#state = 'halted'
    this.#reason = InfrastructureError.isInstance(reason) ? reason.message : 'an unexpected error; the log has it'
    this.#logger.error({ err: reason }, 'pipeline halted')
  }
}

/** Rows in PostgreSQL commit together with their ledger entry, so that has to be there as well. */
function refuseLedgerless({ definition, stores }: PipelineOptions): void {
  if (stores.ledger !== null || stores.timescaledb === null) return
  throw new ConfigurationError(`the pipeline "${definition.name}" writes to PostgreSQL and has no ledger there: give stores.ledger the one that its writer completes slices in`)
}

/** Makes a pipeline; `start` begins it. */
export function createPipeline(options: PipelineOptions): Pipeline {
  return new Pipeline(options)
}
