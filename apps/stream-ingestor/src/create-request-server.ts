import type { ClickHouseAdapter } from '@smart-whale/clickhouse/ingest'
import type { Lifecycle, Logger } from '@smart-whale/interfaces'
import { answerFromTables, DATA_REQUESTS_TOPIC, KafkaService, type MessagingTransport, type TableReader } from '@smart-whale/messaging'
import type { Freshness, PipelineDefinition } from '@smart-whale/messaging/pipeline'
import { TimeSeriesRepository, type TimescaleStorage } from '@smart-whale/timescaledb'
import { clickhouseReader } from './clickhouse-reader.ts'

/** What {@link createRequestServer} answers from. */
export interface RequestServerOptions {
  /** Pipelines whose tables may be read, by the pipeline's table name. @default none, required */
  definitions: readonly PipelineDefinition[]
  /** Where requests come from and answers go. @default none, required */
  transport: MessagingTransport
  /** Answers for tables that PostgreSQL does not have. @default none, required */
  clickhouse: ClickHouseAdapter | null
  /** Answers for all others. @default none, required */
  timescaledb: TimescaleStorage | null
  /** Group that shares the requests. @default none, required */
  groupId: string
  /** Makes requests wait that name a token. @default none, required */
  freshness: Freshness
  /** Where requests are logged. @default none, required */
  logger: Logger
}

/** Answers requests for data from the pipelines' tables, from `start` to `stop`. */
export function createRequestServer({ definitions, transport, clickhouse, timescaledb, groupId, freshness, logger }: RequestServerOptions): Lifecycle {
  const service = new KafkaService(transport, { manageTransport: false, logger })
  const tables = new Map<string, TableReader>()
  for (const definition of definitions) {
    if (timescaledb !== null && definition.sinks.includes('timescaledb')) tables.set(definition.table, timescaleReader(timescaledb, definition))
    else if (clickhouse !== null) tables.set(definition.table, clickhouseReader(clickhouse, definition))
  }
  return {
    start: async () => {
      await service.connect()
      await service.createTopic(DATA_REQUESTS_TOPIC)
      await service.serveDataRequests(groupId, answerFromTables({ tables, freshness }))
    },
    stop: async () => void (await service.disconnect()),
  }
}

function timescaleReader(timescaledb: TimescaleStorage, { tables, time }: PipelineDefinition): TableReader {
  const repository = new TimeSeriesRepository(timescaledb, tables.timescaledb, { timeColumn: time })
  return { read: ({ start, end, ...page }, { signal }) => repository.getRange({ start, end }, { ...page, signal }) }
}
