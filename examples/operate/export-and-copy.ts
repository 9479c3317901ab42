// Exports an answer to a file and as a stream, and copies a time series from PostgreSQL into ClickHouse: twice, which changes nothing.
import { mkdtempDisposable, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdapter, createAnalyticsExporter, TimescaleClickHouseService } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { startPostgres } from '@smart-whale/timescaledb/embedded'

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using clickhouseServer = await startClickHouse({ dataDir: join(folder.path, 'clickhouse') })
await using postgresServer = await startPostgres({ dataDir: join(folder.path, 'postgres') })
const { url, owner } = clickhouseServer
const clickhouse = createAdapter({ url, user: owner.username, password: owner.password })
const timescaledb = createTimescaleAdapter({ url: postgresServer.url })

await timescaledb.execute('create table readings (timestamp timestamptz, value double precision, metadata jsonb)')
await timescaledb.execute(
  `insert into readings select timestamptz '2001-01-01 00:00:00.000001+00' + i * interval '1 minute', i / 7.0, jsonb_build_object('sensor', i % 3) from generate_series(0, 2499) as i`,
)
const service = new TimescaleClickHouseService(timescaledb, clickhouse)
console.log('copied:', await service.migrateTimeSeries('2001-01-01', '2001-02-01', 'readings'))
console.log('again: ', await service.migrateTimeSeries('2001-01-01', '2001-02-01', 'readings'))

const exporter = createAnalyticsExporter(clickhouse)
const query = "SELECT toDate(timestamp) AS day, avg(value) AS mean FROM readings_analytics WHERE metadata LIKE :sensor GROUP BY day ORDER BY day"
const path = join(folder.path, 'exports', 'days')
await exporter.exportToCsv(query, { sensor: '%1%' }, `${path}.csv`)
await exporter.exportToParquet(query, { sensor: '%1%' }, `${path}.parquet`)
console.log(`${await readFile(`${path}.csv`, 'utf8')}and as Parquet: ${(await stat(`${path}.parquet`)).size} bytes`)
console.log('without rows:', await exporter.exportToCsv(query, { sensor: 'none' }, `${path}-none.csv`))

const { body, contentType } = await exporter.streamAs('jsonl', query, { sensor: '%2%' })
const chunks: Uint8Array[] = []
for await (const chunk of body) chunks.push(chunk)
console.log(`${contentType}:\n${Buffer.concat(chunks).toString()}`)
await Promise.all([clickhouse.close(), timescaledb.disconnect()])
