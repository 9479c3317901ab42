import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createTokenIssuer,
  createTokenVerifier,
  exportJwkSet,
  exportSigningKeys,
  generateSigningKeys,
  importJwkSet,
  importSigningKeys,
  type Jwk,
  loadOrCreateSigningKeys,
  type SigningKeys,
} from './index.ts'

async function subjectThrough(signing: SigningKeys, verifying: SigningKeys): Promise<string> {
  const shared = { issuer: 'i', audience: 'a' }
  const token = await createTokenIssuer({ ...shared, keys: signing }).issue({ subject: 'bob', roles: [] })
  return (await createTokenVerifier({ ...shared, keys: verifying }).verify(token)).subject
}

describe('signing keys in JSON form', () => {
  it.each(['EdDSA', 'ES256'] as const)('come back as they were (%s)', async (algorithm) => {
    const keys = await generateSigningKeys(algorithm)

    const back = importSigningKeys(JSON.parse(JSON.stringify(exportSigningKeys(keys))) as Jwk)

    expect(back.keyId).toBe(keys.keyId)
    expect(await subjectThrough(keys, back)).toBe('bob')
  })

  it('are published without their private part', async () => {
    const [jwk] = exportJwkSet(await generateSigningKeys()).keys

    expect(Object.keys(jwk ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  })

  it('get their thumbprint as id when they have none', async () => {
    const keys = await generateSigningKeys()
    const { kid: _kid, ...anonymous } = exportSigningKeys(keys)

    expect(importSigningKeys(anonymous).keyId).toBe(keys.keyId)
  })

  // RFC 8037 appendix A.3
  it('have the thumbprint that the standard gives', () => {
    const [key] = importJwkSet({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] })

    expect(key?.keyId).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })

  it('are passed over in a set when they are of another kind; a set without a usable one is refused', async () => {
    const { keys: good } = exportJwkSet(await generateSigningKeys())
    const others = [{ kty: 'oct', k: 'c2VjcmV0' }, { kty: 'RSA', n: 'AQAB', e: 'AQAB' }, { ...good[0], use: 'enc' }, { ...good[0], alg: 'HS256' }]

    expect(importJwkSet({ keys: [...others, ...good] })).toHaveLength(1)
    expect(() => importJwkSet({ keys: others })).toThrow(expect.objectContaining({ code: 'ERR_SECURITY_KEY' }))
  })

  it.each([
    ['a public key', { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0', d: 'x' }],
    ['a broken key', { kty: 'OKP', crv: 'Ed25519', x: 'AA', d: 'AA' }],
  ])('are refused when they are %s', (_case, jwk) => {
    expect(() => importSigningKeys(jwk)).toThrow(expect.objectContaining({ code: 'ERR_SECURITY_KEY' }))
  })
})

describe('a key file', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'whale-keys-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('is made at the first start, for its owner alone, and kept', async () => {
    const path = join(folder, 'signing.jwk')

    const first = await loadOrCreateSigningKeys({ path })
    const second = await loadOrCreateSigningKeys({ path })

    expect(second.keyId).toBe(first.keyId)
    expect(await subjectThrough(first, second)).toBe('bob')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['signing.jwk'])
  })

  it('is the same for all who make it at once', async () => {
    const path = join(folder, 'signing.jwk')

    const all = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateSigningKeys({ path })))

    expect(new Set(all.map(({ keyId }) => keyId)).size).toBe(1)
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ kid: all[0]?.keyId })
    expect(await readdir(folder)).toEqual(['signing.jwk'])
  })

  it.each(['', 'not json', 'null', '[]', '{"kty":"oct","k":"c2VjcmV0"}'])('that holds %j is refused without quoting it', async (content) => {
    const path = join(folder, 'signing.jwk')
    await writeFile(path, content, { mode: 0o600 })

    await expect(loadOrCreateSigningKeys({ path })).rejects.toMatchObject({ code: 'ERR_SECURITY_KEY_FILE', context: { path } })
  })

  it.skipIf(process.platform === 'win32')('that others may read is refused', async () => {
    const path = join(folder, 'signing.jwk')
    await loadOrCreateSigningKeys({ path })
    await chmod(path, 0o640)

    await expect(loadOrCreateSigningKeys({ path })).rejects.toThrow(/chmod 600/)
  })

  it('in a folder that is not there is refused, naming the reason', async () => {
    await expect(loadOrCreateSigningKeys({ path: join(folder, 'missing', 'key') })).rejects.toMatchObject({
      code: 'ERR_SECURITY_KEY_FILE',
      message: expect.stringContaining('ENOENT') as string,
    })
  })
})
