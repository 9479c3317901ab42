import { type Bulkhead, createBulkhead, OverloadError } from '@smart-whale/core-resilience'
import { type CallOptions, type Clock, systemClock, ValidationError } from '@smart-whale/interfaces'
import { closedError } from '../adapter/adapter-failures.ts'
import { type AdapterOptions, HttpAdapter } from '../adapter/http-adapter.ts'
import { ClickHouseConfig, type ClickHouseOptions } from '../clickhouse-config.ts'
import { PoolExhaustedError } from '../errors.ts'
import { type ClickHouseConnection, PooledConnection } from './pooled-connection.ts'

/** How a pool is used at the moment. */
export interface PoolStats {
  /** Host and port of the server. */
  readonly server: string
  /** Connections that may be out at once. */
  readonly maxConnections: number
  /** Connections that are out. */
  readonly inUse: number
  /** Calls that wait for one. */
  readonly waiting: number
  /** Sockets that are open, idle ones included: those are kept for `keepAliveMs`. */
  readonly openSockets: number
  readonly idleSockets: number
}

/**
 * Connections to one server: at most `maxConnections` are out at once, `maxQueuedRequests` calls wait for one, `queueTimeoutMs` at most,
 * first come first served. The sockets below are kept alive by the transport, and closed after `keepAliveMs` without use.
 *
 * Of a configuration with several servers it takes the first; {@link ClickHouseLoadBalancer} has a pool for each.
 */
export class ClickHouseConnectionPool {
  /** Host and port of the server. */
  readonly server: string
  readonly #adapter: HttpAdapter
  readonly #places: Bulkhead
  readonly #clock: Clock
  readonly #bounds: { readonly maxConnections: number; readonly queueTimeoutMs: number }
  #given = 0
  #isClosed = false

  /** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` */
  constructor(config: ClickHouseOptions | ClickHouseConfig = {}, options: AdapterOptions = {}) {
    const checked = config instanceof ClickHouseConfig ? config : new ClickHouseConfig(config)
    const { host, port } = checked.getConnectionParams()
    const { maxConnections, maxQueuedRequests, queueTimeoutMs } = checked.getTransportConfig()
    this.server = `${host}:${port}`
    this.#clock = options.clock ?? systemClock
    this.#bounds = { maxConnections, queueTimeoutMs }
    this.#adapter = new HttpAdapter(checked, options)
    const { clock, metrics } = options
    this.#places = createBulkhead({ name: `clickhouse ${this.server}`, maxConcurrent: maxConnections, maxQueued: maxQueuedRequests, maxWaitMs: queueTimeoutMs, clock, metrics })
  }

  /**
   * Waits for a connection. Give it back with `releaseConnection`, however the work ends.
   * @throws PoolExhaustedError `ERR_CLICKHOUSE_POOL_EXHAUSTED` when too many wait already, or it took too long
   */
  getConnection(options: CallOptions = {}): Promise<ClickHouseConnection> {
    return this.hold(options)
  }

  /** {@link getConnection} for those who need more than callers do. */
  hold({ signal, timeoutMs }: CallOptions): Promise<PooledConnection> {
    if (this.#isClosed) return Promise.reject(closedError(this.server))
    const deadlineAtMs = timeoutMs === undefined ? undefined : this.#clock.monotonic() + timeoutMs
    return new Promise((resolve, reject) => {
      // The place is the work's, and the work lasts until the connection is given back.
      const work = (): Promise<void> => new Promise((release) => resolve(new PooledConnection(++this.#given, this.server, this.#adapter, release)))
      this.#places.execute(work, { signal, deadlineAtMs }).catch((error: unknown) => reject(this.#refusalOf(error) as Error))
    })
  }

  /** Takes a connection back; one that was given back already may be given back again. */
  releaseConnection(connection: ClickHouseConnection): void {
    if (!(connection instanceof PooledConnection)) {
      throw new ValidationError('this is no connection of a pool; give back what getConnection answered', { issues: [{ path: ['connection'], message: 'must be what getConnection answered' }] })
    }
    connection.release()
  }

  /** Ends what runs, refuses who waits, and closes every socket; may be called twice. */
  async closeAll(): Promise<void> {
    this.#isClosed = true
    this.#places.dispose()
    await this.#adapter.close()
  }

  /** How the pool is used at the moment. */
  getStats(): PoolStats {
    const { open, idle } = this.#adapter.getSocketStats()
    const { underWay, queued } = this.#places
    return { server: this.server, maxConnections: this.#bounds.maxConnections, inUse: underWay, waiting: queued, openSockets: open, idleSockets: idle }
  }

  #refusalOf(error: unknown): unknown {
    if (this.#isClosed) return closedError(this.server)
    return OverloadError.isInstance(error) ? this.#exhausted(error) : error
  }

  #exhausted(cause: Error): PoolExhaustedError {
    const { inUse, waiting } = this.getStats()
    const { maxConnections, queueTimeoutMs } = this.#bounds
    return new PoolExhaustedError(`no connection to ClickHouse at ${this.server} within ${queueTimeoutMs} ms: ${inUse} of ${maxConnections} are in use and ${waiting} calls wait; give connections back sooner, or raise maxConnections`, {
      cause,
      server: this.server,
      context: { inUse, waiting },
    })
  }
}
