import { startTimescaleDb } from '../services/src/postgres/start-timescaledb.ts'
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

/** The TimescaleDB server that the environment names, as a superuser. */
export function findTestTimescaleDb(url = process.env.TIMESCALEDB_URL): FoundEngine<TestTimescaleDb> {
  return url === undefined || url === '' ? { found: null, remedy: 'set TIMESCALEDB_URL=postgres://user@host:port/database' } : { found: { url } }
}

/** The server that the environment names, else the one that `npm run services -- up timescaledb` runs, else one of our own for this run. */
export async function startTestTimescaleDb(): Promise<RunningEngine<TestTimescaleDb>> {
  const named = findTestTimescaleDb(process.env.TIMESCALEDB_URL ?? (await findRunningService('timescaledb'))['TIMESCALEDB_URL'])
  if (named.found !== null) return { engine: named, stop: async () => {} }
  return startIfPossible('TIMESCALEDB_URL=postgres://user@host:port/database', async () => {
    const { address, template, version, stop } = await startTimescaleDb()
    return { address: { url: address, template, version }, stop }
  })
}
