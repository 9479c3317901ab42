// Copies a table of PostgreSQL into ClickHouse, in small slices; to be killed in the middle.
import { createAdapter, TimescaleClickHouseService } from '@smart-whale/clickhouse'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'

const { source = '', url = '', user = '', password = '', database = '' } = JSON.parse(process.argv[2] ?? '{}') as Record<string, string>
const timescaledb = createTimescaleAdapter({ url: source })
const clickhouse = createAdapter({ url, user, password, database })
await timescaledb.connect()
const service = new TimescaleClickHouseService(timescaledb, clickhouse, { sliceRows: 50 })
const report = await service.migrateTimeSeries('2001-01-01', '2001-02-01', 'readings', { onProgress: ({ slices }) => process.stdout.write(`${slices}\n`) })
process.stdout.write(`${JSON.stringify(report)}\n`)
await Promise.all([timescaledb.disconnect(), clickhouse.close()])
