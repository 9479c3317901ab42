import { createRetry } from '@smart-whale/core-resilience'
import { silentMetrics } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { SqlConnection } from '../sql-driver.ts'
import { EndpointPool, type EndpointPoolSettings } from './endpoint-pool.ts'
import { createPoolMeter } from './pool-meter.ts'

/** A connection that only a pool looks at. */
class PlainConnection {
  failure: Error | undefined
  inTransaction = false
  ended: 'closed' | 'destroyed' | undefined
  async close(): Promise<void> {
    this.ended ??= 'closed'
  }
  destroy(): void {
    this.failure = new RangeError('destroyed')
    this.ended = 'destroyed'
  }
}

function makePool(change: Partial<EndpointPoolSettings> = {}): { pool: EndpointPool; clock: FakeClock; opened: PlainConnection[] } {
  const clock = new FakeClock()
  const opened: PlainConnection[] = []
  const connect = async (): Promise<SqlConnection> => {
    const connection = new PlainConnection()
    opened.push(connection)
    return connection as unknown as SqlConnection
  }
  const pool = new EndpointPool({
    name: 'db:5432',
    maxConnections: 2,
    maxWaiting: 2,
    acquireTimeoutMs: 1_000,
    idleTimeoutMs: 10_000,
    maxLifetimeMs: 60_000,
    closeTimeoutMs: 5_000,
    clock,
    meter: createPoolMeter(silentMetrics, 'primary'),
    random: () => 0,
    connect,
    ...change,
  })
  return { pool, clock, opened }
}

