import { BreakerManager, BreakerOpenError } from '@smart-whale/core-resilience'
import type { Clock, MetricsSink, PolicyCall, PolicyContext } from '@smart-whale/interfaces'
import { circuitOpenError } from '../adapter/adapter-failures.ts'
import { ClickHouseConfig, type ClickHouseOptions } from '../clickhouse-config.ts'

/** What a {@link CircuitBreaker} and a {@link RetryHandler} may be told. */
export interface ServerPolicyOptions {
  /** Where calls are counted. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** Which server a call goes to. */
export interface ServerCall extends PolicyCall {
  /** Its address. @default the first of the configuration */
  readonly server?: string | undefined
}

/**
 * A breaker for each server, by the configuration's `breaker`: for work of your own over a server. Adapters made by `createAdapter` have theirs.
 * Who is refused counts neither way, and so does what the caller has ended.
 */
export class CircuitBreaker {
  readonly #breakers: BreakerManager
  readonly #first: string

  /** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` */
  constructor(config: ClickHouseOptions | ClickHouseConfig = {}, { metrics, clock }: ServerPolicyOptions = {}) {
    const checked = config instanceof ClickHouseConfig ? config : new ClickHouseConfig(config)
    const { failureRate, minimumCalls, openMs } = checked.getCircuitBreakerConfig()
    const { host, port } = checked.getConnectionParams()
    this.#first = `${host}:${port}`
    this.#breakers = new BreakerManager({ consecutiveFailures: Infinity, failureShare: failureRate, minimumCalls, openMs, metrics, clock })
  }

  /**
   * Runs work, unless its server failed too often just now.
   * @throws CircuitBreakerError `ERR_CLICKHOUSE_CIRCUIT_OPEN`, which tells when it is worth asking again
   */
  async execute<T>(work: (context: PolicyContext) => Promise<T>, { server = this.#first, ...call }: ServerCall = {}): Promise<T> {
    try {
      return await this.#breakers.execute(server, work, call)
    } catch (error) {
      throw BreakerOpenError.isInstance(error) ? circuitOpenError(error, server) : error
    }
  }

  /** Whether calls to a server are let through; half-open lets a few try. */
  stateOf(server = this.#first): 'closed' | 'open' | 'half-open' {
    return this.#breakers.checkState(server).state
  }
}
