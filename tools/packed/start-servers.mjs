// Run inside a consumer: starts both embedded servers as the packages ship them, asks each something, stops them.
// usage: node start-servers.mjs <import | require> <folder for the data>
import { createRequire } from 'node:module'
import { join } from 'node:path'
import connect from 'postgres'

const [way, folder] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const load = (specifier) => (way === 'import' ? import(specifier) : require(specifier))

const { startClickHouse } = await load('@smart-whale/clickhouse/embedded')
const clickhouse = await startClickHouse({ dataDir: join(folder, 'clickhouse') })
try {
  const { username, password } = clickhouse.owner
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const answer = await fetch(`${clickhouse.url}/?query=SELECT+6*7`, { headers: { authorization }, signal: AbortSignal.timeout(10_000) })
  const text = await answer.text()
  if (text.trim() !== '42') throw new Error(`ClickHouse answered ${text}`)
} finally {
  await clickhouse.stop()
}

const { startPostgres } = await load('@smart-whale/timescaledb/embedded')
const postgres = await startPostgres({ dataDir: join(folder, 'postgres') })
try {
  const sql = connect(postgres.url, { max: 1, connect_timeout: 10 })
  const [row] = await sql`SELECT 6 * 7 AS answer`
  await sql.end()
  if (row.answer !== 42) throw new Error(`PostgreSQL answered ${JSON.stringify(row)}`)
} finally {
  await postgres.stop()
}
