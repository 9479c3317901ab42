import { startTimescaleDb, type TimescaleBuild } from '../services/src/postgres/start-timescaledb.ts'
import { type FoundEngine, type RunningEngine, startIfPossible } from './found.ts'
import type { TestPostgres } from './postgres.ts'
import { findRunningService } from './running-service.ts'

/** Where tests find TimescaleDB: a superuser's connection string. */
export interface TestTimescaleDb extends TestPostgres {
  /** Database with the extension to make others from, where there is one: `create database x template …`. */
  readonly template?: string
  /** Version of the extension, where that is known. */
  readonly version?: string
}

/** Which variable names a server of which major version of PostgreSQL. */
const VARIABLES: Readonly<Record<TimescaleBuild, string>> = { 17: 'TIMESCALEDB_URL', 18: 'TIMESCALEDB_18_URL' }

/** The TimescaleDB server that the environment names, as a superuser. */
export function findTestTimescaleDb(url = process.env.TIMESCALEDB_URL, variable = VARIABLES[17]): FoundEngine<TestTimescaleDb> {
  return url === undefined || url === '' ? { found: null, remedy: `set ${variable}=postgres://user@host:port/database` } : { found: { url } }
}

/**
 * The server that the environment names, else the one that `npm run services -- up timescaledb` runs, else one of our own for this run:
 * PostgreSQL 17 with TimescaleDB 2.19, or 18 with 2.31.
 */
export async function startTestTimescaleDb(postgres: TimescaleBuild = 17): Promise<RunningEngine<TestTimescaleDb>> {
  const variable = VARIABLES[postgres]
  const service = postgres === 17 ? 'timescaledb' : 'timescaledb-18'
  const named = findTestTimescaleDb(process.env[variable] ?? (await findRunningService(service))[variable], variable)
  if (named.found !== null) return { engine: named, stop: async () => {} }
  return startIfPossible(`${variable}=postgres://user@host:port/database`, async () => {
    const { address, template, version, stop } = await startTimescaleDb({ postgres })
    return { address: { url: address, template, version }, stop }
  })
}
