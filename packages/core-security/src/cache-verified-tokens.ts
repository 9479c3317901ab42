import { hash } from 'node:crypto'
import { systemClock, type TokenClaims, type TokenVerifier } from '@smart-whale/interfaces'
import { requireWhole } from './check-option.ts'
import type { TokenCacheOptions } from './options.ts'

/** A verifier that remembers, and tells without a wait what it knows. */
export interface CachedTokenVerifier extends TokenVerifier {
  /** What a token says that was verified before and hasn't expired; undefined for every other one: `verify` tells then. */
  known(token: string): TokenClaims | undefined
}

/** A token that was verified. What it signs is the key that it is found by. */
interface VerifiedToken {
  readonly key: string
  readonly claims: TokenClaims
  /** The signature: bytes, which no heap dump shows. */
  readonly secret: Uint8Array
}

/**
 * A verifier that checks a token's signature once and remembers what it said until it expires.
 * Refusals are not remembered, so that nobody can push good tokens out with bad ones.
 * What is remembered is no token: a signed one (JWS) is found by what it says, which is worth nothing without its signature, and the
 * signature is kept outside of the heap; of any other token there is only a hash. A heap dump gives no token away.
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
    const key = keyOf(token, end)
    // A part of a text keeps the whole of it in memory: the key is a copy. What isn't ASCII doesn't survive that, and is no token.
    const copy = Buffer.from(key, 'latin1').toString('latin1')
    if (copy !== key) return
    moveLast({ key: copy, claims, secret: Buffer.from(end === -1 ? '' : token.slice(end + 1), 'latin1') })
    if (verified.size > maxEntries) verified.delete(verified.keys().next().value as string)
  }

  function known(token: string): TokenClaims | undefined {
    const end = endOfSigned(token)
    const found = verified.get(keyOf(token, end))
    // Past its expiry the verifier decides again: it alone knows how far the clocks may differ.
    if (found === undefined || !isSecret(found.secret, token, end) || found.claims.expiresAt <= clock.now()) return undefined
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
      remember(token, fresh)
      return fresh
    },
  }
}

/** Where the signature begins, with its dot; -1 for what hasn't the form of a signed token. */
function endOfSigned(token: string): number {
  const first = token.indexOf('.')
  const second = first === -1 ? -1 : token.indexOf('.', first + 1)
  return second !== -1 && token.indexOf('.', second + 1) === -1 ? second : -1
}

/** Keys of both kinds differ: only the signed part has a dot. */
function keyOf(token: string, end: number): string {
  return end === -1 ? hash('sha256', token, 'base64') : token.slice(0, end)
}

/** Looks at every character, whatever the ones before were: how long it takes tells nobody how close a guess came. */
function isSecret(secret: Uint8Array, token: string, end: number): boolean {
  if (end === -1) return secret.length === 0
  if (token.length - end - 1 !== secret.length) return false
  let difference = 0
  for (let index = 0; index < secret.length; index++) difference |= (secret[index] as number) ^ token.charCodeAt(end + 1 + index)
  return difference === 0
}