/** Lets everything settle that only waits for promises. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('EndpointPool', () => {
  it('uses a connection again, the one that rested least first', async () => {
    const { pool, opened } = makePool()
    const [one, two] = [await pool.acquire(), await pool.acquire()]
    one.release()
    two.release()

    const again = await pool.acquire()

    expect(again.connection).toBe(two.connection)
    expect(opened).toHaveLength(2)
  })

  it('serves who waits in the order of asking', async () => {
    const { pool, opened } = makePool({ maxConnections: 1 })
    const order: string[] = []
    const first = await pool.acquire()
    const waiting = ['second', 'third'].map(async (name) => {
      const lease = await pool.acquire()
      order.push(name)
      lease.release()
    })
    await settle()
    first.release()
    await Promise.all(waiting)

    expect(order).toEqual(['second', 'third'])
    expect(opened).toHaveLength(1)
  })

  it('refuses at once when too many wait already', async () => {
    const { pool } = makePool({ maxConnections: 1, maxWaiting: 1 })
    const lease = await pool.acquire()
    const waiting = pool.acquire()

    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_POOL_FULL', retryable: true })

    lease.release()
    ;(await waiting).release()
  })

  it('refuses after the time to wait is over, and leaves no trace of who waited', async () => {
    const { pool, clock } = makePool({ maxConnections: 1 })
    const lease = await pool.acquire()
    const waiting = pool.acquire()
    const refused = expect(waiting).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_POOL_TIMEOUT', retryable: true, context: { busy: 1 } })
    await settle()
    await clock.advance(1_000)
    await refused

    lease.release()
    expect(pool.counts()).toEqual({ idle: 1, busy: 0, opening: 0, waiting: 0 })
  })

  it('ends the wait when its signal aborts', async () => {
    const { pool } = makePool({ maxConnections: 1 })
    await pool.acquire()
    const abort = new AbortController()
    const waiting = pool.acquire({ signal: abort.signal })
    abort.abort()

    await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await expect(pool.acquire({ signal: abort.signal })).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect(pool.counts().waiting).toBe(0)
  })

  it('replaces connections that broke, whether in use or idle', async () => {
    const { pool, opened } = makePool({ maxConnections: 1 })
    const lease = await pool.acquire()
    const waiting = pool.acquire()
    await settle()
    opened[0]!.failure = new RangeError('lost')
    lease.release()
    const second = await waiting
    second.release()
    opened[1]!.failure = new RangeError('lost')

    const third = await pool.acquire()

    expect(third.connection).toBe(opened[2])
    expect(pool.counts()).toEqual({ idle: 0, busy: 1, opening: 0, waiting: 0 })
  })

  it('replaces connections that are old, between two uses', async () => {
    const { pool, clock, opened } = makePool()
    const lease = await pool.acquire()
    await clock.advance(60_000)
    expect(opened[0]?.ended).toBeUndefined()

    lease.release()
    await pool.acquire()

    expect(opened[0]?.ended).toBe('closed')
    expect(opened).toHaveLength(2)
  })

  it('closes what rests for long', async () => {
    const { pool, clock, opened } = makePool()
    const [one, two] = [await pool.acquire(), await pool.acquire()]
    one.release()
    await clock.advance(6_000)
    two.release()
    await clock.advance(5_000)

    expect(opened.map(({ ended }) => ended)).toEqual(['closed', undefined])
    await clock.advance(6_000)
    expect(pool.counts().idle).toBe(0)
  })

  it('drops a session that is given back with an open transaction', async () => {
    const { pool, opened } = makePool()
    const lease = await pool.acquire()
    opened[0]!.inTransaction = true
    lease.release()

    expect(opened[0]?.ended).toBe('destroyed')
    expect(pool.counts().idle).toBe(0)
  })

  it('tells one caller of each failure to connect, and goes on', async () => {
    let failures = 2
    const connect = async (): Promise<SqlConnection> => {
      if (failures-- > 0) throw new RangeError('refused')
      return new PlainConnection() as unknown as SqlConnection
    }
    const { pool } = makePool({ maxConnections: 1, connect })

    const outcomes = await Promise.allSettled([pool.acquire(), pool.acquire(), pool.acquire()])

    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
  })

  it('opens a connection for whoever comes: the attempts of the call that it is opened for are none of its', async () => {
    let attempts = 0
    const inner = createRetry({ name: 'inner', maxAttempts: 3, baseDelayMs: 0, isRetryable: () => true })
    const outer = createRetry({ name: 'outer', maxAttempts: 2, ambient: true, isRetryable: () => false })
    const connect = (): Promise<SqlConnection> =>
      inner.execute(async () => {
        attempts += 1
        if (attempts < 3) throw new RangeError('not yet')
        return new PlainConnection() as unknown as SqlConnection
      })
    const { pool } = makePool({ connect })

    const lease = await outer.execute(() => pool.acquire())

    expect([attempts, lease.connection.failure]).toEqual([3, undefined])
  })

  it('gives back once, however often it is told', async () => {
    const { pool } = makePool()
    const lease = await pool.acquire()
    lease.release()
    lease.release()

    expect(pool.counts()).toEqual({ idle: 1, busy: 0, opening: 0, waiting: 0 })
  })

  describe('close', () => {
    it('waits for connections in use, refuses who waits and who comes', async () => {
      const { pool, opened } = makePool({ maxConnections: 1 })
      const lease = await pool.acquire()
      const waiting = pool.acquire()
      const refused = expect(waiting).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_POOL_CLOSED' })
      let closed = false
      const closing = Promise.all([pool.close(), pool.close()]).then(() => (closed = true))
      await refused
      await expect(pool.acquire()).rejects.toMatchObject({ code: 'ERR_TIMESCALEDB_POOL_CLOSED' })
      await settle()
      expect(closed).toBe(false)

      lease.release()
      await closing

      expect(opened[0]?.ended).toBe('closed')
      await pool.close()
    })

    it('drops what is still in use after a while, and leaves no timer', async () => {
      const { pool, clock, opened } = makePool()
      await pool.acquire()
      ;(await pool.acquire()).release()
      const closing = pool.close()
      await settle()
      await clock.advance(5_000)
      await closing

      expect(opened.map(({ ended }) => ended)).toEqual(['destroyed', 'closed'])
      expect(clock.pendingTimers).toBe(0)
    })
  })
})
