import { silentMetrics } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { ClickHouseConfig } from '../clickhouse-config.ts'
import { ConnectionError, QueryError } from '../errors.ts'
import { CircuitBreakerError } from '../operational-errors.ts'
import { type FailoverPolicies, failoverPolicies } from './failover-policies.ts'

describe('failoverPolicies', () => {
  const broken = new ConnectionError('broken', { cause: { code: 'ECONNRESET' } })
  const refused = new ConnectionError('refused', { cause: { code: 'ECONNREFUSED' } })
  const nobodyThere = new CircuitBreakerError('nobody there')
  const wrong = new QueryError('no such table')

  /** When each attempt of a call was made, in milliseconds, if all of them fail. */
  async function attempts(name: keyof FailoverPolicies, error: Error): Promise<number[]> {
    const clock = new FakeClock()
    const config = new ClickHouseConfig({ servers: ['a', 'b', 'c'], retry: { maxAttempts: 2, baseDelayMs: 100, maxDelayMs: 100 } }, {})
    const policy = failoverPolicies(config, silentMetrics, clock)[name]
    const begunAtMs = clock.monotonic()
    const made: number[] = []
    const failed = policy
      .execute(() => {
        made.push(clock.monotonic() - begunAtMs)
        return Promise.reject(error)
      })
      .catch((reason: unknown) => reason)
    await clock.advance(5_000)
    expect(await failed).toBe(error)
    return made
  }

  it('asks each server at once, and only then waits for the next round', async () => {
    const made = await attempts('reads', broken)

    expect(made).toHaveLength(6)
    expect(made.slice(0, 3).every((at) => at < 10)).toBe(true)
  })

  it.each<[string, keyof FailoverPolicies, Error, number]>([
    ['what may run twice, after a broken connection', 'repeatable', broken, 6],
    ['what may run twice on one server', 'pinned', broken, 2],
    ['what must not run twice, when it may have arrived', 'unsent', broken, 1],
    ['what must not run twice, when nothing of it arrived', 'unsent', refused, 6],
    ['what must not run twice, on one server, when nothing of it arrived', 'pinnedUnsent', refused, 2],
    ['what must not run twice, on one server, when it may have arrived', 'pinnedUnsent', broken, 1],
    ['anything, when no server is there', 'reads', nobodyThere, 1],
    ['anything that was answered with a refusal', 'reads', wrong, 1],
  ])('%s: %s', async (_what, name, error, times) => {
    expect(await attempts(name, error)).toHaveLength(times)
  })
})
