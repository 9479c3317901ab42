import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { FastifyPluginAsync, preHandlerAsyncHookHandler } from 'fastify'
import { type ClickHouseAdapter, createBatchWriter } from '@smart-whale/clickhouse/ingest'
import type { HealthProbe, Lifecycle, Logger, MetricsSink } from '@smart-whale/interfaces'
import type { MessagingTransport } from '@smart-whale/messaging'
import { letterDecoder, letterVersion } from '@smart-whale/messaging/dead-letters'
import { deadLetterRoutes, freshnessRoutes, ingestRoutes } from '@smart-whale/messaging/fastify'
import {
  createFreshness,
  createLagMonitor,
  createPipeline,
  type Freshness,
  type IngestRow,
  type Pipeline,
  type PipelineDefinition,
  type PipelineStatus,
  type PipelineStores,
  SliceBudget,
} from '@smart-whale/messaging/pipeline'
import { createTransactionalBatchWriter, IngestLedger, type TimescaleStorage } from '@smart-whale/timescaledb'
import { refuseDrift } from './checks/refuse-drift.ts'
import { progressOf } from './open-parts.ts'
import { prepareTables } from './prepare-tables.ts'
import { withJsonFields } from './rows-for-timescale.ts'

/** Everything that the ingestor works with; whoever starts it owns and closes them. */
export interface IngestorOptions {
  /** What to take in. @default none, required */
  definitions: readonly PipelineDefinition[]
  /** Where messages come from. @default none, required */
  transport: MessagingTransport
  /** As a user who may create tables and insert; null when no pipeline writes there. @default none, required */
  clickhouse: ClickHouseAdapter | null
  /** Migrated; keeps the ledger as well. Null when no pipeline writes there. @default none, required */
  timescaledb: TimescaleStorage | null
  /** Brokers that topics made here are copied to. @default 1 */
  replication?: number
  /** What the slices of all pipelines may hold together, in bytes. @default 8388608 */
  sliceBytes?: number
  /** How long a pipeline may stand still while its lag grows before it isn't ready, in milliseconds. @default 60000 */
  stallMs?: number
  /** Whether events are taken by HTTP now. @default always */
  isReady?: () => Promise<boolean>
  /** Told the table after each slice that both stores have, so that kept answers about it can be dropped. @default nobody is told */
  onStored?: (table: string) => void
  /** Decides who may send by HTTP. @default everybody */
  guard?: (permission: string) => preHandlerAsyncHookHandler
  /** Where the pipelines log. @default none, required */
  logger: Logger
  /** Where the pipelines count what they store and refuse. @default none, required */
  metrics: MetricsSink
}

/** What a pipeline does, and how far it is behind; null while that can't be told: its topic is gone, or no broker answers. */
export type PipelineStatusWithLag = PipelineStatus & { readonly lag: number | null }

/** The status of all pipelines. */
export interface IngestorStatus {
  readonly pipelines: readonly PipelineStatusWithLag[]
}

/** The pipelines of one process. */
export interface Ingestor extends Lifecycle {
  /** `POST /ingest/{topic}`, `GET /freshness`, and the dead letters. */
  readonly routes: FastifyPluginAsync
  readonly probes: readonly HealthProbe[]
  /** Tells when events that were taken can be queried. */
  readonly freshness: Freshness
  status(): Promise<IngestorStatus>
}

/** Puts the pipelines together; `start` makes missing tables and begins. */
export function createIngestor(options: IngestorOptions): Ingestor {
  const { definitions, transport, logger, metrics, onStored, replication = 1 } = options
  const freshness = createFreshness({ progress: progressOf(options, transport), metrics })
  const owner = workerName()
  const told = (tables: PipelineDefinition['tables']): void => {
    freshness.notify()
    for (const table of new Set(Object.values(tables))) onStored?.(table)
  }
  const budget = new SliceBudget({ maxBytes: options.sliceBytes })
  const pipelines = definitions.map((definition) => createPipeline({ definition, transport, stores: storesOf(definition, options), budget, replication, owner, onStored: ({ tables }) => told(tables), logger, metrics }))
  const monitor = createLagMonitor({ pipelines, transport, stallMs: options.stallMs, metrics, logger })
  return {
    start: async ({ signal } = {}) => {
      await refuseDrift(definitions, options, signal)
      for (const definition of definitions) await prepareTables(definition, options, signal)
      // Side by side: each waits for its group, and a group may wait for a worker that died.
      await Promise.all(pipelines.map((pipeline) => pipeline.start({ signal })))
      await monitor.start()
    },
    stop: async ({ signal } = {}) => {
      await monitor.stop()
      await Promise.all(pipelines.map((pipeline) => pipeline.stop({ signal })))
    },
    routes: routesOf(options, freshness),
    probes: [brokerProbe(transport), ...pipelines.map((pipeline) => pipeline.healthProbe()), ...monitor.probes],
    freshness,
    status: async () => ({ pipelines: await Promise.all(pipelines.map(statusWithLag)) }),
  }
}

function routesOf({ definitions, transport, guard, isReady }: IngestorOptions, freshness: Freshness): FastifyPluginAsync {
  const guarded = guard === undefined ? {} : { guard }
  const decoders = new Map(definitions.map((definition) => [definition.topic, letterDecoder(definition)]))
  const versions = new Map(definitions.map(({ topic, versionFrom }) => [topic, letterVersion(versionFrom ?? undefined)]))
  return async (fastify) => {
    await fastify.register(ingestRoutes, { transport, definitions, ...guarded, ...(isReady === undefined ? {} : { isReady }) })
    await fastify.register(freshnessRoutes, { freshness, ...guarded })
    await fastify.register(deadLetterRoutes, { transport, topics: [...decoders.keys()], decoderFor: (topic) => decoders.get(topic), versionOfFor: (topic) => versions.get(topic), ...guarded })
  }
}

function brokerProbe(transport: MessagingTransport): HealthProbe {
  return {
    name: 'broker',
    critical: true,
    check: async ({ signal }) => ({ status: 'up', data: { brokers: await transport.topics.brokerCount({ signal }) } }),
  }
}

async function statusWithLag(pipeline: Pipeline): Promise<PipelineStatusWithLag> {
  await pipeline.look()
  // Whoever asks for the status of all wants that of the others too.
  return { ...pipeline.status(), lag: await pipeline.lag().catch(() => null) }
}

function storesOf(definition: PipelineDefinition, { clickhouse, timescaledb }: IngestorOptions): PipelineStores {
  const { sinks, tables } = definition
  const ledger = timescaledb === null ? null : new IngestLedger(timescaledb)
  return {
    // Without PostgreSQL the consumer group keeps it, beside its offsets.
    ledger,
    clickhouse: clickhouse !== null && sinks.includes('clickhouse') ? createBatchWriter<IngestRow>(clickhouse, tables.clickhouse) : null,
    timescaledb: timescaledb !== null && ledger !== null && sinks.includes('timescaledb') ? withJsonFields(definition, createTransactionalBatchWriter<IngestRow>(timescaledb, tables.timescaledb, { ledger })) : null,
  }
}

/** Says in the ledger who has a partition: short, since a group keeps little text. */
function workerName(): string {
  return `${hostname().slice(0, 40)}:${process.pid}:${randomBytes(3).toString('hex')}`
}
