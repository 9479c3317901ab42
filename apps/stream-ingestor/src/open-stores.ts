import { createAdapter, type ClickHouseAdapter } from '@smart-whale/clickhouse'
import type { Closers } from '@smart-whale/app-process'
import { ConfigurationError, type Logger } from '@smart-whale/interfaces'
import type { PipelineDefinition, PipelineSink } from '@smart-whale/messaging/pipeline'
import { createTimescaleAdapter, type TimescaleStorage } from '@smart-whale/timescaledb'
import type { IngestorConfig } from './config.ts'

/** The stores that the configuration names. */
export interface OpenStores {
  readonly clickhouse: ClickHouseAdapter | null
  readonly timescaledb: TimescaleStorage | null
}

type StoreConfig = Pick<IngestorConfig, 'clickhouse' | 'databaseUrl'>

/** @throws ConfigurationError naming the pipelines that write to a store which the environment doesn't name */
export function refuseMissingStores(definitions: readonly PipelineDefinition[], { clickhouse, databaseUrl }: StoreConfig): void {
  const needing = (sink: PipelineSink): string => definitions.filter(({ sinks }) => sinks.includes(sink)).map(({ name }) => `"${name}"`).join(', ')
  const missing = [
    ...(clickhouse === null && needing('clickhouse') !== '' ? [`CLICKHOUSE_URL is missing: ${needing('clickhouse')} write to ClickHouse`] : []),
    ...(databaseUrl === null && needing('timescaledb') !== '' ? [`DATABASE_URL is missing: ${needing('timescaledb')} write to PostgreSQL`] : []),
  ]
  if (missing.length > 0) throw new ConfigurationError(missing.join('; '))
}

/** Opens the stores that are named. */
export async function openStores(config: StoreConfig, closers: Closers, logger: Logger, signal: AbortSignal): Promise<OpenStores> {
  const clickhouse = config.clickhouse === null ? null : createAdapter(config.clickhouse, { logger })
  if (clickhouse !== null) closers.add('ClickHouse', () => clickhouse.close())
  const timescaledb = config.databaseUrl === null ? null : createTimescaleAdapter({ url: config.databaseUrl }, { logger })
  if (timescaledb !== null) closers.add('PostgreSQL', () => timescaledb.disconnect())
  await Promise.all([clickhouse?.connect({ signal }), timescaledb?.connect()])
  return { clickhouse, timescaledb }
}
