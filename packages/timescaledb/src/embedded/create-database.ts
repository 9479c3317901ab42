import { Client } from 'pg'
import { mapError } from '../map-error.ts'
import { quoteIdentifier } from '../quote-identifier.ts'

const DUPLICATE_DATABASE = '42P04'

/** Makes a database, unless it is there. `url` leads to another one of the same server. */
export async function createDatabase(url: string, name: string): Promise<void> {
  await withClient(url, async (client) => {
    const found = await client.query('select 1 from pg_database where datname = $1', [name])
    if (found.rowCount) return
    await client.query(`create database ${quoteIdentifier(name, 'database')}`).catch((error: { code?: string }) => {
      if (error.code !== DUPLICATE_DATABASE) throw error
    })
  })
}

/** Drops a database, whoever is connected to it. */
export async function dropDatabase(url: string, name: string): Promise<void> {
  await withClient(url, (client) => client.query(`drop database if exists ${quoteIdentifier(name, 'database')} with (force)`))
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000, query_timeout: 30_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await work(client)
  } catch (error) {
    throw mapError(error)
  } finally {
    await client.end().catch(() => {})
  }
}
