// Metrics by name: by day of a time zone, compared, the largest first. A rollup answers where it answers exactly.
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdapter, createAnalyticsService, createMetricsLayer, createRollupManager, defineMetrics } from '@smart-whale/clickhouse'
import { startClickHouse } from '@smart-whale/clickhouse/embedded'

const shop = defineMetrics({
  sources: { orders: { table: 'orders', time: 'at' } },
  dimensions: { country: { source: 'orders' }, channel: { source: 'orders' } },
  metrics: {
    orders: { source: 'orders', measure: 'count' },
    revenue: { source: 'orders', measure: 'sum', of: 'amount' },
    customers: { source: 'orders', measure: 'uniq', of: 'customer' },
    web_orders: { source: 'orders', measure: 'count', where: { channel: 'web' } },
    basket: { measure: 'ratio', of: 'revenue', per: 'orders' },
    web_percent: { measure: 'formula', formula: 'web_orders / orders * 100' },
  },
  rollups: { hourly: { source: 'orders', grain: 'hour', dimensions: ['country'], metrics: ['orders', 'revenue', 'customers', 'web_percent'] } },
})

await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-'))
await using server = await startClickHouse({ dataDir: folder.path, database: 'shop' })
const login = (account: { username: string; password: string }) => ({ url: server.url, database: 'shop', user: account.username, password: account.password })
const owner = createAdapter(login(server.owner))
const reader = createAdapter(login(server.reader))
await owner.execute("CREATE TABLE orders (at DateTime('UTC'), country String, channel String, customer UInt32, amount Decimal(18, 2)) ENGINE = MergeTree ORDER BY at")
await owner.execute(
  `INSERT INTO orders SELECT toDateTime('2026-01-01 00:00:00', 'UTC') + number * 100, ['NO', 'SE', 'DK', 'FI'][1 + number % 7 % 4], ['web', 'shop'][1 + number % 2],
    number % 5000, number % 97 FROM numbers(100000)`,
)

// The rollup is made while inserts may go on; from here on a view keeps it.
console.table(await createRollupManager(shop, { adapter: owner }).apply())

const service = createAnalyticsService(reader, { writer: owner })
const metrics = createMetricsLayer(shop, { analyticsService: service, adapter: reader })
const days = await metrics.ask({ metrics: ['orders', 'basket'], from: '2026-03-28', to: '2026-03-31', grain: 'day', timeZone: 'Europe/Oslo', compare: 'previous_period' })
console.log(days.rows)
console.log(`answered by the ${days.route.source} "${days.route.name}": ${days.route.rowsRead} rows read`)

const countries = await metrics.ask({ metrics: ['revenue', 'customers'], from: '2026-01-01', to: '2026-03-01', by: ['country'], top: { n: 2, other: true }, totals: true })
console.table(countries.rows)
console.log('in all:', countries.totals)

// What the rollup doesn't have, the table answers; the answer says why.
const web = await metrics.ask({ metrics: ['orders'], from: '2026-01-01', to: '2026-03-01', where: { channel: 'web' } })
console.log(`answered by "${web.route.name}":`, web.route.refused)

await service.close()
await Promise.all([owner.close(), reader.close()])
