import type { FoundEngine } from './found.ts'
import type { TestPostgres } from './postgres.ts'

/** The TimescaleDB server that the environment names, as a superuser. */
export function findTestTimescaleDb(): FoundEngine<TestPostgres> {
  const url = process.env.TIMESCALEDB_URL
  return url === undefined || url === '' ? { found: null, remedy: 'set TIMESCALEDB_URL=postgres://user@host:port/database' } : { found: { url } }
}
