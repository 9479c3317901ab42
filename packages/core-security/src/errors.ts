import { hasErrorMark, InfrastructureError, markError } from '@smart-whale/interfaces'

/** Every way in which a token can be refused. */
export type TokenErrorCode =
  | 'ERR_TOKEN_MISSING'
  | 'ERR_TOKEN_TOO_LONG'
  | 'ERR_TOKEN_INVALID'
  | 'ERR_TOKEN_ALGORITHM'
  | 'ERR_TOKEN_UNKNOWN_KEY'
  | 'ERR_TOKEN_WRONG_ISSUER'
  | 'ERR_TOKEN_WRONG_AUDIENCE'
  | 'ERR_TOKEN_EXPIRED'
  | 'ERR_TOKEN_NOT_YET_VALID'

/** Every way in which a ciphertext can be refused. */
export type EncryptionErrorCode = 'ERR_ENCRYPTION_FORMAT' | 'ERR_ENCRYPTION_UNKNOWN_KEY' | 'ERR_ENCRYPTION_ALTERED'

/** Every way in which an audit log can fail. */
export type AuditErrorCode = 'ERR_AUDIT_WRITE' | 'ERR_AUDIT_BROKEN' | 'ERR_AUDIT_LOCKED' | 'ERR_AUDIT_FULL' | 'ERR_AUDIT_CLOSED'

/** Every code that this package makes. */
export type SecurityErrorCode =
  | TokenErrorCode
  | EncryptionErrorCode
  | AuditErrorCode
  | 'ERR_ACCESS_DENIED'
  | 'ERR_SECURITY_OPTIONS'
  | 'ERR_SECURITY_ROLES'
  | 'ERR_SECURITY_KEY'
  | 'ERR_SECURITY_KEY_FILE'

/** The caller has not shown who it is. Neither the message nor the context holds any part of the token. */
export class TokenError extends InfrastructureError<TokenErrorCode> {
  override readonly name: string = 'TokenError'

  constructor(code: TokenErrorCode, message: string, context: Readonly<Record<string, unknown>> = {}) {
    super(message, { code, status: 401, context })
    markError(this, 'TokenError')
  }

  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is TokenError {
    return hasErrorMark(value, 'TokenError')
  }
}

/** The caller is known and lacks a permission, which the message names. */
export class AccessDeniedError extends InfrastructureError<'ERR_ACCESS_DENIED'> {
  override readonly name: string = 'AccessDeniedError'
  /** What would have been needed. */
  readonly permission: string

  constructor(permission: string) {
    super(`the permission "${permission}" is needed and none of the caller's roles grants it`, {
      code: 'ERR_ACCESS_DENIED',
      status: 403,
      context: { permission },
    })
    this.permission = permission
    markError(this, 'AccessDeniedError')
  }

  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is AccessDeniedError {
    return hasErrorMark(value, 'AccessDeniedError')
  }
}

/** A ciphertext that can't be read. Neither the message nor the context holds any part of a key or of the text. */
export class EncryptionError extends InfrastructureError<EncryptionErrorCode> {
  override readonly name: string = 'EncryptionError'

  constructor(code: EncryptionErrorCode, message: string, context: Readonly<Record<string, unknown>> = {}) {
    super(message, { code, status: 500, context })
    markError(this, 'EncryptionError')
  }

  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is EncryptionError {
    return hasErrorMark(value, 'EncryptionError')
  }
}

/** An audit log that can't take an event, or can't be trusted. */
export class AuditError extends InfrastructureError<AuditErrorCode> {
  override readonly name: string = 'AuditError'

  constructor(code: AuditErrorCode, message: string, context: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, { code, status: 500, context, cause })
    markError(this, 'AuditError')
  }

  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is AuditError {
    return hasErrorMark(value, 'AuditError')
  }
}
