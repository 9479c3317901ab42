// Reads a time series from PostgreSQL: a page, values by bucket with gaps filled, the newest rows.
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTimescaleAdapter, TimeSeriesRepository } from '@smart-whale/timescaledb'
import { startPostgres } from '@smart-whale/timescaledb/embedded'

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using server = await startPostgres({ dataDir: join(folder.path, 'postgres') })
const storage = createTimescaleAdapter({ url: server.url })

await storage.createTable('readings', { columns: { sensor: 'text not null', time: 'timestamptz not null', celsius: 'double precision not null' } })
await storage.createHypertable('readings', 'time')
const start = Date.UTC(2026, 10, 21)
const minutes = [0, 10, 20, 70, 80, 200, 210]
const readings = ['north', 'south'].flatMap((sensor, offset) => minutes.map((minute) => ({ sensor, time: new Date(start + minute * 60_000), celsius: 8 + offset + minute / 100 })))
await storage.bulkInsert('readings', readings)

const repository = new TimeSeriesRepository(storage, 'readings')
const range = { start: new Date('2026-11-21T00:00:00Z'), end: new Date('2026-11-21T04:00:00Z') }

const page = await repository.getRange(range, { limit: 3 })
console.log('first page:', page.rows.length, 'rows; more:', page.nextCursor !== null)

const hours = await repository.getAggregated(range, '1 hour', ['count', 'avg:celsius'], { groupBy: ['sensor'], fill: 'null' })
console.table(hours.rows)

const latest = await repository.getLatest(1, { perSeries: 'sensor' })
console.log('newest:', latest.map(({ sensor, celsius }) => `${String(sensor)} ${String(celsius)}`).join(', '))
await storage.disconnect()
