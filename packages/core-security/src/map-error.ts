import { errors } from 'jose'
import { TokenError } from './errors.ts'

/**
 * What verification threw, as one of our refusals. Whatever is not understood is a refusal too.
 * The original is not kept as cause: it carries the token's claims, and causes end up in logs.
 */
export function mapTokenError(error: unknown): TokenError {
  if (TokenError.isInstance(error)) return error
  if (error instanceof errors.JWTExpired) return new TokenError('ERR_TOKEN_EXPIRED', 'the token has expired; get a new one')
  if (error instanceof errors.JWTClaimValidationFailed) return mapClaimError(error)
  return new TokenError('ERR_TOKEN_INVALID', 'the token is not one that this service accepts: its form or its signature is wrong')
}

function mapClaimError({ claim, reason }: errors.JWTClaimValidationFailed): TokenError {
  const context = { claim, reason }
  if (reason === 'check_failed') {
    if (claim === 'aud') return new TokenError('ERR_TOKEN_WRONG_AUDIENCE', 'the token was made for another audience', context)
    if (claim === 'iss') return new TokenError('ERR_TOKEN_WRONG_ISSUER', 'the token was made by another issuer', context)
    if (claim === 'nbf') return new TokenError('ERR_TOKEN_NOT_YET_VALID', 'the token is not valid yet; check the clocks of both sides', context)
  }
  return new TokenError('ERR_TOKEN_INVALID', `the token's "${claim}" is missing or wrong`, context)
}
