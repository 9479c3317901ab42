import { type Breaker, BreakerOpenError, type Candidate, createBreaker, type TargetLease } from '@smart-whale/core-resilience'
import { type CallOptions, type InfrastructureError, OperationError, silentLogger, silentMetrics, systemClock } from '@smart-whale/interfaces'
import { circuitOpenError } from '../adapter/adapter-failures.ts'
import type { AdapterOptions } from '../adapter/http-adapter.ts'
import type { ClickHouseConfig } from '../clickhouse-config.ts'
import { ClickHouseBaseError } from '../errors.ts'
import { isServerAway } from '../map-error.ts'
import { ClickHouseConnectionPool } from './connection-pool.ts'
import type { PooledConnection } from './pooled-connection.ts'
import { ServerProbe } from './server-probe.ts'
import { ServerWatch } from './watch-server.ts'

/** One of several servers: its connections, and what is known of how it does. */
export class ServerNode implements Candidate {
  readonly name: string
  readonly weight: number
  readonly underWay = 0
  readonly latencyMs = 0
  readonly pool: ClickHouseConnectionPool
  readonly #breaker: Breaker
  readonly #probe: ServerProbe
  readonly #watch: ServerWatch
  readonly #calls = new Set<HeldServer>()

  /**
   * @param config of this server alone
   * @param isReplaceable whether another one is there
   */
  constructor(config: ClickHouseConfig, weight: number, isReplaceable: () => boolean, options: AdapterOptions) {
    const { clock = systemClock, metrics = silentMetrics, logger = silentLogger } = options
    const { probeEveryMs, probeTimeoutMs, consecutiveFailures } = config.getBalancingConfig()
    const { failureRate, minimumCalls } = config.getCircuitBreakerConfig()
    this.weight = weight
    this.pool = new ClickHouseConnectionPool(config, options)
    this.name = this.pool.server
    // So that every look at a server that is away finds the time over.
    const openMs = probeEveryMs / 2
    const name = `clickhouse ${this.name}`
    this.#breaker = createBreaker({
      name,
      consecutiveFailures,
      failureShare: failureRate,
      minimumCalls,
      openMs,
      probeTimeoutMs: probeTimeoutMs * 2,
      isFailure: isServerAway,
      onStateChange: ({ from, to, reason }) => {
        if (from === 'closed') logger.warn({ server: this.name, reason }, 'a ClickHouse server is left alone until it answers a ping')
        if (to === 'closed') logger.info({ server: this.name }, 'a ClickHouse server takes calls again')
      },
      metrics,
      clock,
    })
    this.#probe = new ServerProbe(config.getConnectionParams(), probeTimeoutMs)
    this.#watch = new ServerWatch({
      breaker: this.#breaker,
      ask: () => this.#probe.ask(),
      isAwaited: () => this.#calls.size > 0,
      isReplaceable,
      onLost: (error) => this.#lose(error),
      everyMs: probeEveryMs,
      openMs,
      clock,
    })
  }

  /** Whether calls may go there: while it is on trial they don't, a probe does. */
  get isUp(): boolean {
    return this.#breaker.state === 'closed'
  }

  /** Waits for a connection and holds it for a call. @throws CircuitBreakerError when the server is left alone for now */
  async hold(lease: TargetLease<ServerNode>, call: CallOptions): Promise<HeldServer> {
    try {
      const connection = await this.pool.hold(call)
      const held = new HeldServer({ lease, connection, caller: call.signal })
      await this.#enter(held)
      return held
    } catch (error) {
      lease.release('unknown')
      throw BreakerOpenError.isInstance(error) ? circuitOpenError(error, this.name) : error
    }
  }

  /** A call has ended: what that says of the server. */
  ended(held: HeldServer, error: unknown): void {
    this.#calls.delete(held)
    if (error === undefined || hasAnswered(error)) this.#watch.heard()
    if (!this.isUp) this.#watch.wake()
  }

  async close(): Promise<void> {
    this.#watch.close()
    await Promise.all([this.pool.closeAll(), this.#probe.close()])
    this.#breaker.dispose()
  }

  /** Through the breaker, which hears of the end when the connection is given back. */
  async #enter(held: HeldServer): Promise<void> {
    try {
      await new Promise<void>((entered, refused) => {
        const work = (): Promise<void> => {
          entered()
          return held.verdict
        }
        this.#breaker.execute(work).then(() => this.ended(held, undefined), (error: unknown) => {
          refused(error as Error)
          this.ended(held, error)
        })
      })
    } catch (error) {
      held.withdraw()
      throw error
    }
    this.#calls.add(held)
    this.#watch.wake()
  }

  #lose(error: Error): void {
    for (const held of [...this.#calls]) held.lose(error)
  }
}

/** Neither for nor against the server: the breaker takes no notice of what a caller ended. */
const NOTHING_SAID = new OperationError('the call ended by itself', { code: 'ERR_ABORTED' })

/** A connection to a server that was chosen for a call, until the call has ended. */
export class HeldServer {
  readonly connection: PooledConnection
  /** How the call ended, for the breaker. */
  readonly verdict: Promise<void>
  readonly #lease: TargetLease<ServerNode>
  readonly #controller = new AbortController()
  readonly #caller: AbortSignal | undefined
  #settle!: (error?: Error) => void
  #lostBy: Error | undefined
  #isReleased = false

  constructor({ lease, connection, caller }: { lease: TargetLease<ServerNode>; connection: PooledConnection; caller: AbortSignal | undefined }) {
    this.connection = connection
    this.#lease = lease
    this.#caller = caller
    this.verdict = new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error))
    })
    if (caller?.aborted) this.#leave()
    else caller?.addEventListener('abort', this.#leave, { once: true })
  }

  /** Aborts when the caller leaves, and when the server is gone. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** What a failure was in truth: a call that was broken off because its server is gone failed for that. */
  causeOf(error: unknown): unknown {
    return this.#lostBy ?? error
  }

  lose(error: Error): void {
    this.#lostBy = error
    this.#controller.abort(error)
  }

  /** Gives the connection back and says nothing: no call came of it. */
  withdraw(): void {
    this.#caller?.removeEventListener('abort', this.#leave)
    this.connection.release()
  }

  /** Says that the first piece of an answer has come: what its reader takes for the rest is not the server's time. */
  answered(): void {
    this.#lease.answered()
  }

  /** Says how the call ended, and gives the connection back; only the first word counts. */
  release(error?: unknown): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.withdraw()
    if (error === undefined) this.#end('succeeded')
    else if (isServerAway(error)) this.#end('unknown', error as Error)
    else if (hasAnswered(error)) this.#end((error as InfrastructureError).retryable ? 'failed' : 'succeeded', error as Error)
    else this.#end('unknown', NOTHING_SAID)
  }

  /** Whether a server is there is the breaker's affair, by probes; whether one that is there does well is the balancer's, by time. */
  #end(outcome: 'succeeded' | 'failed' | 'unknown', verdict?: Error): void {
    this.#settle(verdict)
    this.#lease.release(outcome)
  }

  readonly #leave = (): void => {
    this.#controller.abort(this.#caller?.reason)
  }
}

/** Whether a failure is the server's own word. */
function hasAnswered(error: unknown): boolean {
  return ClickHouseBaseError.isInstance(error) && error.serverCode !== undefined
}
