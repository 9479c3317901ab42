import type { FastifyPluginAsync, preHandlerAsyncHookHandler } from 'fastify'
import { type ClickHouseAdapter, createBatchWriter } from '@smart-whale/clickhouse'
import type { HealthProbe, Lifecycle, Logger, MetricsSink } from '@smart-whale/interfaces'
import type { MessagingTransport } from '@smart-whale/messaging'
import { ingestRoutes } from '@smart-whale/messaging/fastify'
import { createPipeline, type IngestRow, type Pipeline, type PipelineDefinition, type PipelineStatus, type PipelineStores } from '@smart-whale/messaging/pipeline'
import { createTransactionalBatchWriter, IngestLedger, type TimescaleStorage } from '@smart-whale/timescaledb'
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
  /** Told the table after each slice that both stores have, so that kept answers about it can be dropped. @default nobody is told */
  onStored?: (table: string) => void
  /** Decides who may send by HTTP. @default everybody */
  guard?: (permission: string) => preHandlerAsyncHookHandler
  /** Where the pipelines log. @default none, required */
  logger: Logger
  /** Where the pipelines count what they store and refuse. @default none, required */
  metrics: MetricsSink
}

/** A pipeline's status together with how far it is behind. */
export interface IngestorStatus {
  readonly pipelines: readonly (PipelineStatus & { readonly lag: number })[]
}

/** The pipelines of one process. */
export interface Ingestor extends Lifecycle {
  /** `POST /ingest/{topic}`. */
  readonly routes: FastifyPluginAsync
  readonly probes: readonly HealthProbe[]
  status(): Promise<IngestorStatus>
}

/** Puts the pipelines together; `start` makes missing tables and begins. */
export function createIngestor(options: IngestorOptions): Ingestor {
  const { definitions, transport, logger, metrics, onStored } = options
  const pipelines = definitions.map((definition) => createPipeline({ definition, transport, stores: storesOf(definition, options), replication: options.replication ?? 1, onStored: ({ table }) => onStored?.(table), logger, metrics }))
  return {
    start: async ({ signal } = {}) => {
      for (const definition of definitions) await prepareTables(definition, options, signal)
      for (const pipeline of pipelines) await pipeline.start({ signal })
    },
    stop: async ({ signal } = {}) => {
      await Promise.all(pipelines.map((pipeline) => pipeline.stop({ signal })))
    },
    routes: async (fastify) => {
      await fastify.register(ingestRoutes, { transport, definitions, ...(options.guard === undefined ? {} : { guard: options.guard }) })
    },
    probes: pipelines.map((pipeline) => pipeline.healthProbe()),
    status: async () => ({ pipelines: await Promise.all(pipelines.map(statusWithLag)) }),
  }
}

async function statusWithLag(pipeline: Pipeline): Promise<PipelineStatus & { lag: number }> {
  return { ...pipeline.status(), lag: await pipeline.lag() }
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
