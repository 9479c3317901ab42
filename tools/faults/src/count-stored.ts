import { Client } from 'pg'
import type { Copies } from './compare-copies.ts'

/** How a store is asked past all of our own code: what is counted must not depend on what is tested. */
export interface ClickHouseAddress {
  readonly url: string
  readonly user: string
  readonly password: string
  readonly database: string
}

/** Asks ClickHouse over bare HTTP; answers the rows as arrays of texts. */
export async function askClickHouse(address: ClickHouseAddress, query: string): Promise<string[][]> {
  const text = await runInClickHouse(address, `${query} FORMAT TabSeparated`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

/** Runs a statement. */
export async function runInClickHouse({ url, user, password, database }: ClickHouseAddress, statement: string): Promise<string> {
  const response = await fetch(`${url}/?database=${encodeURIComponent(database)}`, {
    method: 'POST',
    body: statement,
    headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
    signal: AbortSignal.timeout(60_000),
  })
  const text = await response.text()
  if (!response.ok) throw new TypeError(`ClickHouse answered ${response.status}: ${text.slice(0, 300)}`)
  return text
}

/** Asks PostgreSQL on a connection of its own. */
export async function askPostgres(url: string, query: string): Promise<string[][]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000, query_timeout: 60_000 })
  await client.connect()
  try {
    const { rows } = await client.query<string[]>({ text: query, rowMode: 'array' })
    return rows.map((row) => row.map(String))
  } finally {
    await client.end()
  }
}

/** How often ClickHouse has each event, without FINAL. */
export async function copiesInClickHouse(address: ClickHouseAddress, table: string): Promise<Copies> {
  return copiesOf(await askClickHouse(address, `SELECT seq, count() FROM ${table} GROUP BY seq`))
}

/** How often PostgreSQL has each event. */
export async function copiesInPostgres(url: string, table: string): Promise<Copies> {
  return copiesOf(await askPostgres(url, `select seq, count(*) from ${table} group by seq`))
}

const copiesOf = (rows: string[][]): Copies => new Map(rows.map(([sequence, count]) => [Number(sequence), Number(count)]))
