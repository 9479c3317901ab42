import { randomUUID } from 'node:crypto'
import { systemClock, type TokenIssuer } from '@smart-whale/interfaces'
import { SignJWT } from 'jose'
import { requireText, requireWhole, wrongOption } from './check-option.ts'
import type { TokenIssuerOptions } from './options.ts'

/** Media type of access tokens in the header (RFC 9068): an id token or another JWT of the same issuer is not mistaken for one. */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

/**
 * Makes an issuer of signed access tokens: short-lived, with a fresh `jti` each, for one audience.
 *
 * @throws ValidationError `ERR_SECURITY_OPTIONS`, here and from `issue`, naming the wrong field
 */
export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const { issuer, audience, keys, ttlSeconds: defaultTtlSeconds = 900, clock = systemClock } = options
  requireText('issuer', issuer)
  requireText('audience', audience)
  requireWhole('ttlSeconds', defaultTtlSeconds, 1)
  if (keys?.privateKey?.type !== 'private') throw wrongOption('keys', keys, 'must be what generateSigningKeys or importSigningKeys made')

  return {
    async issue(claims, { ttlSeconds = defaultTtlSeconds } = {}) {
      requireText('subject', claims.subject)
      requireRoles(claims.roles)
      if (claims.tenant !== undefined) requireText('tenant', claims.tenant)
      requireWhole('ttlSeconds', ttlSeconds, 1)
      const now = Math.floor(clock.now() / 1000)
      if (claims.signedInAt !== undefined) requireWhole('signedInAt', claims.signedInAt, 0)
      const signedIn = claims.signedInAt === undefined ? now : Math.floor(claims.signedInAt / 1000)
      return new SignJWT({ roles: [...claims.roles], auth_time: signedIn, ...(claims.tenant === undefined ? {} : { tenant: claims.tenant }) })
        .setProtectedHeader({ alg: keys.algorithm, kid: keys.keyId, typ: ACCESS_TOKEN_TYPE })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(claims.subject)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setNotBefore(now)
        .setExpirationTime(now + ttlSeconds)
        .sign(keys.privateKey)
    },
  }
}

function requireRoles(roles: readonly string[]): void {
  if (!Array.isArray(roles)) throw wrongOption('roles', roles, 'must be a list of role names')
  roles.forEach((role, index) => requireText(`roles.${index}`, role))
}
