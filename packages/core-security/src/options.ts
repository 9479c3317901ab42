import type { Clock } from '@smart-whale/interfaces'
import type { JwkSet, SigningKeys, VerificationKey } from './signing-keys.ts'

/** What {@link createTokenIssuer} is made from. */
export interface TokenIssuerOptions {
  /** Name of this issuer, put into `iss`; verifiers must name the same. @default none, required */
  issuer: string
  /** Who the tokens are for, put into `aud`. @default none, required */
  audience: string
  /** Key pair that signs; its id goes into the header. @default none, required */
  keys: SigningKeys
  /** Life of a token in seconds, unless `issue` is told otherwise. @default 900 */
  ttlSeconds?: number
  /** Source of the time. @default systemClock */
  clock?: Clock
}

/** What {@link createTokenVerifier} is made from. */
export interface TokenVerifierOptions {
  /** The only issuer that is accepted. @default none, required */
  issuer: string
  /** The audience that a token must name. @default none, required */
  audience: string
  /**
   * Public keys that are accepted, chosen by the token's `kid`: one, several (to rotate: the new one beside the old one)
   * or a JWK set. Nothing but these keys' own algorithms is accepted. @default none, required
   */
  keys: VerificationKey | readonly VerificationKey[] | JwkSet
  /** By how many seconds the clocks of issuer and verifier may differ. @default 5 */
  clockToleranceSeconds?: number
  /** Longest token, in characters, that is looked at. @default 4096 */
  maxTokenLength?: number
  /** Source of the time. @default systemClock */
  clock?: Clock
}

/** What {@link cacheVerifiedTokens} is made from. */
export interface TokenCacheOptions {
  /** Most tokens that are remembered; the one unused longest goes first. @default 1000 */
  maxEntries?: number
  /** Source of the time. @default systemClock */
  clock?: Clock
}

/** What {@link loadOrCreateSigningKeys} is made from. */
export interface KeyFileOptions {
  /** Where the private key lies, as a JWK. The folder must exist. @default none, required */
  path: string
  /** What to sign with when the key is made. @default 'EdDSA' */
  algorithm?: 'EdDSA' | 'ES256'
}
