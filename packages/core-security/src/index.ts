// Tokens
export { createTokenIssuer } from './issue-token.ts'
export { createTokenVerifier } from './verify-token.ts'
export { cacheVerifiedTokens } from './cache-verified-tokens.ts'

// Keys
export {
  exportJwkSet,
  exportSigningKeys,
  generateSigningKeys,
  importJwkSet,
  importSigningKeys,
  type Jwk,
  type JwkSet,
  type SigningAlgorithm,
  type SigningKeys,
  type VerificationKey,
} from './signing-keys.ts'
export { loadOrCreateSigningKeys } from './key-file.ts'

// Roles
export { createRolePolicy, DEFAULT_ROLES, type RoleDefinition, type RoleDefinitions, type RolePolicy } from './role-policy.ts'

// Options
export type { KeyFileOptions, TokenCacheOptions, TokenIssuerOptions, TokenVerifierOptions } from './options.ts'

// Errors
export { AccessDeniedError, type SecurityErrorCode, TokenError, type TokenErrorCode } from './errors.ts'
