import { type CommandCall, createClosers } from '@smart-whale/app-process'
import { ConfigurationError, InfrastructureError, OperationError, type SliceLedger, type SliceScope, silentLogger, type StoredRows } from '@smart-whale/interfaces'
import { createStoredRows as clickhouseRows } from '@smart-whale/clickhouse/ingest'
import type { MessagingTransport } from '@smart-whale/messaging'
import { type PipelineDefinition, type PipelineProgress, type PipelineSink, progressOfGroup, progressOfLedger } from '@smart-whale/messaging/pipeline'
import { createIngestLedger, createStoredRows as timescaleRows } from '@smart-whale/timescaledb'
import { type IngestorConfig, readConfig } from './config.ts'
import { openBroker } from './open-broker.ts'
import { openStores, type OpenStores, refuseMissingStores } from './open-stores.ts'
import { readPipelinesFile } from './read-pipelines-file.ts'

/** What the commands that look on work with; nothing of it writes. */
export interface OpenParts extends OpenStores {
  readonly config: IngestorConfig
  /** Those that the command line names; all without a name. */
  readonly definitions: readonly PipelineDefinition[]
  readonly transport: MessagingTransport
  readonly progress: PipelineProgress
}

/** What a command needs to be there. */
export interface NeededParts {
  /** Whether ClickHouse is asked; without it, a command works while that is away. @default true */
  readonly clickhouse?: boolean
}

/** Opens broker and stores for one command, and closes them whatever happens. */
export async function withParts<T>({ values, environment, signal }: CommandCall, work: (parts: OpenParts) => Promise<T>, { clickhouse = true }: NeededParts = {}): Promise<T> {
  const config = readConfig(environment)
  const definitions = chosen(await readPipelinesFile(config.pipelinesFile, config), values.pipeline as string[] | undefined)
  refuseMissingStores(definitions, config)
  const closers = createClosers(silentLogger)
  try {
    const stores = await openStores(clickhouse ? config : { ...config, clickhouse: null }, closers, silentLogger, signal)
    const transport = await openBroker(config, closers, silentLogger, signal)
    return await work({ ...stores, config, definitions, transport, progress: progressOf(stores, transport) })
  } catch (error) {
    throw missingTopic(error)
  } finally {
    await closers.close()
  }
}

/** A topic that isn't there is nothing for an operator to create: the ingestor does. */
function missingTopic(error: unknown): unknown {
  if (!InfrastructureError.isInstance(error) || error.code !== 'ERR_MESSAGING_TOPIC_NOT_FOUND') return error
  return new OperationError(error.message.replace('create it first', '"run" makes it at its first start; later it is gone with all that was not stored'), { code: error.code, status: error.status, retryable: error.retryable, cause: error })
}

/** Where the pipelines stand: PostgreSQL keeps it when there is one, else the consumer groups. */
export function progressOf({ timescaledb }: Pick<OpenStores, 'timescaledb'>, transport: MessagingTransport): PipelineProgress {
  return timescaledb === null ? progressOfGroup(transport) : progressOfLedger(createIngestLedger(timescaledb))
}

/** The ledger of one pipeline, to look at. */
export function ledgerView(progress: PipelineProgress, { topic }: PipelineDefinition): Pick<SliceLedger, 'inspect'> {
  return { inspect: (scope: SliceScope, options) => progress.inspect({ ...scope, topic }, options) }
}

/** The pipeline's table in each store that it writes to. */
export function storedRowsOf({ sinks, tables }: PipelineDefinition, { clickhouse, timescaledb }: OpenStores): ReadonlyMap<PipelineSink, StoredRows> {
  const rows = new Map<PipelineSink, StoredRows>()
  if (clickhouse !== null && sinks.includes('clickhouse')) rows.set('clickhouse', clickhouseRows(clickhouse, tables.clickhouse))
  if (timescaledb !== null && sinks.includes('timescaledb')) rows.set('timescaledb', timescaleRows(timescaledb, tables.timescaledb))
  return rows
}

function chosen(definitions: readonly PipelineDefinition[], names: readonly string[] | undefined): readonly PipelineDefinition[] {
  if (names === undefined) return definitions
  return names.map((name) => {
    const found = definitions.find((definition) => definition.name === name || definition.topic === name)
    if (found === undefined) throw new ConfigurationError(`there is no pipeline "${name}"; there are ${definitions.map((definition) => definition.name).join(', ')}`)
    return found
  })
}
