// Inserts a batch into ClickHouse under a token: sent twice, stored once.
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdapter, createTable } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using server = await startClickHouse({ dataDir: folder.path })
const adapter = createAdapter({ url: server.url, user: server.owner.username, password: server.owner.password })

// A plain MergeTree forgets tokens at once; a table made here remembers the last 10,000.
await createTable(adapter, 'rides', { columns: { time: "DateTime64(3, 'UTC')", city: 'LowCardinality(String)', fare: 'Decimal(8, 2)' }, primaryKey: ['time'] })

const rides = [
  { time: new Date('2026-11-21T12:00:00Z'), city: 'Oslo', fare: '12.50' },
  { time: new Date('2026-11-21T12:05:00Z'), city: 'Bergen', fare: '7.10' },
]
await adapter.insert('rides', rides, { token: 'rides 1 to 2' })
// The answer of the first one may have been lost on the way: the same rows under the same token do no harm.
await adapter.insert('rides', rides, { token: 'rides 1 to 2' })

const { rows } = await adapter.execute('SELECT count() AS rides, sum(fare) AS fare FROM rides')
console.log('stored:', rows[0])

// What doesn't fit is refused before anything is sent, with row and column.
await adapter.insert('rides', [{ time: new Date(), city: 'Oslo', fare: '1.005' }]).catch((error: Error) => console.log('refused:', error.message))
await adapter.close()
