// The stock client and the adapter beside each other, on one server: the same query, rows that are sent twice, a mistake.
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { createAdapter, createTable, QuerySyntaxError } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using server = await startClickHouse({ dataDir: folder.path, database: 'app' })
const { username, password } = server.owner

const client = createClient({ url: server.url, username, password, database: 'app', log: { level: ClickHouseLogLevel.OFF } })
const adapter = createAdapter({ url: server.url, user: username, password, database: 'app' })
await createTable(adapter, 'rides', { columns: { id: 'UInt64', at: "DateTime('UTC')", city: 'String', fare: 'Decimal(9, 2)' }, primaryKey: ['id'] })

// What the client stores, the adapter reads: move one query at a time. 64-bit integers and decimals are rounded no more.
await client.insert({ table: 'rides', values: [{ id: '9007199254740993', at: '2026-01-01 12:00:00', city: 'Oslo', fare: 12.5 }], format: 'JSONEachRow' })

const answer = await client.query({ query: 'SELECT id, at, fare FROM rides WHERE city = {city:String}', query_params: { city: 'Oslo' }, format: 'JSONEachRow' })
console.log('client: ', await answer.json())
const { rows, statistics } = await adapter.execute('SELECT id, at, fare FROM rides WHERE city = :city', { city: 'Oslo' })
console.log('adapter:', rows, `${statistics.rowsRead} rows read`)

// An answer that is lost on the way: with the client the rows are there twice when they are sent again, under a token once.
const more = [{ id: 2, at: new Date('2026-01-01T13:00:00Z'), city: 'Moss', fare: '7.10' }]
for (const _attempt of [1, 2]) await adapter.insert('rides', more, { token: 'rides from 2' })
console.log('stored:', (await adapter.execute('SELECT city, count() AS rides FROM rides GROUP BY city ORDER BY city')).rows)

// What went wrong is a class, not a number in a text.
await client.query({ query: 'SELEC 1' }).catch((error: Error) => console.log('client: ', error.name, (error as Error & { code?: string }).code))
await adapter.execute('SELEC 1').catch((error: unknown) => {
  if (error instanceof QuerySyntaxError) console.log('adapter:', error.code, 'server code', error.serverCode, 'at', error.position, '- retry:', error.retryable)
})

// The client's sockets, agents and proxies can stay: the adapter goes through it where it is handed in.
const through = createAdapter({ url: server.url, user: username, password, database: 'app' }, { client })
console.log('through the client:', (await through.execute('SELECT count() AS rides FROM rides')).rows)
await through.close()
await adapter.close()
await client.close()
