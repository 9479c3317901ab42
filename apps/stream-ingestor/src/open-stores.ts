import { createAdapter, type ClickHouseAdapter } from '@smart-whale/clickhouse/ingest'
import type { Closers } from '@smart-whale/app-process'
import { ConfigurationError, InfrastructureError, type Logger } from '@smart-whale/interfaces'
import type { PipelineDefinition, PipelineSink } from '@smart-whale/messaging/pipeline'
import { createTimescaleAdapter, type TimescaleStorage } from '@smart-whale/timescaledb'
import type { IngestorConfig } from './config.ts'

/** The stores that the configuration names. */
export interface OpenStores {
  readonly clickhouse: ClickHouseAdapter | null
  readonly timescaledb: TimescaleStorage | null
}

type StoreConfig = Pick<IngestorConfig, 'clickhouse' | 'databaseUrl'>
type ClickHouseLogin = NonNullable<StoreConfig['clickhouse']>

/** @throws ConfigurationError naming the pipelines that write to a store which the environment doesn't name */
export function refuseMissingStores(definitions: readonly PipelineDefinition[], { clickhouse, databaseUrl }: StoreConfig): void {
  const needing = (sink: PipelineSink): string[] => definitions.filter(({ sinks }) => sinks.includes(sink)).map(({ name }) => `"${name}"`)
  const complaint = (variable: string, store: string, names: string[]): string[] =>
    names.length === 0 ? [] : [`${variable} is missing: ${names.join(', ')} ${names.length === 1 ? 'writes' : 'write'} to ${store}`]
  const missing = [
    ...(clickhouse === null ? complaint('CLICKHOUSE_URL', 'ClickHouse', needing('clickhouse')) : []),
    ...(databaseUrl === null ? complaint('DATABASE_URL', 'PostgreSQL', needing('timescaledb')) : []),
  ]
  if (missing.length > 0) throw new ConfigurationError(missing.join('; '))
}

/** Opens the stores that are named. What goes wrong is told by the names of their variables. */
export async function openStores(config: StoreConfig, closers: Closers, logger: Logger, signal: AbortSignal): Promise<OpenStores> {
  const clickhouse = config.clickhouse === null ? null : createAdapter(config.clickhouse, { logger })
  if (clickhouse !== null) closers.add('ClickHouse', () => clickhouse.close())
  const timescaledb = config.databaseUrl === null ? null : createTimescaleAdapter({ url: config.databaseUrl }, { logger })
  if (timescaledb !== null) closers.add('PostgreSQL', () => timescaledb.disconnect())
  await Promise.all([
    clickhouse?.connect({ signal }).catch((error: unknown) => Promise.reject(storeForOperator(error))),
    timescaledb?.connect().catch((error: unknown) => Promise.reject(storeForOperator(error))),
  ])
  return { clickhouse, timescaledb }
}

/** Codes of a store that doesn't let us in, and what an operator set for it. */
const REMEDIES: Readonly<Record<string, string>> = {
  ERR_CLICKHOUSE_AUTHENTICATION: 'CLICKHOUSE_USER and CLICKHOUSE_PASSWORD or CLICKHOUSE_PASSWORD_FILE say who we are',
  ERR_CLICKHOUSE_UNKNOWN_OBJECT: 'CLICKHOUSE_DATABASE names it; "run" makes it',
  ERR_TIMESCALEDB_AUTHENTICATION: 'DATABASE_URL or DATABASE_URL_FILE says who we are',
  ERR_TIMESCALEDB_UNDEFINED: 'DATABASE_URL names it; make it by createdb, or name another',
}

/** An error of connecting, with the variables that it depends on. */
export function storeForOperator(error: unknown): unknown {
  if (!InfrastructureError.isInstance(error)) return error
  const { message } = error
  const remedy = REMEDIES[error.code]
  return remedy === undefined ? error : new ConfigurationError(`${message}${message.endsWith('.') ? '' : ';'} ${remedy}`, { cause: error })
}

/** Whether an error of ClickHouse says that the database isn't there. */
export function isDatabaseMissing(error: unknown): boolean {
  return InfrastructureError.isInstance(error) && error.code === 'ERR_CLICKHOUSE_UNKNOWN_OBJECT'
}

/** Makes the database of ClickHouse where it is missing: whoever may make tables in it may make it, as a rule. */
export async function makeMissingDatabase({ clickhouse }: StoreConfig, logger: Logger, signal: AbortSignal): Promise<void> {
  if (clickhouse === null) return
  try {
    await inDatabase(clickhouse, clickhouse.database, (adapter) => adapter.connect({ signal }))
  } catch (error) {
    if (!isDatabaseMissing(error)) throw storeForOperator(error)
    await inDatabase(clickhouse, 'system', (adapter) => adapter.execute('CREATE DATABASE IF NOT EXISTS {database:Identifier}', { database: clickhouse.database }, { signal }))
    logger.info({ database: clickhouse.database }, 'made the database in ClickHouse')
  }
}

/** Works in a database of the server, on a connection of its own. */
export async function inDatabase<T>(login: ClickHouseLogin, database: string, work: (adapter: ClickHouseAdapter) => Promise<T>): Promise<T> {
  const adapter = createAdapter({ ...login, database })
  try {
    return await work(adapter)
  } finally {
    await adapter.close()
  }
}
