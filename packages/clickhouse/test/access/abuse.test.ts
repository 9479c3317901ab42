import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ABUSE_CASES, type AbuseSuiteOptions, checkIsolation, runAbuseSuite } from '../../src/access/testing.ts'
import { as, askGraphql, askRest, FILE_CANARY, FOREIGN_CANARY, OTHER_CANARY, ROWS, startTenantWorld, type TenantWorld } from './tenant-world.ts'

let world: TenantWorld

beforeAll(async () => {
  world = await startTenantWorld()
}, 60_000)
afterAll(() => world?.close())

const ACME = as('analyst', 'acme')

describe('the abuse suite', () => {
  it.each([
    ['REST', askRest],
    ['GraphQL', askGraphql],
  ])('reaches nothing over %s', async (_name, ask) => {
    const foreignRows = [ROWS.beta, ROWS.beta + ROWS.acme, ROWS.beta + ROWS.acme + 11]
    const options: AbuseSuiteOptions = {
      ask: (query, params) => ask(world.app, ACME, query, params),
      places: world.places,
      // What is to exhaust the server does so by either way: once is enough.
      cases: ask === askRest ? ABUSE_CASES : ABUSE_CASES.filter(({ category }) => category !== 'exhaustion'),
      canaries: [FOREIGN_CANARY, OTHER_CANARY, FILE_CANARY],
      foreignValues: ['beta', ...foreignRows.map(String)],
      secrets: [hostname(), '26.7', `:${world.server.port}`, 'tenant_reader', world.server.url],
    }

    expect(await runAbuseSuite(options)).toEqual([])

    expect(world.rings()).toBe(0)
    expect(existsSync(`${world.places.file}.copy`)).toBe(false)
    const { rows } = await world.owner.execute('SELECT count() AS n FROM flights')
    expect(rows).toEqual([{ n: BigInt(ROWS.acme + ROWS.beta + 11) }])
  }, 120_000)

  it('covers every category by several cases', () => {
    const counts = Map.groupBy(ABUSE_CASES, ({ category }) => category)
    expect([...counts.values()].every((cases) => cases.length >= 5)).toBe(true)
    expect(counts.size).toBe(13)
  })
})

const TABLES = [
  { table: 'flights', tenantColumn: 'tenant' },
  { table: 'by_day', tenantColumn: 'tenant' },
  { table: 'late', tenantColumn: 'tenant' },
]

describe('checkIsolation', () => {
  it('finds nothing where the levels hold', async () => {
    const adapterFor = (tenant: string | undefined) => async (query: string, params?: Readonly<Record<string, unknown>>) =>
      (await world.service.executeAnalyticsQuery({ query, params, options: { level: 'tenants', tenant, cache: false } })).data

    const { findings, probes } = await checkIsolation({ owner: world.owner, tables: TABLES, tenants: ['acme', 'beta'], adapterFor })

    expect(findings.filter(({ table }) => table !== 'app.airports' && table !== 'app.accounts')).toEqual([])
    expect(probes).toBeGreaterThan(50)
  }, 60_000)

  it('finds a policy that is missing, and what row policies alone leave open', async () => {
    const staff = world.connect('staff')
    const tenants = world.connect('tenants')
    const open = (tenant: string | undefined) => async (query: string, params?: Readonly<Record<string, unknown>>) => (await staff.execute(query, params, { tenant })).rows
    const bare = (tenant: string | undefined) => async (query: string, params?: Readonly<Record<string, unknown>>) => (await tenants.execute(query, params, { tenant })).rows
    const check = async (adapterFor: typeof open) => (await checkIsolation({ owner: world.owner, tables: TABLES.slice(0, 1), tenants: ['acme', 'beta'], adapterFor })).findings.map(({ probe }) => probe)

    expect(await check(open)).toEqual(expect.arrayContaining(['count', 'rows of others', 'groups', 'join with itself', 'no tenant', 'table function merge']))
    const holes = new Set(await check(bare))
    expect(holes).toContain('estimate')
    expect(holes).toContain('hidden columns')
    expect(holes).not.toContain('rows of others')
  }, 60_000)
})
