import { hash } from 'node:crypto'
import { systemClock, type TokenClaims, type TokenVerifier } from '@smart-whale/interfaces'
import { requireWhole } from './check-option.ts'
import type { TokenCacheOptions } from './options.ts'

/** A verifier that remembers, and tells without a wait what it knows. */
export interface CachedTokenVerifier extends TokenVerifier {
  /** What a token says that was verified before and hasn't expired; undefined for every other one: `verify` tells then. */
  known(token: string): TokenClaims | undefined
}

/** Characters of a signature that a token is found by. They are few of many: whoever knows them knows no signature. */
const KEY_LENGTH = 8

/** A token that was verified. */
interface VerifiedToken {
  readonly key: string
  /** What it signs; empty for a token of another form. */
  readonly signed: string
  /** The signature: bytes, which no heap dump shows. */
  readonly signature: Uint8Array
  readonly claims: TokenClaims
}

/**
 * A verifier that checks a token's signature once and remembers what it said until it expires.
 * Refusals are not remembered, so that nobody can push good tokens out with bad ones.
 * What is remembered is no token: of a signed one (JWS) the heap has what it says, which is worth nothing without the signature, and the
 * signature is kept outside of it; of any other token there is only a hash. A heap dump gives no token away.
 */
export function cacheVerifiedTokens(verifier: TokenVerifier, options: TokenCacheOptions = {}): CachedTokenVerifier {
  const { maxEntries = 1000, clock = systemClock } = options
  requireWhole('maxEntries', maxEntries, 1)
  const verified = new Map<string, VerifiedToken>()
  let latest: VerifiedToken | undefined

  /** The one unused longest is the first of the map. */
  function moveLast(token: VerifiedToken): void {
    if (token === latest) return
    verified.delete(token.key)
    verified.set(token.key, token)
    latest = token
  }

  function remember(token: string, claims: TokenClaims): void {
    const end = endOfSigned(token)
    const [key, signed, signature] = [keyOf(token, end), token.slice(0, Math.max(end, 0)), end === -1 ? '' : token.slice(end + 1)]
    // A part of a text keeps the whole of it in memory: these are copies. What isn't ASCII doesn't survive that, and is no token.
    const copy = { key: copyOf(key), signed: copyOf(signed) }
    if (copy.key !== key || copy.signed !== signed) return
    moveLast({ ...copy, signature: Buffer.from(signature, 'latin1'), claims })
    if (verified.size > maxEntries) verified.delete(verified.keys().next().value as string)
  }

  function known(token: string): TokenClaims | undefined {
    const end = endOfSigned(token)
    const found = verified.get(keyOf(token, end))
    // Past its expiry the verifier decides again: it alone knows how far the clocks may differ.
    if (found === undefined || !isSame(found, token, end) || found.claims.expiresAt <= clock.now()) return undefined
    moveLast(found)
    return found.claims
  }

  return {
    known,
    async verify(token) {
      if (typeof token !== 'string') return verifier.verify(token)
      const claims = known(token)
      if (claims !== undefined) return claims
      const fresh = await verifier.verify(token)
      // Nobody can change what others are told, too.
      const shared = Object.freeze({ ...fresh, roles: Object.freeze([...fresh.roles]) })
      remember(token, shared)
      return shared
    },
  }
}

/** Where what is signed ends; -1 for what hasn't the form of a signed token. */
function endOfSigned(token: string): number {
  const first = token.indexOf('.')
  const second = first === -1 ? -1 : token.indexOf('.', first + 1)
  return second !== -1 && token.indexOf('.', second + 1) === -1 ? second : -1
}

/** Keys of both kinds differ in their length. */
function keyOf(token: string, end: number): string {
  return end === -1 ? hash('sha256', token, 'base64') : token.slice(end + 1, end + 1 + KEY_LENGTH)
}

/** Looks at every character of the signature, whatever the ones before were: how long it takes tells nobody how close a guess came. */
function isSame({ signed, signature }: VerifiedToken, token: string, end: number): boolean {
  if (end === -1) return signed === ''
  if (token.length - end - 1 !== signature.length || token.slice(0, end) !== signed) return false
  let difference = 0
  for (let index = 0; index < signature.length; index++) difference |= (signature[index] as number) ^ token.charCodeAt(end + 1 + index)
  return difference === 0
}

function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
