import { outsideOfCalls } from '@smart-whale/core-resilience'
import { abortedError, type Clock, type TimerHandle } from '@smart-whale/interfaces'
import { TimescaleConnectionError, TimescaleOperationError, TimescaleTimeoutError } from '../errors.ts'
import type { SqlConnection } from '../sql-driver.ts'
import type { PoolMeter } from './pool-meter.ts'

/** How an {@link EndpointPool} keeps its connections. */
export interface EndpointPoolSettings {
  /** For error messages: host and port. @default none, required */
  readonly name: string
  /** Connections at most, those in use and those being opened included. @default none, required */
  readonly maxConnections: number
  /** Calls that may wait for a connection; more are refused at once. @default none, required */
  readonly maxWaiting: number
  /** How long a call may wait for a connection, in milliseconds, unless it says otherwise. @default none, required */
  readonly acquireTimeoutMs: number
  /** After how long without use a connection is closed, in milliseconds. @default none, required */
  readonly idleTimeoutMs: number
  /** After how long a connection is replaced, between two uses, in milliseconds; `random` takes off up to a tenth. @default none, required */
  readonly maxLifetimeMs: number
  /** How long closing waits for connections in use before it drops them, in milliseconds. @default none, required */
  readonly closeTimeoutMs: number
  /** Measures all of these times. @default none, required */
  readonly clock: Clock
  /** Told of waits, refusals, failures and counts. @default none, required */
  readonly meter: PoolMeter
  /** Numbers from 0 up to 1, to spread lifetimes. @default none, required */
  readonly random: () => number
  /** Opens one more connection; the signal aborts when the pool is closed. @default none, required */
  connect(signal: AbortSignal): Promise<SqlConnection>
}

/** A connection in use. Releasing it twice does no harm. */
export interface Lease {
  readonly connection: SqlConnection
  release(): void
}

interface Member {
  readonly connection: SqlConnection
  readonly expiresAtMs: number
  idleSinceMs: number
}

interface Waiter {
  resolve(member: Member): void
  reject(error: Error): void
}

/** The connections to one server: so many at most, used by one caller at a time, replaced when they break or grow old. */
export class EndpointPool {
  readonly #settings: EndpointPoolSettings
  /** Newest last: the others may rest long enough to be closed. */
  readonly #idle: Member[] = []
  readonly #busy = new Set<Member>()
  readonly #waiting: Waiter[] = []
  readonly #stopped = new AbortController()
  #opening = 0
  #sweep: TimerHandle | undefined
  #closing = new Set<Promise<void>>()
  #drained: PromiseWithResolvers<void> | undefined

  constructor(settings: EndpointPoolSettings) {
    this.#settings = settings
  }

