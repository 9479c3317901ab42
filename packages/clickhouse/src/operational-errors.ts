import { hasErrorMark, markError } from '@smart-whale/interfaces'
import { ClickHouseBaseError, type ClickHouseErrorOptions } from './errors.ts'

// ------------------------------------------------------------------ security

/** Something about keys, tokens or rights is wrong. */
export class SecurityError extends ClickHouseBaseError {
  override readonly name: string = 'SecurityError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_SECURITY', ...options })
    markError(this, 'OperationError')
    markError(this, 'ClickHouse.SecurityError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is SecurityError {
    return hasErrorMark(value, 'ClickHouse.SecurityError')
  }
}

/** Data can't be encrypted or decrypted. */
export class EncryptionError extends SecurityError {
  override readonly name: string = 'EncryptionError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_ENCRYPTION', ...options })
    markError(this, 'ClickHouse.EncryptionError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is EncryptionError {
    return hasErrorMark(value, 'ClickHouse.EncryptionError')
  }
}

/** An access token is missing, expired or not genuine. */
export class TokenError extends SecurityError {
  override readonly name: string = 'TokenError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_TOKEN', status: 401, ...options })
    markError(this, 'ClickHouse.TokenError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is TokenError {
    return hasErrorMark(value, 'ClickHouse.TokenError')
  }
}

/** The user may not do that: no grant, or a read-only profile. */
export class PermissionDeniedError extends SecurityError {
  override readonly name: string = 'PermissionDeniedError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_PERMISSION_DENIED', status: 403, ...options })
    markError(this, 'ClickHouse.PermissionDeniedError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is PermissionDeniedError {
    return hasErrorMark(value, 'ClickHouse.PermissionDeniedError')
  }
}

// --------------------------------------------------------------- operational

/** The server works, but not now, not for this, or not any more. Also answers to the shared `OperationError`. */
export class OperationalError extends ClickHouseBaseError {
  override readonly name: string = 'OperationalError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_OPERATIONAL', ...options })
    markError(this, 'OperationError')
    markError(this, 'ClickHouse.OperationalError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is OperationalError {
    return hasErrorMark(value, 'ClickHouse.OperationalError')
  }
}

/** The server's circuit breaker is open: it failed too often just now and is left alone for a while. */
export class CircuitBreakerError extends OperationalError {
  override readonly name: string = 'CircuitBreakerError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_CIRCUIT_OPEN', retryable: true, status: 503, ...options })
    markError(this, 'ClickHouse.CircuitBreakerError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is CircuitBreakerError {
    return hasErrorMark(value, 'ClickHouse.CircuitBreakerError')
  }
}

/** Every attempt failed; the last failure is the cause. */
export class RetryExhaustedError extends OperationalError {
  override readonly name: string = 'RetryExhaustedError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_RETRY_EXHAUSTED', status: 503, ...options })
    markError(this, 'ClickHouse.RetryExhaustedError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is RetryExhaustedError {
    return hasErrorMark(value, 'ClickHouse.RetryExhaustedError')
  }
}

/** A backup could not be made, found or restored. */
export class BackupError extends OperationalError {
  override readonly name: string = 'BackupError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_BACKUP', ...options })
    markError(this, 'ClickHouse.BackupError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is BackupError {
    return hasErrorMark(value, 'ClickHouse.BackupError')
  }
}

/** Merging, moving or expiring data failed. */
export class DataManagementError extends OperationalError {
  override readonly name: string = 'DataManagementError'
  constructor(message: string, options: ClickHouseErrorOptions = {}) {
    super(message, { code: 'ERR_CLICKHOUSE_DATA_MANAGEMENT', ...options })
    markError(this, 'ClickHouse.DataManagementError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is DataManagementError {
    return hasErrorMark(value, 'ClickHouse.DataManagementError')
  }
}
