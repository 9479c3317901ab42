import type { AuditEvent, TokenClaims } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { createRolePolicy, createTokenIssuer, createTokenVerifier, generateSigningKeys } from '../index.ts'
import { type BearerGuardOptions, createBearerGuard } from './index.ts'

const keys = await generateSigningKeys()
const open: FastifyInstance[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()))
})

function setup(options: Partial<BearerGuardOptions> = {}) {
  const clock = new FakeClock()
  const shared = { issuer: 'i', audience: 'a', keys, clock }
  const issuer = createTokenIssuer(shared)
  const audited: AuditEvent[] = []
  const audit = { record: async (event: AuditEvent) => void audited.push(event) }
  const guard = createBearerGuard({ verifier: createTokenVerifier(shared), policy: createRolePolicy(), audit, clock, ...options })
  const handled: (TokenClaims | undefined)[] = []
  const app = Fastify()
  open.push(app)
  const handler = async (request: { principal?: TokenClaims | undefined }) => {
    handled.push(request.principal)
    return { subject: request.principal?.subject }
  }
  app.get('/query/:table', { preHandler: guard('analytics:query') }, handler)
  app.get('/open', handler)
  const get = (headers: Record<string, string>, url = '/query/flights') => app.inject({ url, headers })
  const tokenFor = (role: string): Promise<string> => issuer.issue({ subject: 'alice', roles: [role], tenant: 'acme' })
  return { app, get, clock, audited, handled, tokenFor, guard }
}

