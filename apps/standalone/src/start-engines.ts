import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type EmbeddedClickHouse, startClickHouse, type StartClickHouseOptions } from '@smart-whale/clickhouse/embedded'
import type { Logger } from '@smart-whale/interfaces'
import { type EmbeddedPostgres, startPostgres } from '@smart-whale/timescaledb/embedded'
import { superviseEngine, type SupervisedEngine } from './supervise-engine.ts'

/** The engines of a standalone, each started again when it dies. */
export interface Engines {
  readonly clickhouse: SupervisedEngine<EmbeddedClickHouse>
  readonly postgres: SupervisedEngine<EmbeddedPostgres>
  stop(): Promise<void>
}

/** What {@link startEngines} needs. */
export interface StartEnginesOptions {
  /** Folder that holds a folder for each engine. @default none, required */
  dataDir: string
  /** Further users of ClickHouse: those of the trust levels. @default none */
  users?: StartClickHouseOptions['users']
  /** Gives up the start. @default none, required */
  signal: AbortSignal
  /** Where the engines and their supervision log. @default none, required */
  logger: Logger
  /** Told when an engine is ready. @default none, required */
  onReady: (name: string) => void
}

/** Starts both engines side by side. When one can't start, the other one is stopped again. */
export async function startEngines({ dataDir, users, signal, logger, onReady }: StartEnginesOptions): Promise<Engines> {
  const ready = async <E>(name: string, starting: Promise<E>): Promise<E> => {
    const engine = await starting
    onReady(name)
    return engine
  }
  const starts = [
    ready('ClickHouse', superviseClickHouse(join(dataDir, 'clickhouse'), users, signal, logger)),
    ready('PostgreSQL', supervisePostgres(join(dataDir, 'postgres'), signal, logger)),
  ] as const
  const [clickhouse, postgres] = await Promise.allSettled(starts)
  if (clickhouse.status === 'fulfilled' && postgres.status === 'fulfilled') {
    const engines = { clickhouse: clickhouse.value, postgres: postgres.value }
    return { ...engines, stop: async () => void (await Promise.all([engines.clickhouse.stop(), engines.postgres.stop()])) }
  }
  for (const outcome of [clickhouse, postgres]) if (outcome.status === 'fulfilled') await outcome.value.stop()
  throw clickhouse.status === 'rejected' ? clickhouse.reason : (postgres as PromiseRejectedResult).reason
}

function superviseClickHouse(dataDir: string, users: StartClickHouseOptions['users'], signal: AbortSignal, logger: Logger): Promise<SupervisedEngine<EmbeddedClickHouse>> {
  // Accounts and port stay the same over a restart, so that whoever is connected finds the same server again.
  const owner = { username: 'owner', password: randomBytes(24).toString('base64url') }
  const reader = { username: 'reader', password: randomBytes(24).toString('base64url'), databases: [DATABASE] }
  let port = 0
  const start = async (): Promise<EmbeddedClickHouse> => {
    const server = await startClickHouse({ dataDir, port, database: DATABASE, owner, reader, users, logger, signal })
    port = server.port
    return server
  }
  return superviseEngine({ name: 'ClickHouse', start, logger })
}

function supervisePostgres(dataDir: string, signal: AbortSignal, logger: Logger): Promise<SupervisedEngine<EmbeddedPostgres>> {
  let port: number | undefined
  const start = async (): Promise<EmbeddedPostgres> => {
    const server = await startPostgres({ dataDir, port, database: DATABASE, logger, signal })
    port = server.port
    return server
  }
  return superviseEngine({ name: 'PostgreSQL', start, logger })
}

/** The database of that name in both engines. */
export const DATABASE = 'smart_whale'
