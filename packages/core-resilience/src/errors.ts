import { ConfigurationError, ConnectionError, hasErrorMark, markError } from '@smart-whale/interfaces'

/** Every code that this package itself throws. `ERR_TIMEOUT` and `ERR_ABORTED` come from `@smart-whale/interfaces`. */
export type ResilienceErrorCode = 'ERR_CIRCUIT_OPEN' | 'ERR_RESILIENCE_CONFIGURATION'

/** The breaker lets no call through for now. Retryable: the same call may succeed after `retryAfterMs`. */
export class BreakerOpenError extends ConnectionError<'ERR_CIRCUIT_OPEN'> {
  override readonly name: string = 'BreakerOpenError'
  /** How long to wait at least; 0 while a probe is under way and the answer may come at any moment. */
  readonly retryAfterMs: number

  constructor(breaker: string, retryAfterMs: number) {
    const wait = retryAfterMs > 0 ? `the next probe is let through in ${Math.ceil(retryAfterMs)} ms` : 'a probe is under way'
    super(`breaker "${breaker}" is open after too many failures; ${wait}: try again then, or answer without it`, {
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

/** The refusal of an option of a `create…` function. */
export function optionError(option: string, found: unknown, wanted: string): ConfigurationError<'ERR_RESILIENCE_CONFIGURATION'> {
  return new ConfigurationError(`option ${option} must be ${wanted}, got ${describe(found)}`, {
    code: 'ERR_RESILIENCE_CONFIGURATION',
    context: { option },
  })
}

const describe = (value: unknown): string => (typeof value === 'number' ? String(value) : value === null ? 'null' : typeof value)