describe('a guarded route', () => {
  it('lets a caller with the permission through and says who it is', async () => {
    const { get, handled, tokenFor, clock, audited } = setup()

    const answer = await get({ authorization: `Bearer ${await tokenFor('analyst')}` })

    expect(answer.statusCode).toBe(200)
    expect(handled).toEqual([{ subject: 'alice', roles: ['analyst'], tenant: 'acme', signedInAt: clock.now(), expiresAt: clock.now() + 900_000 }])
    expect(audited).toEqual([])
  })

  it('goes on at once for who was verified before, also behind another hook', async () => {
    const { app, get, handled, guard, tokenFor, audited } = setup()
    const hook = guard('analytics:query')
    app.get('/behind', { async preHandler(request, reply) { await hook.call(this, request, reply) } }, async ({ principal }) => principal)
    const authorization = `Bearer ${await tokenFor('analyst')}`

    const answers = [await get({ authorization }), await get({ authorization }), await get({ authorization }, '/behind'), await get({ authorization: 'Bearer x' }, '/behind'), await get({}, '/behind')]

    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 401, 401])
    expect(handled).toHaveLength(2)
    expect(handled[1]).toEqual(handled[0])
    expect(audited).toHaveLength(2)
  })

  it('is closed again for a known caller whose permission it is not', async () => {
    const { app, get, guard, tokenFor } = setup()
    app.get('/admin', { preHandler: guard('analytics:cache:invalidate') }, async () => 'done')
    const authorization = `Bearer ${await tokenFor('analyst')}`

    const statuses = [await get({ authorization }), await get({ authorization }, '/admin'), await get({ authorization }), await get({ authorization }, '/admin')].map(({ statusCode }) => statusCode)

    expect(statuses).toEqual([200, 403, 200, 403])
  })

  it('answers a caller without a token with 401 and the bare challenge', async () => {
    const { get, handled } = setup()

    const answer = await get({})

    expect(answer.statusCode).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="smart-whale"')
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toMatchObject({ status: 401, code: 'ERR_TOKEN_MISSING', title: 'Not authenticated' })
    expect(handled).toEqual([])
  })

  it('answers an expired token with 401 and says so', async () => {
    const { get, clock, tokenFor } = setup()
    const token = await tokenFor('analyst')
    const before = await get({ authorization: `Bearer ${token}` })
    await clock.advance(3_600_000)

    const answer = await get({ authorization: `Bearer ${token}` })

    expect([before.statusCode, answer.statusCode]).toEqual([200, 401])
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="smart-whale", error="invalid_token"')
    expect(answer.json()).toMatchObject({ code: 'ERR_TOKEN_EXPIRED' })
    expect(answer.body).not.toContain(token)
  })

  it('answers a caller without the permission with 403 and names it', async () => {
    const { get, handled, tokenFor } = setup()

    const answer = await get({ authorization: `Bearer ${await tokenFor('viewer')}` })

    expect(answer.statusCode).toBe(403)
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="smart-whale", error="insufficient_scope", scope="analytics:query"')
    expect(answer.json()).toMatchObject({ code: 'ERR_ACCESS_DENIED', detail: expect.stringContaining('"analytics:query"') as string })
    expect(handled).toEqual([])
  })

  it('takes the token from the Authorization header and from nowhere else', async () => {
    const { get, tokenFor } = setup()
    const token = await tokenFor('admin')

    const answers = await Promise.all([
      get({}, `/query/flights?access_token=${token}&token=${token}&authorization=Bearer%20${token}`),
      get({ cookie: `token=${token}; access_token=${token}` }),
      get({ 'x-access-token': token, 'proxy-authorization': `Bearer ${token}` }),
      get({ authorization: `Basic ${token}` }),
      get({ authorization: token }),
      get({ authorization: `Bearer ${token} ${token}` }),
    ])

    expect(answers.map(({ statusCode }) => statusCode)).toEqual(answers.map(() => 401))
  })

  it('accepts the scheme in any case', async () => {
    const { get, tokenFor } = setup()

    expect((await get({ authorization: `bEARER ${await tokenFor('admin')}` })).statusCode).toBe(200)
  })

  it('records who was denied what, and no token', async () => {
    const { get, audited, tokenFor } = setup()
    const token = await tokenFor('viewer')

    await get({})
    await get({ authorization: `Bearer ${token}` }, '/query/secret-table')

    expect(audited).toMatchObject([
      { actor: 'anonymous', action: 'analytics:query', resource: 'GET /query/:table', outcome: 'denied', details: { code: 'ERR_TOKEN_MISSING' } },
      { actor: 'alice', action: 'analytics:query', resource: 'GET /query/:table', outcome: 'denied', details: { code: 'ERR_ACCESS_DENIED' } },
    ])
    expect(JSON.stringify(audited)).not.toContain(token)
  })

  it.each([
    ['fails', async () => Promise.reject(new TypeError('sink broken'))],
    ['throws', () => expect.fail('sink broken')],
    ['hangs', () => new Promise<void>(() => {})],
  ])('answers as ever when the audit sink %s', async (_case, record) => {
    const { get } = setup({ audit: { record } })

    expect((await get({})).statusCode).toBe(401)
  })

  it('stays closed and gives nothing away when the verifier itself breaks', async () => {
    const { get, handled } = setup({ verifier: { verify: () => Promise.reject(new TypeError('key store at 10.0.0.7 is gone')) } })

    const answer = await get({ authorization: 'Bearer abc' })

    expect(answer.statusCode).toBe(500)
    expect(answer.body).not.toContain('10.0.0.7')
    expect(handled).toEqual([])
  })

  it('verifies every request anew when nothing may be remembered', async () => {
    let verified = 0
    const verify = async (): Promise<TokenClaims> => ({ subject: `call ${(verified += 1)}`, roles: ['admin'], expiresAt: Number.MAX_SAFE_INTEGER })
    const remembering = setup({ verifier: { verify } })
    await remembering.get({ authorization: 'Bearer abc' })
    await remembering.get({ authorization: 'Bearer abc' })
    expect(verified).toBe(1)

    const forgetful = setup({ verifier: { verify }, maxCachedTokens: 0 })
    await forgetful.get({ authorization: 'Bearer abc' })
    await forgetful.get({ authorization: 'Bearer abc' })

    expect(verified).toBe(3)
  })

  it('keeps the whole problem when the route has a response schema for it', async () => {
    const { app, guard } = setup()
    const response = { 401: { type: 'object', properties: { title: { type: 'string' } } } }
    app.get('/narrow', { preHandler: guard('health:read'), schema: { response } }, async () => ({}))

    expect((await app.inject('/narrow')).json()).toMatchObject({ code: 'ERR_TOKEN_MISSING', status: 401 })
  })
})

describe('an unguarded route', () => {
  it('is open and knows nobody', async () => {
    const { get, handled, tokenFor } = setup()

    const answer = await get({ authorization: `Bearer ${await tokenFor('admin')}` }, '/open')

    expect(answer.statusCode).toBe(200)
    expect(handled).toEqual([undefined])
  })
})

describe('making a guard', () => {
  it.each(['', '*', 'timeseries:*', 'time series:read'])('refuses the permission %j', (permission) => {
    const { guard } = setup()

    expect(() => guard(permission)).toThrow(expect.objectContaining({ code: 'ERR_SECURITY_OPTIONS' }))
  })

  it('refuses a realm that would break the header', () => {
    expect(() => setup({ realm: 'a"\r\nset-cookie: x' })).toThrow(expect.objectContaining({ code: 'ERR_SECURITY_OPTIONS' }))
  })
})
