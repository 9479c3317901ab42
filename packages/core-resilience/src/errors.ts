import { ConfigurationError, ConnectionError, hasErrorMark, InfrastructureError, markError, OperationError } from '@smart-whale/interfaces'

/** Every code that this package itself throws. `ERR_TIMEOUT` and `ERR_ABORTED` come from `@smart-whale/interfaces`. */
export type ResilienceErrorCode =
  | 'ERR_CIRCUIT_OPEN'
  | 'ERR_BULKHEAD_FULL'
  | 'ERR_RATE_LIMITED'
  | 'ERR_CONCURRENCY_LIMITED'
  | 'ERR_FALLBACKS_FAILED'
  | 'ERR_NO_TARGET'
  | 'ERR_ILLEGAL_TRANSITION'
  | 'ERR_RESILIENCE_DISPOSED'
  | 'ERR_RESILIENCE_CONFIGURATION'

/** The breaker lets no call through for now. Retryable: the same call may succeed after `retryAfterMs`. */
export class BreakerOpenError extends ConnectionError<'ERR_CIRCUIT_OPEN'> {
  override readonly name: string = 'BreakerOpenError'
  /** How long to wait at least; 0 while a probe is under way and the answer may come at any moment, `Infinity` while it is held open. */
  readonly retryAfterMs: number

  constructor(breaker: string, retryAfterMs: number) {
    super(`breaker "${breaker}" is open ${whenToComeBack(retryAfterMs)}: try again then, or answer without it`, {
      code: 'ERR_CIRCUIT_OPEN',
      context: { breaker, retryAfterMs },
    })
    this.retryAfterMs = retryAfterMs
    markError(this, 'BreakerOpenError')
  }

  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is BreakerOpenError {
    return hasErrorMark(value, 'BreakerOpenError')
  }
}

function whenToComeBack(retryAfterMs: number): string {
  if (retryAfterMs === Infinity) return 'and held so by hand until it is reset'
  const wait = retryAfterMs > 0 ? `the next probe is let through in ${Math.ceil(retryAfterMs)} ms` : 'a probe is under way'
  return `after too many failures; ${wait}`
}

/** A limit of our own refused the call before it was made. Retryable: there may be room after `retryAfterMs`. */
export class OverloadError<Code extends OverloadErrorCode = OverloadErrorCode> extends InfrastructureError<Code> {
  override readonly name: string = 'OverloadError'
  /** How long to wait at least, as far as that is known; else 0. */
  readonly retryAfterMs: number

  constructor(message: string, options: { code: Code; limiter: string; retryAfterMs?: number }) {
    const { code, limiter, retryAfterMs = 0 } = options
    super(message, { code, retryable: true, status: code === 'ERR_RATE_LIMITED' ? 429 : 503, context: { limiter, retryAfterMs } })
    this.retryAfterMs = retryAfterMs
    markError(this, 'OverloadError')
  }

  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is OverloadError {
    return hasErrorMark(value, 'OverloadError')
  }
}

/** Codes of an {@link OverloadError}. */
export type OverloadErrorCode = 'ERR_BULKHEAD_FULL' | 'ERR_RATE_LIMITED' | 'ERR_CONCURRENCY_LIMITED'

/** Why one of several ways to an answer was not taken, or failed. */
export interface FailedAlternative {
  readonly name: string
  readonly outcome: 'failed' | 'not_applicable'
  /** What it threw; undefined when it wasn't tried. */
  readonly error?: unknown
}

/** The work and every alternative failed. Retryable when the work's own failure was. */
export class FallbacksFailedError extends OperationError<'ERR_FALLBACKS_FAILED'> {
  override readonly name: string = 'FallbacksFailedError'
  /** The alternatives in their order, each with what became of it. */
  readonly alternatives: readonly FailedAlternative[]

  constructor(cause: unknown, alternatives: readonly FailedAlternative[]) {
    const names = alternatives.map(({ name, outcome }) => `${name} (${outcome === 'failed' ? 'failed' : 'not for this failure'})`)
    super(`the work failed and so did what should have stood in for it: ${names.join(', ')}; the cause is the work’s own failure`, {
      code: 'ERR_FALLBACKS_FAILED',
      cause,
      retryable: InfrastructureError.isInstance(cause) && cause.retryable,
      context: { alternatives: alternatives.map(({ name, outcome }) => ({ name, outcome })) },
    })
    this.alternatives = alternatives
    markError(this, 'FallbacksFailedError')
  }

  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is FallbacksFailedError {
    return hasErrorMark(value, 'FallbacksFailedError')
  }
}

/** The refusal of an option of a `create…` function. */
export function optionError(option: string, found: unknown, wanted: string): ConfigurationError<'ERR_RESILIENCE_CONFIGURATION'> {
  return new ConfigurationError(`option ${option} must be ${wanted}, got ${describe(found)}`, {
    code: 'ERR_RESILIENCE_CONFIGURATION',
    context: { option },
  })
}

/** The refusal of a call to something that has been disposed of. */
export function disposedError(what: string): OperationError<'ERR_RESILIENCE_DISPOSED'> {
  return new OperationError(`${what} has been disposed of; make a new one`, { code: 'ERR_RESILIENCE_DISPOSED', status: 503 })
}

/**
 * An error without a stack. Refusals come by the thousand when a server is away, walking the stack is by far the largest part
 * of what one costs, and it would only ever show the executor.
 */
export function withoutStack<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

const describe = (value: unknown): string => (typeof value === 'number' ? String(value) : value === null ? 'null' : typeof value)
