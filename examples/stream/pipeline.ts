// Streams events from a topic into both stores, each exactly once; what doesn't fit goes to the dead letters.
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAdapter, createBatchWriter, createTable } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'
import { createMemoryTransport } from '@smart-whale/messaging/memory'
import { createPipeline, definePipeline, definePipelines, type IngestRow } from '@smart-whale/messaging/pipeline'
import { createMigrationManager, createTimescaleAdapter, createTransactionalBatchWriter, IngestLedger } from '@smart-whale/timescaledb'
import { startPostgres } from '@smart-whale/timescaledb/embedded'

const [rides] = definePipelines([
  definePipeline({
    topic: 'rides',
    fields: { id: 'int64', time: 'timestamp', city: 'string', fare: 'decimal(8,2)' },
    time: 'time',
    id: 'id',
    // A ride to nowhere is left out on purpose: counted, in neither store, and no dead letter.
    transform: (ride) => (ride.city === '' ? null : { ...ride, city: ride.city.toUpperCase() }),
  }),
])
if (rides === undefined) process.exit(1)

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using clickhouseServer = await startClickHouse({ dataDir: join(folder.path, 'clickhouse') })
await using postgresServer = await startPostgres({ dataDir: join(folder.path, 'postgres') })
const clickhouse = createAdapter({ url: clickhouseServer.url, user: clickhouseServer.owner.username, password: clickhouseServer.owner.password })
const timescaledb = createTimescaleAdapter({ url: postgresServer.url })
await createMigrationManager(timescaledb).up() // makes the ledger's table

// Every row carries where it came from. The ingestor makes these tables by itself from the definition.
const origin = { event_id: 'String', source_topic: 'String', source_partition: 'Int32', source_offset: 'Int64' }
await createTable(clickhouse, 'rides', { columns: { id: 'Int64', time: "DateTime64(3, 'UTC')", city: 'String', fare: 'Decimal(8, 2)', ...origin }, primaryKey: ['time'] })
await timescaledb.execute('create table rides (id bigint, time timestamptz not null, city text, fare numeric(8,2), event_id text, source_topic text, source_partition integer, source_offset bigint)')

const transport = createMemoryTransport({ dataDir: join(folder.path, 'broker') })
await transport.start()
const ledger = new IngestLedger(timescaledb)
const stores = { ledger, clickhouse: createBatchWriter<IngestRow>(clickhouse, rides.table), timescaledb: createTransactionalBatchWriter<IngestRow>(timescaledb, rides.table, { ledger }) }
const pipeline = createPipeline({ definition: rides, transport, stores })
await pipeline.start()

const events = Array.from({ length: 5_000 }, (_, id) => JSON.stringify({ id, time: new Date(Date.UTC(2026, 10, 21) + id * 1000), city: id % 2 ? 'Oslo' : 'Bergen', fare: '12.50' }))
await transport.send('rides', [...events, '{"id":"not a number"}', '{"id":5000,"time":"2026-11-21T00:00:00Z","city":"","fare":"0"}'].map((value) => ({ value })))
for (let waited = 0; (await pipeline.lag()) > 0 && waited < 30_000; waited += 20) await sleep(20)

const { stored, deadLettered, leftOut } = pipeline.status()
console.log('pipeline:', { stored, deadLettered, leftOut })
console.log('ClickHouse:', (await clickhouse.execute('SELECT city, count() AS rides, sum(fare) AS fare FROM rides GROUP BY city ORDER BY city')).rows)
console.log('PostgreSQL:', await timescaledb.execute('select city, count(*) as rides, sum(fare) as fare from rides group by city order by city'))

await pipeline.stop()
await transport.stop()
await Promise.all([clickhouse.close(), timescaledb.disconnect()])
