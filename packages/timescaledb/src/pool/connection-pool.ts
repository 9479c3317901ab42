import { type Clock, type Logger, type MetricsSink, silentLogger, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { type TimescaleCapabilities, detectCapabilities } from '../capabilities.ts'
import { TimescaleDBConfig } from '../config.ts'
import { createPgDriver } from '../drivers/pg-driver.ts'
import { createPostgresDriver } from '../drivers/postgres-driver.ts'
import type { TimescaleDBOptions } from '../options.ts'
import type { SqlConnection, SqlDriver } from '../sql-driver.ts'
import { EndpointPool } from './endpoint-pool.ts'
import { createPoolMeter } from './pool-meter.ts'

/** What a pool works with besides its config. */
export interface ConnectionPoolDependencies {
  /** Opens connections. @default the one that the config names */
  driver?: SqlDriver | undefined
  /** Where waits, refusals and counts are measured. @default silentMetrics */
  metrics?: MetricsSink | undefined
  /** Where lost replicas are reported. @default silentLogger */
  logger?: Logger | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Numbers from 0 up to 1, to spread lifetimes. @default Math.random */
  random?: (() => number) | undefined
}

/** What a connection is wanted for. */
export interface GetConnectionOptions {
  /** Whether a replica will do. @default false */
  readOnly?: boolean | undefined
  /** Ends the wait early. @default never aborted */
  signal?: AbortSignal | undefined
  /** How long to wait. @default the config's acquireTimeoutMs */
  timeoutMs?: number | undefined
}

/** A connection of a pool's, for as long as its holder wants. */
export interface PooledConnection extends Disposable {
  readonly connection: SqlConnection
  /** Gives it back. An open transaction is rolled back by dropping the session. May be called again. */
  release(): void
}

/** How long a replica that could not be reached is left alone. */
const REPLICA_REST_MS = 5_000

/** One pool a server. */
interface Endpoints {
  readonly primary: EndpointPool
  readonly replicas: readonly Replica[]
}

interface Replica {
  readonly name: string
  readonly pool: EndpointPool
  restsUntilMs: number
}

/** Connections to the primary and to each replica, opened when needed, bounded, replaced when they break. */
export class ConnectionPool {
  readonly config: TimescaleDBConfig
  readonly #driver: SqlDriver
  readonly #dependencies: ConnectionPoolDependencies
  readonly #logger: Logger
  readonly #clock: Clock
  #endpoints: Endpoints
  #open = true
  #initialized = false
  #capabilities: TimescaleCapabilities | undefined
  #turn = 0

  constructor(config: TimescaleDBConfig | TimescaleDBOptions = {}, dependencies: ConnectionPoolDependencies = {}) {
    this.config = config instanceof TimescaleDBConfig ? config : new TimescaleDBConfig(config)
    this.#dependencies = dependencies
    this.#driver = dependencies.driver ?? driverNamed(this.config.settings.driver)
    this.#logger = dependencies.logger ?? silentLogger
    this.#clock = dependencies.clock ?? systemClock
    this.#endpoints = this.#makeEndpoints()
  }

  /** Opens a first connection, to fail early and to learn what the server can do. May be called again, after `close` too. */
  async initialize(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (!this.#open) this.#endpoints = this.#makeEndpoints()
    this.#open = true
    await this.capabilities(options)
    this.#initialized = true
  }

  /** Whether `initialize` has succeeded and `close` was not called since. */
  get isInitialized(): boolean {
    return this.#initialized
  }

  /** What the primary can do; asked once. */
  async capabilities(options: { signal?: AbortSignal | undefined } = {}): Promise<TimescaleCapabilities> {
    if (this.#capabilities) return this.#capabilities
    using held = await this.getConnection(options)
    return (this.#capabilities = await detectCapabilities(held.connection, options))
  }

  /** Forgets what the server can do, after an extension was installed. */
  forgetCapabilities(): void {
    this.#capabilities = undefined
  }

  /**
   * Waits for a connection; give it back with `release`, or hold it by `using`.
   *
   * @throws TimescaleOperationError `ERR_TIMESCALEDB_POOL_FULL`
   * @throws TimescaleTimeoutError `ERR_TIMESCALEDB_POOL_TIMEOUT`
   * @throws TimescaleConnectionError when the server can't be reached, or `ERR_TIMESCALEDB_POOL_CLOSED`
   */
  async getConnection(options: GetConnectionOptions = {}): Promise<PooledConnection> {
    const { connection, release } = options.readOnly ? await this.#acquireForReading(options) : await this.#endpoints.primary.acquire(options)
    return { connection, release, [Symbol.dispose]: release }
  }

  /** Waits for connections in use, then closes all. May be called again. */
  async close(): Promise<void> {
    this.#open = false
    this.#initialized = false
    this.#capabilities = undefined
    const { primary, replicas } = this.#endpoints
    await Promise.all([primary.close(), ...replicas.map(({ pool }) => pool.close())])
  }

  /** Connections of the primary by what they are doing. */
  counts(): { idle: number; busy: number; opening: number; waiting: number } {
    return this.#endpoints.primary.counts()
  }

  /** A replica in turn; the primary when none can be reached. */
  async #acquireForReading(options: GetConnectionOptions): ReturnType<EndpointPool['acquire']> {
    const { primary, replicas } = this.#endpoints
    for (let tried = 0; tried < replicas.length; tried++) {
      const replica = replicas[this.#turn++ % replicas.length] as Replica
      if (replica.restsUntilMs > this.#clock.monotonic()) continue
      try {
        return await replica.pool.acquire(options)
      } catch (error) {
        if (options.signal?.aborted) throw error
        replica.restsUntilMs = this.#clock.monotonic() + REPLICA_REST_MS
        this.#logger.warn({ replica: replica.name, error }, 'a replica could not be reached; reading elsewhere for a while')
      }
    }
    return primary.acquire(options)
  }

  #makeEndpoints(): Endpoints {
    const { replicas, port } = this.config.settings
    return {
      primary: this.#poolOf(),
      replicas: replicas.map((replica) => ({ name: `${replica.host}:${replica.port ?? port}`, pool: this.#poolOf(replica), restsUntilMs: 0 })),
    }
  }

  #poolOf(replica?: { readonly host: string; readonly port?: number | undefined }): EndpointPool {
    const { settings } = this.config
    const connection = this.config.connectionOptions(replica)
    return new EndpointPool({
      name: `${connection.host}:${connection.port}`,
      maxConnections: settings.maxConnections,
      maxWaiting: settings.maxWaiting,
      acquireTimeoutMs: settings.acquireTimeoutMs,
      idleTimeoutMs: settings.idleTimeoutMs,
      maxLifetimeMs: settings.maxLifetimeMs,
      closeTimeoutMs: settings.closeTimeoutMs,
      clock: this.#clock,
      meter: createPoolMeter(this.#dependencies.metrics ?? silentMetrics, replica ? 'replica' : 'primary'),
      random: this.#dependencies.random ?? Math.random,
      connect: (signal) => this.#driver.connect({ ...connection, signal }),
    })
  }
}

function driverNamed(name: 'pg' | 'postgres'): SqlDriver {
  return name === 'pg' ? createPgDriver() : createPostgresDriver()
}

/** A pool of connections; nothing is opened yet. */
export function createConnectionPool(config?: TimescaleDBConfig | TimescaleDBOptions, dependencies?: ConnectionPoolDependencies): ConnectionPool {
  return new ConnectionPool(config, dependencies)
}
