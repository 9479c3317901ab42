import { createAdapter, createBatchWriter } from '@smart-whale/clickhouse'
import { createPipeline, definePipelines, type IngestRow, type Pipeline, type PipelineDefinition, type PipelineInput } from '@smart-whale/messaging/pipeline'
import { createPlatformaticTransport } from '@smart-whale/messaging/platformatic'
import { endlessTransport } from './endless-transport.ts'
import { INGEST_FIELDS } from './ingest-events.ts'
import type { Quota } from './quota.ts'
import type { WorkerConfig } from './worker-config.ts'

/** The pipeline of a benchmark: everything that it does in production, with the limits that it has by itself, into ClickHouse alone. */
function ourDefinition(topic: string, table: string, more: Partial<PipelineInput> = {}): PipelineDefinition {
  const [definition] = definePipelines([
    { name: `${topic}.${table}`, topic, table, fields: INGEST_FIELDS, time: 'time', id: 'id', sinks: ['clickhouse'], ...more },
  ])
  return definition as PipelineDefinition
}

/** Runs a pipeline over a topic without end, as far as the quota goes. @param byRow by way of a route, which takes a row as an object */
export async function runPipeline(config: WorkerConfig, quota: Quota, byRow: boolean): Promise<{ stop(): Promise<void> }> {
  const { url, username: user, password } = config
  const [database = '', table = ''] = config.table.split('.')
  const adapter = createAdapter({ url, user, password, database })
  const transport = createPlatformaticTransport({ brokers: config.brokers })
  await transport.start()
  const definition = ourDefinition(config.topic, table, byRow ? { route: () => ['clickhouse'] } : {})
  let stored = 0
  const pipeline: Pipeline = createPipeline({
    definition,
    transport: endlessTransport(transport, quota, config.length),
    stores: { clickhouse: createBatchWriter<IngestRow>(adapter, definition.tables.clickhouse), timescaledb: null, ledger: null },
    onStored: () => {
      const now = pipeline.status().stored
      quota.done(now - stored)
      stored = now
    },
    logger: failing(quota),
  })
  await pipeline.start()
  return {
    stop: async () => {
      await pipeline.stop()
      await transport.stop()
      await adapter.close()
    },
  }
}

/** A pipeline tells of trouble in its log: in a benchmark that is the end. */
function failing(quota: Quota): NonNullable<Parameters<typeof createPipeline>[0]['logger']> {
  const fail = (details: unknown): void => quota.fail(details instanceof Object && 'err' in details ? details.err : details)
  const ignore = (): void => {}
  const logger = { trace: ignore, debug: ignore, info: ignore, warn: fail, error: fail, fatal: fail, child: () => logger }
  return logger as unknown as NonNullable<Parameters<typeof createPipeline>[0]['logger']>
}
