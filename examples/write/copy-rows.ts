// Stores many rows in PostgreSQL by binary COPY, then corrects some of them by their key.
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { startPostgres } from '@smart-whale/timescaledb/embedded'

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using server = await startPostgres({ dataDir: join(folder.path, 'postgres') })
const storage = createTimescaleAdapter({ url: server.url })

await storage.createTable('readings', { columns: { sensor: 'text not null', time: 'timestamptz not null', celsius: 'double precision' }, primaryKey: ['sensor', 'time'] })

const start = Date.UTC(2026, 10, 21)
const readings = Array.from({ length: 50_000 }, (_, minute) => ({ sensor: `buoy ${minute % 5}`, time: new Date(start + minute * 60_000), celsius: 8 + Math.sin(minute / 500) }))
const begin = performance.now()
const stored = await storage.bulkInsert('readings', readings)
console.log(`stored ${stored} rows in ${Math.round(performance.now() - begin)} ms`)

// Rows whose key is there replace the column that is named; everything happens, or nothing.
const corrections = readings.slice(0, 100).map((reading) => ({ ...reading, celsius: 0 }))
await storage.bulkInsert('readings', corrections, { onConflict: { update: ['celsius'] } })

const [counts] = await storage.execute('select count(*) as rows, count(*) filter (where celsius = 0) as corrected from readings')
console.log('in the table:', counts)
await storage.disconnect()
