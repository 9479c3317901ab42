import { hash } from 'node:crypto'
import { systemClock, type TokenClaims, type TokenVerifier } from '@smart-whale/interfaces'
import { requireWhole } from './check-option.ts'
import type { TokenCacheOptions } from './options.ts'

/**
 * A verifier that checks a token's signature once and remembers what it said until it expires.
 * Refusals are not remembered, so that nobody can push good tokens out with bad ones.
 * Memory holds the tokens' hashes only: a heap dump gives no token away.
 */
export function cacheVerifiedTokens(verifier: TokenVerifier, options: TokenCacheOptions = {}): TokenVerifier {
  const { maxEntries = 1000, clock = systemClock } = options
  requireWhole('maxEntries', maxEntries, 1)
  const verified = new Map<string, TokenClaims>()

  return {
    async verify(token) {
      const key = hash('sha256', String(token), 'base64')
      const known = verified.get(key)
      verified.delete(key)
      // Past its expiry the verifier decides again: it alone knows how far the clocks may differ.
      const claims = known !== undefined && known.expiresAt > clock.now() ? known : await verifier.verify(token)
      verified.set(key, claims)
      if (verified.size > maxEntries) verified.delete(verified.keys().next().value as string)
      return claims
    },
  }
}
