// A cube of Cube's, as metrics: the same names, measures and pre-aggregation, asked in the same way.
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdapter, createAnalyticsService, createMetricsLayer, createRollupManager, readMetrics } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'

// cubes:                                       In Cube:
//   - name: orders                             { measures: ['orders.count', 'orders.paid_share'],
//     sql_table: orders                          dimensions: ['orders.status'],
//     measures:                                  timeDimensions: [{ dimension: 'orders.created_at',
//       - { name: count, type: count }               granularity: 'day', dateRange: ['2026-01-01', '2026-01-03'] }],
//       - { name: buyers, type: count_distinct, …}  timezone: 'Europe/Oslo' }
//     pre_aggregations:
//       - { name: main, measures: [count], dimensions: [status], time_dimension: created_at, granularity: hour }
const definition = {
  sources: { orders: { table: 'orders', time: 'created_at' } },
  dimensions: { status: { source: 'orders' } },
  metrics: {
    order_count: { source: 'orders', measure: 'count' },
    buyers: { source: 'orders', measure: 'uniqExact', of: 'user_id' },
    paid_count: { source: 'orders', measure: 'count', where: { status: 'paid' } },
    paid_share: { measure: 'ratio', of: 'paid_count', per: 'order_count' },
  },
  rollups: { main: { source: 'orders', grain: 'hour', dimensions: ['status'], metrics: ['order_count', 'buyers', 'paid_share'] } },
}

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
// JSON here; a YAML file is read where the package yaml is installed.
await writeFile(join(folder.path, 'metrics.json'), JSON.stringify(definition))
const orders = await readMetrics(join(folder.path, 'metrics.json'))

await using server = await startClickHouse({ dataDir: join(folder.path, 'data'), database: 'shop' })
const owner = createAdapter({ url: server.url, database: 'shop', user: server.owner.username, password: server.owner.password })
await owner.execute("CREATE TABLE orders (created_at DateTime('UTC'), status String, user_id UInt32) ENGINE = MergeTree ORDER BY created_at")
await owner.execute("INSERT INTO orders SELECT toDateTime('2025-12-31 00:00:00', 'UTC') + number * 10, ['paid', 'open', 'lost'][1 + number % 3], number % 1000 FROM numbers(50000)")
await createRollupManager(orders, { adapter: owner }).apply()

const service = createAnalyticsService(owner)
const layer = createMetricsLayer(orders, { analyticsService: service, adapter: owner })
// The day ends where the next one begins: `to` is not in it, as the end of Cube's dateRange is.
const answer = await layer.ask({ metrics: ['order_count', 'buyers', 'paid_share'], by: ['status'], grain: 'day', from: '2026-01-01', to: '2026-01-03', timeZone: 'Europe/Oslo' })
console.table(answer.rows)
// A count of distinct values, in another time zone, and still from the rollup.
console.log(answer.route.source, answer.route.name, answer.route.rowsRead)
await service.close()
await owner.close()