  /** Waits for a connection, in the order of asking. */
  async acquire(options: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined } = {}): Promise<Lease> {
    if (options.signal?.aborted) throw abortedError('waiting for a connection', options.signal)
    if (this.#stopped.signal.aborted) throw this.#closedError()
    const began = this.#settings.clock.monotonic()
    const member = this.#takeIdle() ?? (await this.#wait(options))
    this.#settings.meter.waited(this.#settings.clock.monotonic() - began)
    return this.#lend(member)
  }

  /** Refuses callers from now on, waits for connections in use, and drops what is still in use after a while. */
  async close(): Promise<void> {
    if (!this.#stopped.signal.aborted) {
      this.#stopped.abort()
      this.#settings.clock.clearTimeout(this.#sweep)
      for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#closedError())
    }
    for (const member of this.#idle.splice(0)) this.#retire(member)
    await this.#drain()
    await Promise.all(this.#closing)
    this.#report()
  }

  /** Connections by what they are doing. */
  counts(): { idle: number; busy: number; opening: number; waiting: number } {
    return { idle: this.#idle.length, busy: this.#busy.size, opening: this.#opening, waiting: this.#waiting.length }
  }

  #takeIdle(): Member | undefined {
    for (let member = this.#idle.pop(); member; member = this.#idle.pop()) {
      if (!this.#isSpent(member)) return member
      this.#retire(member)
    }
    return undefined
  }

  #isSpent({ connection, expiresAtMs }: Member): boolean {
    return connection.failure !== undefined || this.#settings.clock.monotonic() >= expiresAtMs
  }

  #wait({ signal, timeoutMs = this.#settings.acquireTimeoutMs }: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined }): Promise<Member> {
    const { clock, maxWaiting, maxConnections, meter } = this.#settings
    const hasRoom = this.#busy.size + this.#opening + this.#idle.length < maxConnections
    // Those for whom a connection is being opened don't wait for another caller.
    if (!hasRoom && this.#waiting.length - this.#opening >= maxWaiting) {
      meter.refused('full')
      throw this.#fullError()
    }
    return new Promise((resolve, reject) => {
      const settle = <T>(then: (value: T) => void) => (value: T): void => {
        clock.clearTimeout(timer)
        signal?.removeEventListener('abort', giveUp)
        const index = this.#waiting.indexOf(waiter)
        if (index >= 0) this.#waiting.splice(index, 1)
        then(value)
      }
      const waiter: Waiter = { resolve: settle(resolve), reject: settle(reject) }
      const giveUp = (): void => waiter.reject(abortedError('waiting for a connection', signal as AbortSignal))
      const timer = clock.setTimeout(() => {
        meter.refused('timeout')
        waiter.reject(this.#timeoutError(timeoutMs))
      }, timeoutMs)
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(waiter)
      this.#openForWaiting()
    })
  }

  /** Opens as many connections as callers wait for, within the limit. */
  #openForWaiting(): void {
    while (this.#opening < this.#waiting.length && this.#busy.size + this.#opening + this.#idle.length < this.#settings.maxConnections) void outsideOfCalls(() => this.#open())
    this.#report()
  }

  async #open(): Promise<void> {
    const { clock, maxLifetimeMs, random } = this.#settings
    this.#opening += 1
    try {
      const connection = await this.#settings.connect(this.#stopped.signal)
      // Not all at once, when all were opened at once.
      const expiresAtMs = clock.monotonic() + maxLifetimeMs * (1 - random() / 10)
      this.#opening -= 1
      this.#offer({ connection, expiresAtMs, idleSinceMs: 0 })
    } catch (error) {
      this.#opening -= 1
      this.#settings.meter.failedToConnect()
      // One failure, one caller: the others may still be served by connections that come back.
      this.#waiting.shift()?.reject(error as Error)
      this.#openForWaiting()
      this.#settleDrain()
    }
  }

  #lend(member: Member): Lease {
    this.#busy.add(member)
    this.#report()
    const release = (): void => {
      if (!this.#busy.delete(member)) return
      this.#offer(member)
    }
    return { connection: member.connection, release }
  }

  /** Hands a free connection to who waits first, or keeps it, or lets it go. */
  #offer(member: Member): void {
    const { connection } = member
    if (this.#stopped.signal.aborted || connection.inTransaction || this.#isSpent(member)) {
      this.#retire(member)
      this.#openForWaiting()
      this.#settleDrain()
      return
    }
    const waiter = this.#waiting[0]
    if (waiter) {
      this.#busy.add(member)
      waiter.resolve(member)
      this.#report()
      return
    }
    member.idleSinceMs = this.#settings.clock.monotonic()
    this.#idle.push(member)
    this.#scheduleSweep()
    this.#report()
  }

  #scheduleSweep(): void {
    const { clock, idleTimeoutMs } = this.#settings
    const [oldest] = this.#idle
    if (this.#sweep !== undefined || !oldest) return
    const dueMs = Math.max(oldest.idleSinceMs + idleTimeoutMs - clock.monotonic(), 1)
    this.#sweep = outsideOfCalls(() => clock.setTimeout(() => this.#sweepIdle(), dueMs))
  }

  /** Lets go of those that have rested for long. */
  #sweepIdle(): void {
    const { clock, idleTimeoutMs } = this.#settings
    this.#sweep = undefined
    const restedEnough = (member: Member): boolean => clock.monotonic() - member.idleSinceMs >= idleTimeoutMs
    while (this.#idle[0] && (restedEnough(this.#idle[0]) || this.#isSpent(this.#idle[0]))) this.#retire(this.#idle.shift() as Member)
    this.#scheduleSweep()
    this.#report()
  }

  /** Ends a session that nobody uses any more. Dropping it is what rolls back a transaction that was left open. */
  #retire({ connection }: Member): void {
    if (connection.inTransaction) connection.destroy()
    const closing: Promise<void> = connection.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  async #drain(): Promise<void> {
    if (this.#busy.size + this.#opening === 0) return
    const { clock, closeTimeoutMs } = this.#settings
    this.#drained ??= Promise.withResolvers()
    const timer = clock.setTimeout(() => {
      for (const { connection } of this.#busy) connection.destroy(this.#closedError())
      this.#busy.clear()
      this.#drained?.resolve()
    }, closeTimeoutMs)
    await this.#drained.promise
    clock.clearTimeout(timer)
  }

  #settleDrain(): void {
    if (this.#stopped.signal.aborted && this.#busy.size + this.#opening === 0) this.#drained?.resolve()
  }

  #report(): void {
    this.#settings.meter.counted(this.counts())
  }

  #closedError(): TimescaleConnectionError {
    return new TimescaleConnectionError(`the pool of connections to ${this.#settings.name} is closed`, { code: 'ERR_TIMESCALEDB_POOL_CLOSED', retryable: false })
  }

  #fullError(): TimescaleOperationError {
    const { name, maxWaiting, maxConnections } = this.#settings
    return new TimescaleOperationError(
      `all ${maxConnections} connections to ${name} are in use and ${maxWaiting} callers wait already; raise maxConnections, or send less at once`,
      { code: 'ERR_TIMESCALEDB_POOL_FULL', retryable: true, status: 503, context: { maxConnections, maxWaiting } },
    )
  }

  #timeoutError(timeoutMs: number): TimescaleTimeoutError {
    const { name, maxConnections } = this.#settings
    const counts = this.counts()
    return new TimescaleTimeoutError(
      `no connection to ${name} came free within ${timeoutMs} ms (${counts.busy} of ${maxConnections} in use, ${counts.waiting} waiting); raise maxConnections, or look for calls that hold one for long`,
      { code: 'ERR_TIMESCALEDB_POOL_TIMEOUT', status: 503, context: { timeoutMs, maxConnections, ...counts } },
    )
  }
}
