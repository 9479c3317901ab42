import { type Balancer, createBalancer, rendezvousHash, type TargetLease } from '@smart-whale/core-resilience'
import { type CallOptions, ValidationError } from '@smart-whale/interfaces'
import { allAwayError, closedError, serverAwayError } from '../adapter/adapter-failures.ts'
import type { AdapterOptions } from '../adapter/http-adapter.ts'
import type { ServerChoice } from '../adapter-options.ts'
import { ClickHouseConfig, type ClickHouseOptions } from '../clickhouse-config.ts'
import { CircuitBreakerError } from '../operational-errors.ts'
import { strategyOf } from './balancing-options.ts'
import type { PoolStats } from './connection-pool.ts'
import type { ClickHouseConnection, PooledConnection } from './pooled-connection.ts'
import { type HeldServer, ServerNode } from './server-node.ts'

/** What a call asks of a balancer. */
export interface ConnectionChoice extends CallOptions, ServerChoice {
  /** Servers that won't do, by `server`: those tried already. Taken all the same when no other is there. @default none */
  exclude?: readonly string[] | undefined
}

/** What is known of a server. */
export interface ServerStats extends PoolStats {
  /** Whether calls go there. */
  readonly isUp: boolean
  /** Left out for a while though it answers, because too much of what it was asked failed. */
  readonly isEjected: boolean
  /** Calls that have not ended. */
  readonly underWay: number
  /** Mean time of its calls, of a stream until its first piece, quick to rise and slow to fall; 0 while nothing is known. */
  readonly latencyMs: number
  readonly weight: number
}

/** Every attempt of a call is a call of its own, and each server is asked once at a time. */
const ONCE: AdapterOptions['policy'] = { execute: (work, call) => work({ signal: call?.signal ?? new AbortController().signal }) }

/**
 * Chooses among several servers and holds a pool of connections to each. A server that can't be reached, or that answers neither its calls nor
 * a ping, is left alone until it answers a ping; one that is there but fails too much of what it is asked is left out for a while.
 */
export class ClickHouseLoadBalancer {
  readonly #nodes: readonly ServerNode[]
  readonly #balancer: Balancer<ServerNode>
  readonly #keeping = rendezvousHash()
  readonly #held = new Map<ClickHouseConnection, HeldServer>()
  readonly #probeEveryMs: number
  #isClosed = false

  /** @throws ConfigurationError `ERR_CLICKHOUSE_CONFIGURATION` */
  constructor(config: ClickHouseOptions | ClickHouseConfig = {}, options: AdapterOptions = {}) {
    const checked = config instanceof ClickHouseConfig ? config : new ClickHouseConfig(config)
    const { strategy, probeEveryMs } = checked.getBalancingConfig()
    const weights = checked.getServers().map(({ weight }) => weight)
    const { metrics, clock } = options
    this.#probeEveryMs = probeEveryMs
    this.#nodes = checked.eachServer().map((each, index) => new ServerNode(each, weights[index] ?? 1, () => this.#nodes.filter(({ isUp }) => isUp).length > 1, { ...options, policy: ONCE }))
    this.#balancer = createBalancer({
      name: 'clickhouse',
      targets: this.#nodes.map((node) => ({ name: node.name, target: node, weight: node.weight })),
      strategy: strategyOf(strategy),
      outliers: { ejectMs: 5_000, maxEjectMs: 60_000 },
      metrics,
      clock,
    })
  }

  /** Host and port of each server, in the order of the configuration. */
  get servers(): readonly string[] {
    return this.#nodes.map(({ name }) => name)
  }

  /**
   * Chooses a server and waits for a connection to it. Give it back with `releaseConnection`, however the work ends.
   * @throws CircuitBreakerError `ERR_CLICKHOUSE_CIRCUIT_OPEN` at once, when no server that will do is there
   * @throws PoolExhaustedError `ERR_CLICKHOUSE_POOL_EXHAUSTED`
   */
  async getConnection(choice: ConnectionChoice = {}): Promise<ClickHouseConnection> {
    const held = await this.hold(choice)
    this.#held.set(held.connection, held)
    return held.connection
  }

  /** Takes a connection back; tell the error that the work failed with, so that the server is judged by it. */
  releaseConnection(connection: ClickHouseConnection, error?: unknown): void {
    this.#held.get(connection)?.release(error)
    this.#held.delete(connection)
  }

  /** Runs work on a connection that goes back by itself. The signal aborts when the server is gone. */
  async run<T>(choice: ConnectionChoice, work: (connection: PooledConnection, signal: AbortSignal) => Promise<T>, onChosen?: (server: string) => void): Promise<T> {
    const held = await this.hold(choice, onChosen)
    try {
      const result = await work(held.connection, held.signal)
      held.release()
      return result
    } catch (error) {
      const cause = held.causeOf(error)
      held.release(cause)
      throw cause
    }
  }

  /** {@link getConnection} for those who need more than callers do. */
  async hold(choice: ConnectionChoice, onChosen?: (server: string) => void): Promise<HeldServer> {
    for (;;) {
      const lease = this.#choose(choice)
      onChosen?.(lease.name)
      try {
        return await lease.target.hold(lease, choice)
      } catch (error) {
        // It was there when it was chosen: the next choice knows better.
        if (!CircuitBreakerError.isInstance(error)) throw error
      }
    }
  }

  /** The server that a word always means, whether it is there or not. */
  homeOf(key: string): string {
    return this.#keeping.choose(this.#nodes, key, Math.random).name
  }

  /** What is known of each server. */
  getStats(): readonly ServerStats[] {
    const views = new Map(this.#balancer.targets.map((view) => [view.name, view]))
    return this.#nodes.map(({ name, weight, isUp, pool }) => {
      const { underWay = 0, latencyMs = 0, isEjected = false } = views.get(name) ?? {}
      return { ...pool.getStats(), isUp, isEjected, underWay, latencyMs, weight }
    })
  }

  /** Ends what runs and closes every socket; may be called twice. */
  async closeAllConnections(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#nodes.map((node) => node.close()))
  }

  #choose({ pinTo, stickTo, exclude = [] }: ConnectionChoice): TargetLease<ServerNode> {
    if (this.#isClosed) throw closedError(this.servers.join(', '))
    if (pinTo !== undefined) return this.#only(this.#pinned(pinTo))
    const up = this.#nodes.filter(({ isUp }) => isUp)
    if (up.length === 0) throw allAwayError(this.servers, this.#probeEveryMs)
    const fresh = up.filter(({ name }) => !exclude.includes(name))
    const candidates = fresh.length > 0 ? fresh : up
    if (stickTo !== undefined) return this.#only(this.#keeping.choose(candidates, stickTo, Math.random))
    if (candidates.length === this.#nodes.length) return this.#balancer.acquire()
    return this.#balancer.acquire({ exclude: this.#nodes.filter((node) => !candidates.includes(node)).map(({ name }) => name) })
  }

  #only(chosen: ServerNode): TargetLease<ServerNode> {
    return this.#balancer.acquire({ exclude: this.servers.filter((name) => name !== chosen.name) })
  }

  #pinned(server: string): ServerNode {
    const node = this.#nodes.find(({ name }) => name === server)
    if (node === undefined) {
      const message = `must be one of the servers: ${this.servers.join(', ')}`
      throw new ValidationError(`pinTo names the server "${server}", which is not in the configuration; it ${message}`, { issues: [{ path: ['pinTo'], message }] })
    }
    if (!node.isUp) throw serverAwayError(server, this.#probeEveryMs)
    return node
  }
}
