import { createRetry, createRetryBudget } from '@smart-whale/core-resilience'
import { InfrastructureError, type Policy, type PolicyCall, type PolicyContext } from '@smart-whale/interfaces'
import { ClickHouseConfig, type ClickHouseOptions } from '../clickhouse-config.ts'
import { neverArrived } from '../map-error.ts'
import { RetryExhaustedError } from '../operational-errors.ts'
import type { ServerPolicyOptions } from './circuit-breaker.ts'

/** What the work of a call is. */
export interface RetriedCall extends PolicyCall {
  /** Given when it inserts. Without a deduplication token it is sent again only when nothing of it can have arrived. @default it may run twice */
  readonly insert?: { readonly token?: string | undefined } | undefined
}

/**
 * Runs work again when it failed in a way that may pass, by the configuration's `retry`: for work of your own over a server. Adapters made by `createAdapter` do so by
 * themselves, and leave it to the handler around them.
 */
export class RetryHandler {
  readonly #repeatable: Policy
  readonly #unsent: Policy
  readonly #maxAttempts: number

  /** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` */
  constructor(config: ClickHouseOptions | ClickHouseConfig = {}, { metrics, clock }: ServerPolicyOptions = {}) {
    const checked = config instanceof ClickHouseConfig ? config : new ClickHouseConfig(config)
    const retry = checked.getRetryConfig()
    const shared = { name: 'clickhouse', ...retry, ambient: true, budget: createRetryBudget({ clock }), metrics, clock }
    this.#maxAttempts = retry.maxAttempts
    this.#repeatable = createRetry({ ...shared, isRetryable: mayPass })
    this.#unsent = createRetry({ ...shared, isRetryable: (error) => mayPass(error) && neverArrived(error) })
  }

  /**
   * Runs work, and again when it fails in a way that may pass.
   * @throws RetryExhaustedError `ERR_CLICKHOUSE_RETRY_EXHAUSTED` when every attempt failed; the last failure is its cause. What can't pass is thrown as it is.
   */
  async executeWithRetry<T>(work: (context: PolicyContext) => Promise<T>, { insert, ...call }: RetriedCall = {}): Promise<T> {
    let attempts = 0
    const counted = (context: PolicyContext): Promise<T> => {
      attempts += 1
      return work(context)
    }
    const mayRepeat = insert === undefined || (insert.token ?? '') !== ''
    try {
      return await (mayRepeat ? this.#repeatable : this.#unsent).execute(counted, call)
    } catch (error) {
      if (attempts < Math.max(2, this.#maxAttempts) || !mayPass(error)) throw error
      throw new RetryExhaustedError(`${attempts} attempts failed, the last one with: ${(error as Error).message}`, { cause: error, retryable: true, context: { attempts } })
    }
  }
}

const mayPass = (error: unknown): boolean => InfrastructureError.isInstance(error) && error.retryable
