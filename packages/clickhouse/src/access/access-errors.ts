import { hasErrorMark, markError } from '@smart-whale/interfaces'
import { QueryError, type ClickHouseErrorOptions } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'

/** The caller has spent what it may within the window. */
export class QuotaExceededError extends OperationalError {
  override readonly name: string = 'QuotaExceededError'
  /** When the quota allows a query again, in milliseconds from now. */
  readonly retryAfterMs: number
  /** The kind of quota that is spent. */
  readonly quota: string

  constructor(message: string, options: ClickHouseErrorOptions & { retryAfterMs: number; quota: string }) {
    const { retryAfterMs, quota, ...rest } = options
    super(message, { code: 'ERR_CLICKHOUSE_QUOTA', status: 429, retryable: false, ...rest, context: { quota, retryAfterMs, ...rest.context } })
    this.retryAfterMs = retryAfterMs
    this.quota = quota
    markError(this, 'ClickHouse.QuotaExceededError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is QuotaExceededError {
    return hasErrorMark(value, 'ClickHouse.QuotaExceededError')
  }
}

/** The query was not run, because it is estimated to read more than it may. */
export class BudgetExceededError extends QueryError {
  override readonly name: string = 'BudgetExceededError'
  /** What is bounded: rows, marks or parts. */
  readonly kind: string
  readonly allowed: number
  /** What the query is estimated to read; undefined where that would tell a tenant how much there is of others. */
  readonly estimated: number | undefined

  constructor(message: string, options: ClickHouseErrorOptions & { kind: string; allowed: number; estimated: number | undefined }) {
    const { kind, allowed, estimated, ...rest } = options
    super(message, { code: 'ERR_CLICKHOUSE_BUDGET', status: 422, retryable: false, ...rest, context: { kind, allowed, ...(estimated === undefined ? {} : { estimated }), ...rest.context } })
    this.kind = kind
    this.allowed = allowed
    this.estimated = estimated
    markError(this, 'ClickHouse.BudgetExceededError')
  }
  /** Type guard, also across copies of this package. */
  static override isInstance(value: unknown): value is BudgetExceededError {
    return hasErrorMark(value, 'ClickHouse.BudgetExceededError')
  }
}
