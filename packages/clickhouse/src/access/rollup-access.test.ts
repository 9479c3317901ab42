import { describe, expect, it } from 'vitest'
import { defineMetrics } from '../metrics/definition/define-metrics.ts'
import { createAccessControl } from './access-control.ts'
import type { TableAccess } from './trust-level.ts'

const shop = defineMetrics({
  sources: { orders: { table: 'orders', time: 'at' } },
  dimensions: { country: { source: 'orders' }, customer_of: { source: 'orders', of: 'tenant' }, upper: { source: 'orders', of: { sql: 'upper(tenant)' } } },
  metrics: { orders: { source: 'orders', measure: 'count' } },
  rollups: {
    by_tenant: { source: 'orders', grain: 'hour', dimensions: ['country', 'customer_of'], metrics: ['orders'] },
    by_country: { source: 'orders', grain: 'hour', dimensions: ['country'], metrics: ['orders'] },
    by_expression: { source: 'orders', grain: 'hour', dimensions: ['upper'], metrics: ['orders'] },
  },
})

function granted(orders: TableAccess, more: Record<string, TableAccess> = {}): Record<string, string | undefined> {
  const access = createAccessControl({ database: 'app', levels: { tenants: { user: 'reader', password: 'x', roles: ['analyst'], tables: { orders, ...more } } }, metrics: [shop] })
  const tables = access.embeddedUsers()[0]?.tables ?? []
  return Object.fromEntries(tables.filter(({ table }) => table.startsWith('sw_rollup_')).map(({ table, filter }) => [table.replace(/^sw_rollup_|_\w{12}$/g, ''), filter]))
}

describe('the rollups of a source', () => {
  it('are for a level of tenants where they keep the tenant, bounded like the source', () => {
    const found = granted({ tenantColumn: 'tenant', tenantType: 'UInt64' })

    expect(Object.keys(found)).toEqual(['by_tenant'])
    expect(found['by_tenant']).toMatch(/^`d_customer_of` = accurateCastOrNull\(.*'UInt64'\) AND /)
  })

  it('are all for a level that reads all of the source, and none for one that reads a part of it', () => {
    expect(granted({ shared: true })).toEqual({ by_tenant: undefined, by_country: undefined, by_expression: undefined })
    expect(granted({ shared: true, columns: ['country'] })).toEqual({})
    expect(granted({ tenantColumn: 'tenant', condition: 'amount < 10' })).toEqual({})
    expect(granted({ tenantColumn: 'shop' })).toEqual({})
  })

  it('are what a question at the level may read, never one that is open where its source is not', () => {
    const levels = { tenants: { user: 'reader', password: 'x', roles: ['analyst'], tables: { orders: { tenantColumn: 'tenant' }, 'app.everyones': { shared: true } } } }
    const { mayReadRollups } = createAccessControl({ database: 'app', levels, metrics: [shop] })
    const table = createAccessControl({ database: 'app', levels, metrics: [shop] }).embeddedUsers()[0]?.tables?.find(({ filter }) => filter?.includes('d_customer_of'))?.table
    const may = (asked: { level?: string; tenant?: string }, name: string) => mayReadRollups(asked, { rollup: 'any', table: `app.${name}`, source: 'orders' })

    expect(may({ level: 'tenants', tenant: 'a' }, String(table))).toBe(true)
    expect(may({ level: 'tenants', tenant: 'a' }, 'everyones')).toBe(false)
    expect(may({ level: 'tenants', tenant: 'a' }, 'another')).toBe(false)
    expect([may({ level: 'unknown' }, String(table)), may({ tenant: 'a' }, String(table)), may({}, String(table))]).toEqual([false, false, true])
  })

  it.each<[string, TableAccess]>([
    ['rows', { tenantColumn: 'tenant', condition: 'amount < 10' }],
    ['columns', { tenantColumn: 'tenant', columns: ['tenant', 'at'] }],
  ])('answer no question at a level that reads a part of the %s of their source, though their own table is open to it', (_part, orders) => {
    const levels = { tenants: { user: 'reader', password: 'x', roles: ['analyst'], tables: { orders, 'app.sums': { tenantColumn: 'd_customer_of' } } } }
    const { mayReadRollups } = createAccessControl({ database: 'app', levels, metrics: [shop] })

    expect(mayReadRollups({ level: 'tenants', tenant: 'a' }, { rollup: 'by_tenant', table: 'app.sums', source: 'orders' })).toBe(false)
  })
})
