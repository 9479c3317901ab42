import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { cacheVerifiedTokens, createTokenIssuer, createTokenVerifier, generateSigningKeys, type SigningAlgorithm } from '@smart-whale/core-security'
import type { Contender, HotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const JOSE = 'jose.jwtVerify'
const OURS = 'createTokenVerifier'
const AGAIN = 'cacheVerifiedTokens, a token that comes again'
const TOKENS_PER_REPEAT = 20
const NAMES = { issuer: 'https://bench.example', audience: 'smart-whale' }

/** What the peer has to offer; the package that it is measured against depends on it. */
interface Jose {
  jwtVerify(token: string, key: unknown, options: object): Promise<{ payload: { sub?: string } }>
}

/** What it costs to know who asks. */
export const tokenVerifications: readonly HotPath[] = [tokenVerify('ES256'), tokenVerify('EdDSA')]

function tokenVerify(algorithm: SigningAlgorithm): HotPath {
  return {
    name: `token-verify-${algorithm.toLowerCase()}`,
    title: `Verifying an access token: ${algorithm}`,
    operation: 'token',
    measure: 'client CPU',
    baseline: JOSE,
    goals: [{ contender: OURS, against: JOSE, speedAtLeast: 1.25 }],
    open: async () => {
      const keys = await generateSigningKeys(algorithm)
      const token = await createTokenIssuer({ ...NAMES, keys }).issue({ subject: 'bench', roles: ['analyst'], tenant: 'acme' })
      const verifier = createTokenVerifier({ ...NAMES, keys })
      const cached = cacheVerifiedTokens(verifier)
      const { jwtVerify } = await jose()
      // The same checks as ours makes.
      const checks = { ...NAMES, typ: 'at+jwt', algorithms: [algorithm], clockTolerance: 5, requiredClaims: ['sub', 'exp', 'iat', 'jti'] }
      const contender = (name: string, subjectOf: () => Promise<string | undefined>): Contender => ({
        name,
        operationsPerRepeat: TOKENS_PER_REPEAT,
        run: async (repeats) => {
          for (let index = 0; index < repeats * TOKENS_PER_REPEAT; index++) await subjectOf()
        },
        verify: async () => requireEqual(name, await subjectOf(), 'bench'),
      })
      const contenders = [
        contender(JOSE, async () => (await jwtVerify(token, keys.publicKey, checks)).payload.sub),
        contender(OURS, async () => (await verifier.verify(token)).subject),
        contender(AGAIN, async () => (await cached.verify(token)).subject),
      ]
      return { contenders, serverPid: null, close: async () => {} }
    },
  }
}

async function jose(): Promise<Jose> {
  const packageOfPeer = createRequire(fileURLToPath(import.meta.resolve('@smart-whale/core-security')))
  return (await import(pathToFileURL(packageOfPeer.resolve('jose')).href)) as Jose
}
