import { execFileSync } from 'node:child_process'
import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { join } from 'node:path'
import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { jwtVerify, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { TokenError } from './errors.ts'
import {
  cacheVerifiedTokens,
  createTokenIssuer,
  createTokenVerifier,
  exportJwkSet,
  generateSigningKeys,
  type SigningKeys,
  type TokenIssuerOptions,
  type TokenVerifierOptions,
} from './index.ts'

const keys = await generateSigningKeys()
const ALICE = { subject: 'alice', roles: ['analyst'], tenant: 'acme' }

/** Any character: fast-check's own `binary` takes seconds to make. */
const anyCharacter = fc.oneof(fc.nat(0x7f), fc.nat(0x10f7ff)).map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800))

function setup(options: { issuer?: Partial<TokenIssuerOptions>; verifier?: Partial<TokenVerifierOptions> } = {}) {
  const clock = new FakeClock()
  const shared = { issuer: 'https://issuer.test', audience: 'analytics', keys, clock }
  return {
    clock,
    issuer: createTokenIssuer({ ...shared, ...options.issuer }),
    verifier: createTokenVerifier({ ...shared, ...options.verifier }),
  }
}

/** A token whose every part the test decides, signed as it says. */
function forge(header: object, claims: object, sign: (input: string) => string): string {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${sign(input)}`
}

function goodClaims(clock: FakeClock): Record<string, unknown> {
  const now = clock.now() / 1000
  return { iss: 'https://issuer.test', aud: 'analytics', sub: 'mallory', jti: randomUUID(), iat: now, exp: now + 900, roles: ['admin'] }
}

async function refusalOf(verification: Promise<unknown>): Promise<TokenError> {
  const outcome = await verification.then(
    () => 'accepted',
    (error: unknown) => error,
  )
  if (!TokenError.isInstance(outcome)) expect.fail(`expected a TokenError, got ${String(outcome)}`)
  return outcome
}

describe('an issued token', () => {
  it('says who, with which roles, for which tenant and until when', async () => {
    const { issuer, verifier, clock } = setup()

    const claims = await verifier.verify(await issuer.issue(ALICE))

    expect(claims).toEqual({ ...ALICE, signedInAt: clock.now(), expiresAt: clock.now() + 900_000 })
  })

  it('says when its holder signed in, also when that was before', async () => {
    const { issuer, verifier, clock } = setup()
    const signedInAt = clock.now()
    await clock.advance(60_000)

    expect(await verifier.verify(await issuer.issue({ ...ALICE, signedInAt }))).toMatchObject({ signedInAt, expiresAt: clock.now() + 900_000 })
  })

  it('is an access token in its header, signed with EdDSA, naming its key', async () => {
    const { issuer } = setup()

    const [header = ''] = (await issuer.issue(ALICE)).split('.')

    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: keys.keyId })
  })

  it('works with ES256 and with the public keys as a JWK set, old key beside new key', async () => {
    const newer = await generateSigningKeys('ES256')
    const { issuer } = setup({ issuer: { keys: newer } })
    const { issuer: olderIssuer, verifier } = setup({ verifier: { keys: exportJwkSet([keys, newer]) } })

    const claims = await Promise.all([issuer, olderIssuer].map(async (each) => verifier.verify(await each.issue(ALICE))))

    expect(claims.map(({ subject }) => subject)).toEqual(['alice', 'alice'])
  })

  it('is never the same twice', async () => {
    const { issuer } = setup()

    expect(await issuer.issue(ALICE)).not.toBe(await issuer.issue(ALICE))
  })

  it('is accepted until its own ttl and the tolerance have passed, and not a second longer', async () => {
    const { issuer, verifier, clock } = setup({ verifier: { clockToleranceSeconds: 5 } })
    const token = await issuer.issue(ALICE, { ttlSeconds: 60 })

    await clock.advance(64_000)
    await expect(verifier.verify(token)).resolves.toMatchObject({ subject: 'alice' })
    await clock.advance(1_000)

    expect((await refusalOf(verifier.verify(token))).code).toBe('ERR_TOKEN_EXPIRED')
  })

  it.each([
    ['an empty subject', { subject: '', roles: [] }, {}, 'subject'],
    ['roles that are no list', { subject: 'a', roles: 'admin' as unknown as string[] }, {}, 'roles'],
    ['a role that is no text', { subject: 'a', roles: [7 as unknown as string] }, {}, 'roles.0'],
    ['an empty tenant', { subject: 'a', roles: [], tenant: ' ' }, {}, 'tenant'],
    ['a life of no time', { subject: 'a', roles: [] }, { ttlSeconds: 0 }, 'ttlSeconds'],
  ])('is not made for %s', async (_case, claims, options, field) => {
    const { issuer } = setup()

    await expect(issuer.issue(claims, options)).rejects.toMatchObject({ code: 'ERR_SECURITY_OPTIONS', issues: [{ path: field.split('.') }] })
  })
})

describe('a token is refused', () => {
  it.each<[string, string, Parameters<typeof setup>[0]]>([
    ['for another audience', 'ERR_TOKEN_WRONG_AUDIENCE', { issuer: { audience: 'billing' } }],
    ['from another issuer', 'ERR_TOKEN_WRONG_ISSUER', { issuer: { issuer: 'https://evil.test' } }],
    ['that is longer than accepted', 'ERR_TOKEN_TOO_LONG', { verifier: { maxTokenLength: 100 } }],
  ])('%s', async (_case, code, options) => {
    const { issuer, verifier } = setup(options)

    const refusal = await refusalOf(verifier.verify(await issuer.issue(ALICE)))

    expect(refusal).toMatchObject({ code, status: 401, retryable: false })
  })

  it('when its key is not among the accepted ones, also under a known key id', async () => {
    const stranger = await generateSigningKeys()
    const unknown = setup({ issuer: { keys: stranger } })
    const disguised = setup({ issuer: { keys: { ...stranger, keyId: keys.keyId } } })

    expect((await refusalOf(unknown.verifier.verify(await unknown.issuer.issue(ALICE)))).code).toBe('ERR_TOKEN_UNKNOWN_KEY')
    expect((await refusalOf(disguised.verifier.verify(await disguised.issuer.issue(ALICE)))).code).toBe('ERR_TOKEN_INVALID')
  })

  it('when it names no key', async () => {
    const { verifier, clock } = setup()
    const token = await new SignJWT(goodClaims(clock)).setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt' }).sign(keys.privateKey)

    expect((await refusalOf(verifier.verify(token))).code).toBe('ERR_TOKEN_UNKNOWN_KEY')
  })

  it.each(['iat', 'nbf'])('when its "%s" is further ahead than the clocks may differ', async (claim) => {
    const { verifier, clock } = setup({ verifier: { clockToleranceSeconds: 5 } })
    const issued = (ahead: number): Promise<string> =>
      new SignJWT({ ...goodClaims(clock), [claim]: clock.now() / 1000 + ahead })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: keys.keyId })
        .sign(keys.privateKey)

    await expect(verifier.verify(await issued(5))).resolves.toMatchObject({ subject: 'mallory' })
    expect((await refusalOf(verifier.verify(await issued(6)))).code).toBe('ERR_TOKEN_NOT_YET_VALID')
  })

  it.each(['sub', 'exp', 'iat', 'jti', 'iss', 'aud'])('when "%s" is missing, however well it is signed', async (claim) => {
    const { verifier, clock } = setup()
    const { [claim]: _left, ...claims } = goodClaims(clock)
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: keys.keyId }).sign(keys.privateKey)

    expect((await refusalOf(verifier.verify(token))).message).toContain(`"${claim}"`)
  })

  it.each([
    ['sub', 7],
    ['jti', ''],
    ['auth_time', 'yesterday'],
    ['roles', 'admin'],
    ['roles', [7]],
    ['tenant', {}],
    ['exp', 'never'],
    ['iat', 'now'],
  ])('when "%s" is %j', async (claim, value) => {
    const { verifier, clock } = setup()
    const claims = { ...goodClaims(clock), [claim]: value }
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: keys.keyId }).sign(keys.privateKey)

    expect((await refusalOf(verifier.verify(token))).code).toBe('ERR_TOKEN_INVALID')
  })

  it('when another kind of JWT of the same issuer is presented', async () => {
    const { verifier, clock } = setup()
    const token = await new SignJWT(goodClaims(clock)).setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: keys.keyId }).sign(keys.privateKey)

    expect((await refusalOf(verifier.verify(token))).code).toBe('ERR_TOKEN_INVALID')
  })

  it.each([undefined, null, '', 7, 'x', '.', '..', 'a.b.c', 'a.b.c.d.e', '\u0000'])('when it is %j', async (token) => {
    const { verifier } = setup()

    expect((await refusalOf(verifier.verify(token as string))).status).toBe(401)
  })
})

describe('the algorithm is the key’s own', () => {
  const publicForms = (pair: SigningKeys): (string | Buffer)[] => [
    pair.publicKey.export({ type: 'spki', format: 'pem' }),
    pair.publicKey.export({ type: 'spki', format: 'der' }),
    JSON.stringify(pair.publicKey.export({ format: 'jwk' })),
    Buffer.from(String(pair.publicKey.export({ format: 'jwk' }).x), 'base64url'),
  ]

  it.each(['HS256', 'HS384', 'HS512'])('%s with the public key as the secret is refused', async (alg) => {
    const { verifier, clock } = setup()
    const hash = alg.replace('HS', 'sha')
    const tokens = publicForms(keys).map((secret) =>
      forge({ alg, typ: 'at+jwt', kid: keys.keyId }, goodClaims(clock), (input) => createHmac(hash, secret).update(input).digest('base64url')),
    )

    const refusals = await Promise.all(tokens.map((token) => refusalOf(verifier.verify(token))))

    expect(refusals.map(({ code }) => code)).toEqual(tokens.map(() => 'ERR_TOKEN_ALGORITHM'))
  })

  it.each(['none', 'None', 'NONE', ''])('"%s" is refused, with and without a signature', async (alg) => {
    const { verifier, clock } = setup()
    const tokens = ['', 'AAAA'].map((signature) => forge({ alg, typ: 'at+jwt', kid: keys.keyId }, goodClaims(clock), () => signature))

    const refusals = await Promise.all(tokens.map((token) => refusalOf(verifier.verify(token))))

    expect(refusals.map(({ status }) => status)).toEqual([401, 401])
  })

  it('another accepted key’s algorithm is refused for this key', async () => {
    const other = await generateSigningKeys('ES256')
    const { issuer, verifier } = setup({ issuer: { keys: { ...other, keyId: keys.keyId } }, verifier: { keys: [keys, other] } })

    expect((await refusalOf(verifier.verify(await issuer.issue(ALICE)))).code).toBe('ERR_TOKEN_ALGORITHM')
  })

  it('a key embedded in the header is not used', async () => {
    const { verifier, clock } = setup()
    const mallory = generateKeyPairSync('ed25519')
    const jwk = createPublicKey(mallory.privateKey).export({ format: 'jwk' }) as { kty: string }
    const token = await new SignJWT(goodClaims(clock))
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: keys.keyId, jwk, jku: 'https://evil.test/jwks' })
      .sign(mallory.privateKey)

    expect((await refusalOf(verifier.verify(token))).code).toBe('ERR_TOKEN_INVALID')
  })
})

describe('an altered token', () => {
  it.each(['EdDSA', 'ES256'] as const)('is refused whichever of its characters is changed (%s)', async (algorithm) => {
    const pair = await generateSigningKeys(algorithm)
    const { issuer, verifier } = setup({ issuer: { keys: pair }, verifier: { keys: pair } })
    const token = await issuer.issue(ALICE)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const altered = [...token].flatMap((character, index) =>
      // The neighbour in the alphabet differs in the lowest bit: the one that lax decoders drop at the end of a part.
      [alphabet[alphabet.indexOf(character) ^ 1] ?? 'A', '.', '='].map((other) => token.slice(0, index) + other + token.slice(index + 1)),
    )

    const refusals = await Promise.all(altered.filter((each) => each !== token).map((each) => refusalOf(verifier.verify(each))))

    expect(refusals.every(({ status }) => status === 401)).toBe(true)
    expect(refusals.length).toBeGreaterThan(token.length * 2)
  })

  it('is refused after any insertion, deletion or exchange', async () => {
    const { issuer, verifier } = setup()
    const token = await issuer.issue(ALICE)
    const edit = fc.record({ at: fc.nat(token.length), remove: fc.nat(4), insert: fc.string({ unit: anyCharacter, maxLength: 4 }) })

    await fc.assert(
      fc.asyncProperty(edit, async ({ at, remove, insert }) => {
        const altered = token.slice(0, at) + insert + token.slice(at + remove)
        fc.pre(altered !== token)
        expect((await refusalOf(verifier.verify(altered))).status).toBe(401)
      }),
      { numRuns: 500 },
    )
  })

  it('is not quoted by the refusal, in whole or in part', async () => {
    const { issuer, verifier, clock } = setup()
    const token = await issuer.issue({ ...ALICE, subject: 'alice-the-subject' })
    await clock.advance(3_600_000)

    const refusals = await Promise.all([token, `${token}A`, token.slice(1), token.slice(0, -9)].map((each) => refusalOf(verifier.verify(each))))

    const told = refusals.map((error) => [error.message, error.stack, JSON.stringify(error), JSON.stringify(error.context), String(error.cause)].join())
    for (const part of [...token.split('.'), 'alice-the-subject']) expect(told.join()).not.toContain(part)
  })
})

describe('a token of whatever content', () => {
  it('is accepted only if jose accepts it, and refused by what it says only as jose does', async () => {
    const { verifier, clock } = setup({ verifier: { clockToleranceSeconds: 5 } })
    const now = clock.now() / 1000
    // Mostly what is right, so that a token is often right in all.
    const mostly = (right: unknown, ...others: unknown[]) => fc.oneof({ weight: 8, arbitrary: fc.constant(right) }, { weight: 2, arbitrary: fc.constantFrom(...others) })
    const times = [now, now + 900, now - 4, now - 5, now - 6, now + 6, 0, -1, 'soon', null, undefined, 1e308]
    const header = fc.record({ alg: mostly('EdDSA', 'ES256', 'none', 7, null), typ: mostly('at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', '', null, 7, undefined), kid: fc.constant(keys.keyId), b64: mostly(undefined, true, false) })
    const claims = fc.record({
      iss: mostly('https://issuer.test', ['https://issuer.test'], 'other', undefined),
      aud: mostly('analytics', ['x', 'analytics'], ['x'], 'x', {}, undefined),
      sub: mostly('alice', undefined), jti: fc.constant('j'), roles: fc.constant(['analyst']),
      exp: mostly(now + 900, ...times), iat: mostly(now, ...times), nbf: mostly(undefined, ...times),
    })
    const checks = { issuer: 'https://issuer.test', audience: 'analytics', typ: 'at+jwt', algorithms: ['EdDSA'], clockTolerance: 5, requiredClaims: ['sub', 'exp', 'iat', 'jti'], currentDate: new Date(clock.now()) }
    let accepted = 0

    await fc.assert(
      fc.asyncProperty(header, claims, async (head, said) => {
        const token = forge(head, said, (input) => sign(null, Buffer.from(input), keys.privateKey).toString('base64url'))
        const theirs = await jwtVerify(token, keys.publicKey, checks).then(() => true, (error: { code?: string }) => error.code)
        const ours = await verifier.verify(token).then(() => true, (error: { code?: string }) => error.code)

        if (theirs === true && ours === true) accepted += 1
        // What jose leaves open is decided here: when it was made.
        else if (theirs === true) expect(['ERR_TOKEN_NOT_YET_VALID', 'ERR_TOKEN_INVALID']).toContain(ours)
        else expect(ours).toMatch(theirs === 'ERR_JWT_EXPIRED' ? /^ERR_TOKEN_EXPIRED$/ : /^ERR_TOKEN_/)
      }),
      { numRuns: 1000 },
    )
    // A quarter of them, about.
    expect(accepted).toBeGreaterThan(50)
  })

  it('is refused when it insists on an extension, encrypted or not signed at all', async () => {
    const { verifier, clock, issuer } = setup()
    const header = { alg: 'EdDSA', typ: 'at+jwt', kid: keys.keyId }
    const signed = (head: object): string => forge(head, goodClaims(clock), (input) => sign(null, Buffer.from(input), keys.privateKey).toString('base64url'))
    const token = await issuer.issue(ALICE)

    expect(await verifier.verify(signed(header))).toMatchObject({ subject: 'mallory' })
    for (const each of [signed({ ...header, crit: ['b64'], b64: false }), signed({ ...header, crit: ['exp'] }), signed({ ...header, crit: [] }), `${token}.x.y`, `${token}.`]) {
      expect((await refusalOf(verifier.verify(each))).code).toBe('ERR_TOKEN_INVALID')
    }
  })
})

describe('the cache of verified tokens', () => {
  function counting(options: { maxEntries?: number } = {}) {
    const { issuer, verifier, clock } = setup()
    const seen: string[] = []
    const counted = { verify: (token: string) => (seen.push(token), verifier.verify(token)) }
    return { issuer, clock, seen, cached: cacheVerifiedTokens(counted, { clock, ...options }) }
  }

  it('verifies a token once, until it expires', async () => {
    const { issuer, cached, seen, clock } = counting()
    const token = await issuer.issue(ALICE)

    const claims = [await cached.verify(token), await cached.verify(token)]
    expect(claims[1]).toEqual(claims[0])
    expect(seen).toHaveLength(1)
    await clock.advance(906_000)

    expect((await refusalOf(cached.verify(token))).code).toBe('ERR_TOKEN_EXPIRED')
  })

  it('says the same to everybody, whatever one of them does to what it was told', async () => {
    const { issuer, cached } = counting()
    const token = await issuer.issue(ALICE)
    for (const claims of [await cached.verify(token), await cached.verify(token)]) {
      expect(() => (claims.roles as string[]).push('admin')).toThrow(TypeError)
      expect(() => Object.assign(claims, { tenant: 'another' })).toThrow(TypeError)
    }

    expect(cached.known(token)).toMatchObject(ALICE)
  })

  it('does not remember refusals', async () => {
    const { cached, seen } = counting()

    await refusalOf(cached.verify('bad'))
    await refusalOf(cached.verify('bad'))

    expect(seen).toEqual(['bad', 'bad'])
  })

  it('knows a token by its signature, not by what it says', async () => {
    const { issuer, cached, seen } = counting()
    const token = await issuer.issue(ALICE)
    await cached.verify(token)
    const end = token.lastIndexOf('.') + 1
    const other = token[end] === 'A' ? 'B' : 'A'
    const forged = [`${token.slice(0, end)}${other}${token.slice(end + 1)}`, token.slice(0, -1), token.slice(0, end), token.slice(0, end - 1), `${token}A`, `${token}.`, `.${token}`]

    expect(forged.map((each) => cached.known(each))).toEqual(forged.map(() => undefined))
    for (const each of forged) await refusalOf(cached.verify(each))

    expect(cached.known(token)?.subject).toBe(ALICE.subject)
    expect(seen).toEqual([token, ...forged])
  })

  it('takes tokens of any form, each for itself', async () => {
    const claims = { subject: 'a', roles: [], expiresAt: Number.MAX_SAFE_INTEGER }
    const seen: string[] = []
    const cached = cacheVerifiedTokens({ verify: async (token) => ({ ...claims, subject: `${seen.push(token)}` }) })
    const tokens = ['opaque', 'a.b', 'a.b.c', 'a.b.d', 'a.b.cdefghij', 'a.b.cdefghix', 'a..k', 'b.b.', 'a.b.c.d', '']

    for (const token of [...tokens, ...tokens]) await cached.verify(token)
    await cached.verify('\u0100.b.c')

    expect(seen).toEqual([...tokens, '\u0100.b.c'])
    expect(tokens.map((token) => cached.known(token)?.subject)).toEqual(tokens.map((_, index) => `${index + 1}`))
    expect(['\u0100.b.c', '\0.b.c', 'a.b.\u0163'].map((token) => cached.known(token))).toEqual([undefined, undefined, undefined])
  })

  it('holds no token: a heap dump gives none away', () => {
    const script = join(import.meta.dirname, '..', 'test', 'dump-remembered-tokens.ts')
    const output = execFileSync(process.execPath, ['--expose-gc', '--conditions=@smart-whale/source', script], { encoding: 'utf8' })

    expect(JSON.parse(output)).toEqual({ remembered: true, namesFound: true, signedTokenFound: false, opaqueTokenFound: false })
  })

  it('forgets the token unused longest when it is full', async () => {
    const { issuer, cached, seen } = counting({ maxEntries: 2 })
    const [first, second, third] = [await issuer.issue(ALICE), await issuer.issue(ALICE), await issuer.issue(ALICE)]

    for (const token of [first, second, first, third, first, second]) await cached.verify(token)

    expect(seen).toEqual([first, second, third, second])
  })
})

describe('options', () => {
  it.each([
    ['issuer', { issuer: '' }],
    ['audience', { audience: undefined as unknown as string }],
    ['keys', { keys: [] }],
    ['keys', { keys: [keys, keys] }],
    ['clockToleranceSeconds', { clockToleranceSeconds: -1 }],
    ['maxTokenLength', { maxTokenLength: Number.NaN }],
  ])('a wrong "%s" of a verifier is named', (field, options) => {
    expect(() => setup({ verifier: options })).toThrow(expect.objectContaining({ code: 'ERR_SECURITY_OPTIONS', issues: [expect.objectContaining({ path: [field] })] }))
  })

  it('a public key alone can not issue', () => {
    const { privateKey: _private, ...publicOnly } = keys

    expect(() => setup({ issuer: { keys: publicOnly as SigningKeys } })).toThrow(expect.objectContaining({ code: 'ERR_SECURITY_OPTIONS' }))
  })
})
