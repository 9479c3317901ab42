import { systemClock, type TokenClaims, type TokenVerifier } from '@smart-whale/interfaces'
import { decodeProtectedHeader, type JWTClaimVerificationOptions, type JWTPayload, type ProtectedHeaderParameters, UnsecuredJWT } from 'jose'
import { requireText, requireWhole, wrongOption } from './check-option.ts'
import { TokenError } from './errors.ts'
import { ACCESS_TOKEN_TYPE } from './issue-token.ts'
import { mapTokenError } from './map-error.ts'
import type { TokenVerifierOptions } from './options.ts'
import { isSignedBy } from './is-signed-by.ts'
import { importJwkSet, isKeyList, type VerificationKey } from './signing-keys.ts'

const UNSIGNED_ACCESS_TOKEN = unsignedHeader(ACCESS_TOKEN_TYPE)
const REQUIRED_CLAIMS = ['sub', 'exp', 'iat', 'jti']

/**
 * Makes a verifier of the tokens of one issuer for one audience.
 * The key is chosen by `kid` among those that are given, and the algorithm is the key's own: what the header asks for never decides,
 * keys embedded in a header are never used.
 *
 * @throws ValidationError `ERR_SECURITY_OPTIONS` for a wrong option; ConfigurationError `ERR_SECURITY_KEY` for an unusable key.
 * `verify` throws a {@link TokenError} (status 401), and nothing else, for whatever is not a valid token.
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { issuer, audience, clockToleranceSeconds = 5, maxTokenLength = 4096, clock = systemClock } = options
  requireText('issuer', issuer)
  requireText('audience', audience)
  requireWhole('clockToleranceSeconds', clockToleranceSeconds, 0)
  requireWhole('maxTokenLength', maxTokenLength, 1)
  const keys = indexKeys(options.keys)
  const checks = { issuer, audience, typ: ACCESS_TOKEN_TYPE, clockTolerance: clockToleranceSeconds, requiredClaims: REQUIRED_CLAIMS }

  return {
    async verify(token) {
      requireTokenForm(token, maxTokenLength)
      const now = clock.now()
      try {
        const payload = payloadOf(token, requireSignature(token, keys), { ...checks, currentDate: new Date(now) })
        return readClaims(payload, now / 1000 + clockToleranceSeconds)
      } catch (error) {
        throw mapTokenError(error)
      }
    },
  }
}

function indexKeys(keys: TokenVerifierOptions['keys']): ReadonlyMap<string, VerificationKey> {
  const list = isKeyList(keys) ? keys : 'keys' in keys ? importJwkSet(keys) : [keys]
  if (list.length === 0) throw wrongOption('keys', list, 'must hold at least one public key')
  const byId = new Map<string, VerificationKey>()
  for (const key of list) {
    if (key?.publicKey?.type !== 'public') throw wrongOption('keys', key, 'must be public keys: generateSigningKeys, importJwkSet or a JWK set')
    if (byId.has(key.keyId)) throw wrongOption('keys', list, `must have different ids; "${key.keyId}" is there twice`)
    byId.set(key.keyId, key)
  }
  return byId
}

/** Before any parsing: the token is text of bounded length, and its signature is written in the one canonical way. */
function requireTokenForm(token: unknown, maxTokenLength: number): asserts token is string {
  if (typeof token !== 'string' || token === '') throw new TokenError('ERR_TOKEN_MISSING', 'a bearer token is needed')
  if (token.length > maxTokenLength) {
    throw new TokenError('ERR_TOKEN_TOO_LONG', `the token is longer than the ${maxTokenLength} characters that are accepted`, { length: token.length })
  }
  // Base64 leaves bits of the last character unused: without this, sixteen different texts would carry the same signature.
  const signature = token.slice(token.lastIndexOf('.') + 1)
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) throw mapTokenError(undefined)
}

/** The header of a token whose signature holds. Here and not by jose, whose way through WebCrypto and its threads takes half as long again. */
function requireSignature(token: string, keys: ReadonlyMap<string, VerificationKey>): ProtectedHeaderParameters {
  const end = token.lastIndexOf('.')
  const header = decodeProtectedHeader(token)
  // Extensions that a token insists on are none of ours (RFC 7515 §4.1.11); five parts are something encrypted.
  if (header.crit !== undefined || token.split('.').length !== 3) throw mapTokenError(undefined)
  const key = chooseKey(keys, header)
  if (!isSignedBy(key, Buffer.from(token.slice(0, end)), Buffer.from(token.slice(end + 1), 'base64url'))) throw mapTokenError(undefined)
  return header
}

/** What the token says, if it says it of the right issuer, audience and time: jose's reading of what is signed, without its signature. */
function payloadOf(token: string, { typ }: ProtectedHeaderParameters, checks: JWTClaimVerificationOptions): JWTPayload {
  const unsigned = typ === ACCESS_TOKEN_TYPE ? UNSIGNED_ACCESS_TOKEN : unsignedHeader(typ)
  return UnsecuredJWT.decode(`${unsigned}${token.slice(token.indexOf('.'), token.lastIndexOf('.') + 1)}`, checks).payload
}

function unsignedHeader(typ: unknown): string {
  return Buffer.from(JSON.stringify({ alg: 'none', typ })).toString('base64url')
}

function chooseKey(keys: ReadonlyMap<string, VerificationKey>, header: ProtectedHeaderParameters): VerificationKey {
  if (typeof header.alg !== 'string' || header.alg === '') throw mapTokenError(undefined)
  const isAccepted = [...keys.values()].some(({ algorithm }) => algorithm === header.alg)
  if (!isAccepted) throw new TokenError('ERR_TOKEN_ALGORITHM', 'the token is signed with an algorithm that is not accepted here')
  const key = typeof header.kid === 'string' ? keys.get(header.kid) : undefined
  if (key === undefined) throw new TokenError('ERR_TOKEN_UNKNOWN_KEY', 'the token is signed with a key that is not known here; get a new one')
  if (header.alg !== key.algorithm) throw new TokenError('ERR_TOKEN_ALGORITHM', 'the token names another algorithm than its key has')
  return key
}

/** The signature holds; what it signs must still have the right shape. */
function readClaims(payload: JWTPayload, latestSeconds: number): TokenClaims {
  const { sub, exp, iat, jti, roles = [], tenant } = payload
  if (typeof sub !== 'string' || sub === '') throw wrongClaim('sub')
  if (typeof jti !== 'string' || jti === '') throw wrongClaim('jti')
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw wrongClaim('exp')
  if (typeof iat !== 'number') throw wrongClaim('iat')
  if (iat > latestSeconds) throw new TokenError('ERR_TOKEN_NOT_YET_VALID', 'the token was made in the future; check the clocks of both sides')
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string')) throw wrongClaim('roles')
  if (tenant !== undefined && (typeof tenant !== 'string' || tenant === '')) throw wrongClaim('tenant')
  return { subject: sub, roles: roles as string[], expiresAt: exp * 1000, ...(tenant === undefined ? {} : { tenant }) }
}

function wrongClaim(claim: string): TokenError {
  return new TokenError('ERR_TOKEN_INVALID', `the token's "${claim}" is missing or wrong`, { claim })
}
