/** Codes of the errors and problem details that this package itself makes; packages add their own as literal unions. */
export type InterfaceErrorCode =
  | 'ERR_INFRASTRUCTURE'
  | 'ERR_CONNECTION'
  | 'ERR_OPERATION'
  | 'ERR_ABORTED'
  | 'ERR_STALE_EPOCH'
  | 'ERR_TABLE_TAKEN'
  | 'ERR_CONFIGURATION'
  | 'ERR_TIMEOUT'
  | 'ERR_VALIDATION'
  | 'ERR_INTERNAL'
  | 'ERR_REQUEST_REFUSED'

/** What every error of the family is made from. */
export interface ErrorOptions<Code extends string = string> {
  /** Stable identifier of the failure; callers `switch` on it. @default the code of the class */
  code?: Code
  /** What the driver or the lower layer threw. Never printed by `toJSON`. @default undefined */
  cause?: unknown
  /** Whether the same call may succeed later, unchanged. Decided where the error is made. @default by class */
  retryable?: boolean
  /** Facts for whoever reads the log: names, sizes, ids. Never a secret, never a row's content. @default {} */
  context?: Readonly<Record<string, unknown>>
  /** HTTP status when the failure crosses a REST boundary. @default by class */
  status?: number
}

/** One thing that is wrong with an input: where, and what would be right. */
export interface ValidationIssue {
  readonly path: readonly (string | number)[]
  readonly message: string
}

const markerOf = (name: string): symbol => Symbol.for(`smart-whale.error.${name}`)

/**
 * Marks an error as an instance of a named class, so that guards recognise it across duplicated installs.
 * An error may carry several marks: a package's own `ConnectionError` also answers to the shared one.
 */
export function markError(error: Error, name: string): void {
  Object.defineProperty(error, markerOf(name), { value: true, enumerable: false })
}

/** Whether a value carries the mark that {@link markError} sets; works across copies of this package. */
export function hasErrorMark(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[markerOf(name)] === true
}

/** Base of every error that leaves a Smart Whale package. */
export class InfrastructureError<Code extends string = string> extends Error {
  override readonly name: string = 'InfrastructureError'
  /** Stable identifier of the failure. */
  readonly code: Code
  /** Whether the same call may succeed later, unchanged; retry policies decide from this alone. */
  readonly retryable: boolean
  /** Facts for whoever reads the log; free of secrets. */
  readonly context: Readonly<Record<string, unknown>>
  /** HTTP status when the failure crosses a REST boundary. */
  readonly status: number

  constructor(message: string, options: ErrorOptions<Code> = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = options.code ?? ('ERR_INFRASTRUCTURE' as Code)
    this.retryable = options.retryable ?? false
    this.context = options.context ?? {}
    this.status = options.status ?? 500
    markError(this, 'InfrastructureError')
  }

  /** Type guard that also accepts errors made by another copy of this package. */
  static isInstance(value: unknown): value is InfrastructureError {
    return hasErrorMark(value, 'InfrastructureError')
  }

  /** What may be logged or sent: no cause, no stack. */
  toJSON(): Record<string, unknown> {
    return { name: this.name, code: this.code, message: this.message, retryable: this.retryable, context: this.context }
  }
}

/** The other side can't be reached, or broke the connection. Retryable unless said otherwise. */
export class ConnectionError<Code extends string = string> extends InfrastructureError<Code> {
  override readonly name: string = 'ConnectionError'
  constructor(message: string, options: ErrorOptions<Code> = {}) {
    super(message, { code: 'ERR_CONNECTION' as Code, retryable: true, status: 503, ...options })
    markError(this, 'ConnectionError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is ConnectionError {
    return hasErrorMark(value, 'ConnectionError')
  }
}

/** The other side was reached and refused or failed the operation, or the operation isn't possible here. */
export class OperationError<Code extends string = string> extends InfrastructureError<Code> {
  override readonly name: string = 'OperationError'
  constructor(message: string, options: ErrorOptions<Code> = {}) {
    super(message, { code: 'ERR_OPERATION' as Code, ...options })
    markError(this, 'OperationError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is OperationError {
    return hasErrorMark(value, 'OperationError')
  }
}

/** An option, variable or file is missing or wrong; the message names it and the remedy. Never retryable. */
export class ConfigurationError<Code extends string = string> extends InfrastructureError<Code> {
  override readonly name: string = 'ConfigurationError'
  constructor(message: string, options: ErrorOptions<Code> = {}) {
    super(message, { code: 'ERR_CONFIGURATION' as Code, ...options })
    markError(this, 'ConfigurationError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is ConfigurationError {
    return hasErrorMark(value, 'ConfigurationError')
  }
}

/** A deadline passed before the operation finished. Retryable unless said otherwise. */
export class TimeoutError<Code extends string = string> extends InfrastructureError<Code> {
  override readonly name: string = 'TimeoutError'
  constructor(message: string, options: ErrorOptions<Code> = {}) {
    super(message, { code: 'ERR_TIMEOUT' as Code, retryable: true, status: 504, ...options })
    markError(this, 'TimeoutError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is TimeoutError {
    return hasErrorMark(value, 'TimeoutError')
  }
}

/** What a {@link ValidationError} is made from. */
export interface ValidationErrorOptions<Code extends string = string> extends ErrorOptions<Code> {
  /** Every thing that is wrong, each with its path. @default [] */
  issues?: readonly ValidationIssue[]
}

/** The caller's input is wrong; `issues` names each field, the kind of value found and the remedy. Never retryable. */
export class ValidationError<Code extends string = string> extends InfrastructureError<Code> {
  override readonly name: string = 'ValidationError'
  /** Every thing that is wrong, each with its path. */
  readonly issues: readonly ValidationIssue[]
  constructor(message: string, options: ValidationErrorOptions<Code> = {}) {
    super(message, { code: 'ERR_VALIDATION' as Code, status: 400, ...options })
    this.issues = options.issues ?? []
    markError(this, 'ValidationError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is ValidationError {
    return hasErrorMark(value, 'ValidationError')
  }
  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), issues: this.issues }
  }
}

/** The error for work that a caller's `AbortSignal` ended. Its reason is the cause. */
export function abortedError(what: string, signal: AbortSignal): OperationError<'ERR_ABORTED'> {
  return new OperationError(`${what} was aborted by its caller`, { code: 'ERR_ABORTED', cause: signal.reason, status: 499 })
}
