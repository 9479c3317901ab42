// Tokens
export { createTokenIssuer } from './issue-token.ts'
export { createTokenVerifier } from './verify-token.ts'
export { type CachedTokenVerifier, cacheVerifiedTokens } from './cache-verified-tokens.ts'

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
export { createRolePolicy, DEFAULT_ROLES, type GrantedPermissions, type RoleDefinition, type RoleDefinitions, type RolePolicy } from './role-policy.ts'

// Encryption
export { createDataEncryptor, keyIdOf } from './encryption/data-encryptor.ts'
export { createKeyRing, type EncryptionKey, type KeyRing, type KeyRingOptions, makeEncryptionKey } from './encryption/key-ring.ts'
export { type KeyFolderOptions, openKeyFolder } from './encryption/key-folder.ts'

// Audit
export { type AuditLog, type AuditLogOptions, openAuditLog, verifyAuditFile } from './audit/audit-log.ts'
export type { AuditEntry, AuditFault, AuditStore, AuditVerification, ChainHead, FoundEntry } from '@smart-whale/interfaces'

// Options
export type { KeyFileOptions, TokenCacheOptions, TokenIssuerOptions, TokenVerifierOptions } from './options.ts'

// Errors
export {
  AccessDeniedError,
  AuditError,
  type AuditErrorCode,
  EncryptionError,
  type EncryptionErrorCode,
  type SecurityErrorCode,
  TokenError,
  type TokenErrorCode,
} from './errors.ts'
