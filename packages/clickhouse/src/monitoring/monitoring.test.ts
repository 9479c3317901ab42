import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { ConnectionError } from '../errors.ts'
import { judgeSystem } from './health-check.ts'
import { createPerformanceMonitor } from './performance-monitor.ts'

const gauges = (): { metrics: never; values: Map<string, number> } => {
  const values = new Map<string, number>()
  const gauge = ({ name }: { name: string }) => ({ set: (labels: Record<string, unknown>, value: number) => void values.set(`${name}${Object.values(labels).map((label) => ` ${String(label)}`).join('')}`, value) })
  return { metrics: { gauge, counter: () => ({ inc: () => {} }), histogram: () => ({ observe: () => {} }) } as never, values }
}

/** Answers each question with a row of ones, after the test lets it. */
function slowAdapter(): { adapter: ClickHouseAdapter; looks: () => number; answer: (error?: Error) => Promise<void> } {
  let asked = 0
  let waiting: ((error?: Error) => void)[] = []
  const execute = (_query: string, _params: unknown, { signal }: { signal?: AbortSignal } = {}): Promise<unknown> => {
    asked += 1
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error))
      waiting.push((error) => (error === undefined ? resolve({ rows: [{ active: 1, event: 'Query', value: 7 }] }) : reject(error)))
    })
  }
  const answer = async (error?: Error): Promise<void> => {
    const batch = waiting
    waiting = []
    for (const each of batch) each(error)
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }
  return { adapter: { execute } as unknown as ClickHouseAdapter, looks: () => asked / 8, answer }
}

describe('looking again and again', () => {
  it('begins the next look when the one before has ended, and no earlier', async () => {
    const clock = new FakeClock()
    const { adapter, looks, answer } = slowAdapter()
    const { metrics, values } = gauges()
    const monitor = createPerformanceMonitor(adapter, { clock, metrics })

    monitor.startMonitoring(1000)
    monitor.startMonitoring(1000)
    await clock.advance(10_000)
    const whileSlow = looks()
    await answer()
    await clock.advance(999)
    const before = looks()
    await clock.advance(1)

    expect([whileSlow, before, looks()]).toEqual([1, 1, 2])
    expect(values.get('smart_whale_clickhouse_parts')).toBe(1)
    expect(values.get('smart_whale_clickhouse_events_total Query')).toBe(7)
    await monitor.stop()
  })

  it('goes on after a server that did not answer, and says that it is down', async () => {
    const clock = new FakeClock()
    const { adapter, looks, answer } = slowAdapter()
    const { metrics, values } = gauges()
    const monitor = createPerformanceMonitor(adapter, { clock, metrics })
    monitor.startMonitoring(1000)

    await answer(new ConnectionError('gone'))
    const down = values.get('smart_whale_clickhouse_up')
    await clock.advance(1000)
    await answer()

    expect([down, values.get('smart_whale_clickhouse_up'), looks()]).toEqual([0, 1, 2])
    await monitor.stop()
  })

  it('ends with stop, also in the middle of a look', async () => {
    const clock = new FakeClock()
    const { adapter, looks } = slowAdapter()
    const monitor = createPerformanceMonitor(adapter, { clock })
    monitor.startMonitoring(1000)

    await monitor.stop()
    await clock.advance(10_000)
    await monitor.stop()

    expect(looks()).toBe(1)
  })

  it('needs a pause', () => {
    expect(() => createPerformanceMonitor(slowAdapter().adapter).startMonitoring(0)).toThrow(/intervalMs .* 100 at least/)
  })
})

describe('a system', () => {
  const well = { parts: { active: 5, rows: 1, bytes: 1, mostInPartition: 5, mostInPartitionTable: 'a.b' }, unseen: {} }

  it.each([
    [well, 'up', undefined],
    [{ ...well, unseen: { disks: 'no grant' } }, 'up', "can't see disks"],
    [{ ...well, parts: { ...well.parts, mostInPartition: 2000 } }, 'degraded', 'a.b has a partition of 2,000 parts'],
    [{ ...well, mutations: { pending: 1, failing: 1 } }, 'degraded', '1 mutations fail again and again'],
    [{ ...well, replicas: { count: 4, readonly: 1, maxDelaySeconds: 0, queue: 0 } }, 'degraded', '1 of 4 replicated tables refuse inserts'],
    [{ ...well, replicas: { count: 4, readonly: 4, maxDelaySeconds: 900, queue: 0 } }, 'down', 'a replica is 900 s behind'],
    [{ ...well, disks: [{ name: 'default', freeBytes: 8, totalBytes: 100, isBroken: false }] }, 'degraded', 'disk default has 8.0 % free'],
    [{ ...well, disks: [{ name: 'default', freeBytes: 1, totalBytes: 100, isBroken: false }] }, 'down', 'disk default has 1.0 % free'],
  ] as const)('%j is %s', (state, status, detail) => {
    const health = judgeSystem(state)

    expect(health.status).toBe(status)
    if (detail === undefined) expect(health.detail).toBeUndefined()
    else expect(health.detail).toContain(detail)
  })
})
