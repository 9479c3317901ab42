import { ConfigurationError } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { createTokenIssuer, createTokenVerifier, generateSigningKeys } from '@smart-whale/core-security'
import { describe, expect, it } from 'vitest'
import { createAccessControl } from './access-control.ts'
import type { TrustLevel } from './trust-level.ts'

const level: TrustLevel = { user: 'reader', password: 'x', roles: ['analyst'], tables: { flights: { tenantColumn: 'tenant' } } }
const staff: TrustLevel = { user: 'staff', password: 'x', roles: ['operator', 'admin'], tables: { flights: { shared: true } } }

describe('levels', () => {
  it.each<[string, Record<string, unknown>]>([
    ['tables.flights', { tables: { flights: {} } }],
    ['tables.flights', { tables: { flights: { tenantColumn: 'tenant', shared: true } } }],
    ['tables.system.tables', { tables: { 'system.tables': { shared: true } } }],
    ['tables', { tables: {} }],
    ['tables.a.b.c', { tables: { 'a.b.c': { shared: true } } }],
    ['tables.t.tenantType', { tables: { t: { tenantColumn: 'x', tenantType: "String') OR 1=1 --" } } }],
    ['tables.t.columns', { tables: { t: { shared: true, columns: [] } } }],
    ['user', { user: 'default' }],
    ['user', { user: "x'; DROP" }],
    ['password', { password: '' }],
    ['roles', { roles: [] }],
    ['limits.maxThreads', { limits: { maxThreads: 0 } }],
    ['quota.maxQueries', { quota: { maxQueries: 1.5 } }],
  ])('with a wrong "%s" are refused by name', (path, wrong) => {
    const make = () => createAccessControl({ levels: { tenants: { ...level, ...wrong } as TrustLevel } })

    expect(make).toThrow(`levels.tenants.${path}`)
    expect(make).toThrow(expect.toSatisfy((error) => ConfigurationError.isInstance(error)) as Error)
  })

  it('need a user each', () => {
    expect(() => createAccessControl({ levels: { a: level, b: { ...staff, user: 'reader' } } })).toThrow('twice')
  })
})

describe('a caller', () => {
  const access = createAccessControl({ levels: { tenants: level, staff } })

  it('gets the first level that one of its roles is named by', () => {
    expect(access.readerOf({ roles: ['analyst', 'admin'], tenant: 'acme' })).toEqual({ level: 'tenants', tenant: 'acme' })
    expect(access.readerOf({ roles: ['admin'] })).toEqual({ level: 'staff', tenant: undefined })
  })

  it.each([
    ['without a role that a level names', { roles: ['viewer'] }],
    ['without a tenant at a level of tenants', { roles: ['analyst'] }],
    ['of a tenant at a level that reads all', { roles: ['admin'], tenant: 'acme' }],
  ])('%s is refused', (_what, claims) => {
    expect(() => access.readerOf(claims)).toThrow(expect.objectContaining({ status: 403 }) as Error)
  })
})

describe('a token', () => {
  it('says who, in which roles, for whom; is renewed while it lasts, and not after', async () => {
    const clock = new FakeClock()
    const keys = await generateSigningKeys()
    const names = { issuer: 'i', audience: 'a', keys, clock }
    const tokens = { issuer: createTokenIssuer(names), verifier: createTokenVerifier(names) }
    const access = createAccessControl({ levels: { tenants: level }, tokens, clock })

    const token = await access.generateToken('alice', 'analyst', { tenant: 'acme', ttlSeconds: 60 })
    await clock.advance(50_000)
    const renewed = await access.refreshToken(token)
    await clock.advance(50_000)

    expect(await access.verifyToken(renewed)).toMatchObject({ subject: 'alice', roles: ['analyst'], tenant: 'acme' })
    expect(await access.getPermissions(renewed)).toEqual({ allow: ['analytics:cache:read', 'analytics:query', 'health:read', 'timeseries:read'], deny: [] })
    await expect(access.refreshToken(token)).rejects.toMatchObject({ code: 'ERR_TOKEN_EXPIRED', status: 401 })
  })

  it('is renewed for as long as a session may last, and then no more, however often it was', async () => {
    const clock = new FakeClock()
    const names = { issuer: 'i', audience: 'a', keys: await generateSigningKeys(), clock }
    const access = createAccessControl({ levels: { tenants: level }, tokens: { issuer: createTokenIssuer(names), verifier: createTokenVerifier(names) }, maxSessionSeconds: 3600, clock })
    let token = await access.generateToken('alice', 'analyst', { tenant: 'acme' })

    for (let renewals = 0; renewals < 5; renewals++) {
      await clock.advance(600_000)
      token = await access.refreshToken(token)
    }
    await clock.advance(600_000)

    await expect(access.refreshToken(token)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_SECURITY', status: 401 })
    expect(await access.verifyToken(token)).toMatchObject({ subject: 'alice', tenant: 'acme' })
  })

  it.each([0, Number.NaN])('is of no session that may last %d s', (maxSessionSeconds) => {
    expect(() => createAccessControl({ levels: { tenants: level }, maxSessionSeconds })).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_CONFIGURATION' }) as Error)
  })
})
