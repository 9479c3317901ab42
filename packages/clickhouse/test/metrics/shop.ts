import { createAnalyticsService, createMetricsLayer, createRollupManager, defineMetrics, type AnalyticsService } from '../../src/index.ts'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

/** Orders of a small shop, and their metrics. */
export const shop = defineMetrics({
  sources: { orders: { table: 'orders', time: 'at' } },
  dimensions: {
    country: { source: 'orders' },
    channel: { source: 'orders' },
    is_large: { source: 'orders', of: { sql: 'amount >= 100' } },
    tenant: { source: 'orders', of: 'tenant_id' },
  },
  metrics: {
    orders: { source: 'orders', measure: 'count' },
    revenue: { source: 'orders', measure: 'sum', of: 'amount' },
    smallest: { source: 'orders', measure: 'min', of: 'amount' },
    largest: { source: 'orders', measure: 'max', of: 'amount' },
    mean: { source: 'orders', measure: 'avg', of: 'items' },
    customers: { source: 'orders', measure: 'uniq', of: 'customer' },
    exact_customers: { source: 'orders', measure: 'uniqExact', of: 'customer' },
    median_items: { source: 'orders', measure: 'quantile', of: 'items', level: 0.5 },
    p90_items: { source: 'orders', measure: 'quantile', of: 'items', level: 0.9, accuracy: 0.01 },
    web_orders: { source: 'orders', measure: 'count', where: { channel: 'web' } },
    web_revenue: { source: 'orders', measure: 'sum', of: 'amount', where: { channel: ['web', 'app'] } },
    largest_web: { source: 'orders', measure: 'max', of: 'items', where: { channel: { not: 'shop' } } },
    basket: { measure: 'ratio', of: 'revenue', per: 'orders' },
    web_share: { measure: 'formula', formula: 'web_orders / orders * 100' },
  },
  rollups: {
    hourly: {
      source: 'orders',
      grain: 'hour',
      dimensions: ['country', 'channel', 'tenant'],
      metrics: ['orders', 'revenue', 'smallest', 'largest', 'mean', 'customers', 'exact_customers', 'median_items', 'p90_items', 'web_share', 'web_revenue', 'largest_web'],
    },
    quarter_hourly: { source: 'orders', grain: 'fifteen_minutes', dimensions: ['country'], metrics: ['orders', 'revenue', 'customers'] },
    daily_in_oslo: { source: 'orders', grain: 'day', timeZone: 'Europe/Oslo', dimensions: ['country'], metrics: ['orders', 'revenue'] },
  },
})

/** The shop on a server, with a layer over it. */
export async function openShop() {
  const database = await ownDatabase()
  await database.owner.execute(createOrders('orders'))
  const clock = new FakeClock({ startMs: Date.parse('2026-04-15T10:00:00Z') })
  const analyticsService: AnalyticsService = createAnalyticsService(database.reader, { writer: database.owner, cache: false })
  const layer = createMetricsLayer(shop, { analyticsService, adapter: database.reader, rollupsMaxAgeMs: 1, clock })
  const rollups = createRollupManager(shop, { adapter: database.owner })
  const close = async (): Promise<void> => {
    await analyticsService.close()
    await database.drop()
  }
  return { database, layer, rollups, analyticsService, close } satisfies { database: OwnDatabase; [name: string]: unknown }
}

/** What makes the table of orders. */
export function createOrders(table: string): string {
  return `CREATE TABLE ${table} (at DateTime64(3, 'UTC'), tenant_id LowCardinality(String), country LowCardinality(Nullable(String)), channel String,
    customer UInt32, items Int32, amount Decimal(18, 2)) ENGINE = MergeTree ORDER BY at SETTINGS non_replicated_deduplication_window = 1000`
}
