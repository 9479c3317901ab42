import { systemClock, type TokenClaims, type TokenVerifier } from '@smart-whale/interfaces'
import { decodeProtectedHeader, type JWTPayload, type ProtectedHeaderParameters, UnsecuredJWT } from 'jose'
import { requireText, requireWhole, wrongOption } from './check-option.ts'
import { TokenError } from './errors.ts'
import { ACCESS_TOKEN_TYPE } from './issue-token.ts'
import { mapTokenError } from './map-error.ts'
import type { TokenVerifierOptions } from './options.ts'
import { isSignedBy } from './is-signed-by.ts'
import { importJwkSet, isKeyList, type VerificationKey } from './signing-keys.ts'

/** Headers that a verifier remembers. */
const MAX_HEADERS = 100
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
  const headers = new Map<string, KnownHeader>()
  const checks = { issuer, audience, typ: ACCESS_TOKEN_TYPE, clockTolerance: clockToleranceSeconds, requiredClaims: REQUIRED_CLAIMS }

  return {
    async verify(token) {
      const parts = partsOf(token, maxTokenLength)
      const now = clock.now()
      try {
        const header = headers.get(parts.header) ?? readHeader(token, keys)
        if (!isSignedBy(header.key, Buffer.from(parts.signed), parts.signature)) throw mapTokenError(undefined)
        remember(headers, parts.header, header)
        // jose reads what is signed, without the signature. That was checked above: jose's way through WebCrypto and its threads takes half as long again.
        const { payload } = UnsecuredJWT.decode(`${header.unsigned}.${parts.payload}.`, { ...checks, currentDate: new Date(now) })
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

/** A token taken apart. */
interface TokenParts {
  readonly header: string
  readonly payload: string
  readonly signed: string
  readonly signature: Buffer
}

/** What a header says, and the key that it names. */
interface KnownHeader {
  readonly key: VerificationKey
  /** The same for a token without a signature. */
  readonly unsigned: string
}

/** Before any parsing: the token is text of bounded length, in three parts, and its signature is written in the one canonical way. */
function partsOf(token: unknown, maxTokenLength: number): TokenParts {
  if (typeof token !== 'string' || token === '') throw new TokenError('ERR_TOKEN_MISSING', 'a bearer token is needed')
  if (token.length > maxTokenLength) {
    throw new TokenError('ERR_TOKEN_TOO_LONG', `the token is longer than the ${maxTokenLength} characters that are accepted`, { length: token.length })
  }
  const [headerEnd, end] = [token.indexOf('.'), token.lastIndexOf('.')]
  if (headerEnd === end || token.indexOf('.', headerEnd + 1) !== end) throw mapTokenError(undefined)
  // Base64 leaves bits of the last character unused: without this, sixteen different texts would carry the same signature.
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  if (signature.toString('base64url') !== token.slice(end + 1)) throw mapTokenError(undefined)
  return { header: token.slice(0, headerEnd), payload: token.slice(headerEnd + 1, end), signed: token.slice(0, end), signature }
}

/** @throws TokenError, or jose's error, when the header is none of ours */
function readHeader(token: string, keys: ReadonlyMap<string, VerificationKey>): KnownHeader {
  const header = decodeProtectedHeader(token)
  // Extensions that a token insists on are none of ours (RFC 7515 §4.1.11).
  if (header.crit !== undefined) throw mapTokenError(undefined)
  return { key: chooseKey(keys, header), unsigned: Buffer.from(JSON.stringify({ alg: 'none', typ: header.typ })).toString('base64url') }
}

/** Only of tokens whose signature holds: an issuer writes few headers, and nobody else can fill the memory. */
function remember(headers: Map<string, KnownHeader>, text: string, header: KnownHeader): void {
  if (headers.has(text)) return
  if (headers.size >= MAX_HEADERS) headers.clear()
  // A part of a text keeps the whole of it in memory, here a token: this is a copy.
  headers.set(Buffer.from(text).toString(), header)
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
  const { sub, exp, iat, jti, auth_time: signedIn, roles = [], tenant } = payload
  if (typeof sub !== 'string' || sub === '') throw wrongClaim('sub')
  if (typeof jti !== 'string' || jti === '') throw wrongClaim('jti')
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw wrongClaim('exp')
  if (typeof iat !== 'number') throw wrongClaim('iat')
  if (iat > latestSeconds) throw new TokenError('ERR_TOKEN_NOT_YET_VALID', 'the token was made in the future; check the clocks of both sides')
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string')) throw wrongClaim('roles')
  if (tenant !== undefined && (typeof tenant !== 'string' || tenant === '')) throw wrongClaim('tenant')
  if (signedIn !== undefined && (typeof signedIn !== 'number' || !Number.isFinite(signedIn))) throw wrongClaim('auth_time')
  return { subject: sub, roles: roles as string[], expiresAt: exp * 1000, ...(tenant === undefined ? {} : { tenant }), ...(signedIn === undefined ? {} : { signedInAt: signedIn * 1000 }) }
}

function wrongClaim(claim: string): TokenError {
  return new TokenError('ERR_TOKEN_INVALID', `the token's "${claim}" is missing or wrong`, { claim })
}
