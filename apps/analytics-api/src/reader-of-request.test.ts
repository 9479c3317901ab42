import { createAccessControl } from '@smart-whale/clickhouse'
import type { TokenClaims } from '@smart-whale/interfaces'
import Fastify, { type FastifyRequest } from 'fastify'
import { describe, expect, it } from 'vitest'
import { keepTenantsApart, readerOfRequest } from './reader-of-request.ts'

const caller = (roles: string[], tenant?: string): TokenClaims => ({ subject: 'x', roles, expiresAt: 0, ...(tenant === undefined ? {} : { tenant }) })
const requestOf = (principal: TokenClaims | undefined, headers: Record<string, string> = {}): FastifyRequest => ({ headers, principal }) as unknown as FastifyRequest

describe('a request', () => {
  const access = createAccessControl({ levels: { tenants: { user: 'u', password: 'p', roles: ['analyst'], tables: { flights: { tenantColumn: 'tenant' } } } } })

  it('runs at the level of its caller, for its tenant, and apart when it waited for an event', () => {
    expect(readerOfRequest(access)(requestOf(caller(['analyst'], 'acme'), { 'x-wait-for': 't' }))).toEqual({ level: 'tenants', tenant: 'acme', scope: 'fresh t' })
    expect(() => readerOfRequest(access)(requestOf(caller(['analyst'])))).toThrow('no tenant')
    expect(() => readerOfRequest(access)(requestOf(undefined))).toThrow('trust level')
  })

  it('of a tenant is refused where tenants are not kept apart', () => {
    expect(readerOfRequest(null)(requestOf(caller(['analyst'])))).toEqual({})
    expect(() => readerOfRequest(null)(requestOf(caller(['analyst'], 'acme')))).toThrow('CLICKHOUSE_ACCESS_FILE')
  })
})

describe('a route that shows the rows of all', () => {
  it.each([
    ['timeseries:read', 'acme', 403],
    ['timeseries:read', undefined, 200],
    ['ingest:write', 'acme', 403],
    ['health:read', 'acme', 403],
    ['analytics:query', 'acme', 200],
  ])('for %s answers a caller of tenant %s with %i', async (permission, tenant, status) => {
    const app = Fastify()
    const guard = keepTenantsApart(() => async (request) => {
      request.principal = caller(['admin'], tenant)
    })
    app.get('/', { preHandler: guard(permission) }, async () => ({}))

    expect((await app.inject('/')).statusCode).toBe(status)
  })
})
