import { describe, expect, it } from 'vitest'
import { FakeClock } from '@smart-whale/interfaces/testing'
import type { PartitionLag } from '../transport.ts'
import { createLagMonitor, type LagMonitorOptions } from './lag-monitor.ts'
import type { Pipeline } from './pipeline.ts'

function setup() {
  const clock = new FakeClock()
  const broker: { lag: PartitionLag[]; isAway: boolean } = { lag: [{ partition: 0, committed: 0n, latest: 0n, lag: 0n }], isAway: false }
  const mine = [0, 1]
  const pipeline = { definition: { name: 'rides', topic: 'rides' }, groupId: 'g', status: () => ({ partitions: mine.map((partition) => ({ partition })) }) } as unknown as Pick<Pipeline, 'definition' | 'groupId' | 'status'>
  const transport: LagMonitorOptions['transport'] = {
    groupLag: async () => {
      if (broker.isAway) throw new TypeError('away')
      return broker.lag
    },
  }
  const monitor = createLagMonitor({ pipelines: [pipeline], transport, stallMs: 60_000, intervalMs: 5_000, clock })
  const health = () => monitor.probes[0]?.check({ signal: new AbortController().signal })
  /** Lets a minute and a half pass, with a change before each look. */
  const pass = async (change: (round: number) => void): Promise<void> => {
    for (let round = 0; round < 18; round++) {
      change(round)
      await clock.advance(5_000)
    }
  }
  const at = (committed: bigint, latest: bigint, partition = 0): PartitionLag => ({ partition, committed, latest, lag: latest - committed })
  return { clock, broker, monitor, health, pass, at, mine }
}

describe('the lag monitor', () => {
  it('fails health when offsets stand still while the lag grows, and names the partition', async () => {
    const { monitor, broker, health, pass, at } = setup()
    await monitor.start()

    await pass((round) => (broker.lag = [at(5n, 10n + BigInt(round)), at(40n + BigInt(round), 90n + BigInt(round), 1)]))

    expect(await health()).toEqual({ status: 'down', detail: expect.stringMatching(/^stands still while the lag grows: partition 0 is at offset 5 for 8\d s, 22 records behind$/) as string })
    await monitor.stop()
  })

  it('is well again as soon as it moves', async () => {
    const { monitor, broker, health, pass, at, clock } = setup()
    await monitor.start()
    await pass((round) => (broker.lag = [at(5n, 10n + BigInt(round))]))
    broker.lag = [at(6n, 100n)]
    await clock.advance(5_000)

    expect(await health()).toEqual({ status: 'up' })
    await monitor.stop()
  })

  it.each<[string, (round: number, at: (committed: bigint, latest: bigint) => PartitionLag) => PartitionLag]>([
    ['idle', (_round, at) => at(10n, 10n)],
    ['moving, however far behind and however much the lag grows', (round, at) => at(BigInt(round), 1_000_000n * BigInt(round + 1))],
    ['standing with a lag that does not grow, as at the marker of a transaction', (_round, at) => at(9n, 10n)],
  ])('does not when the pipeline is %s', async (_name, change) => {
    const { monitor, broker, health, pass, at } = setup()
    await monitor.start()

    await pass((round) => (broker.lag = [change(round, at)]))

    expect(await health()).toEqual({ status: 'up' })
    await monitor.stop()
  })

  it('does not when all that comes was taken back, and does when a record comes behind that', async () => {
    const { monitor, broker, health, pass, at } = setup()
    await monitor.start()

    await pass((round) => (broker.lag = [{ ...at(5n, 10n + BigInt(round)), lag: 0n }]))
    expect(await health()).toEqual({ status: 'up' })
    expect(monitor.lags.get('rides')).toBe(0)

    await pass((round) => (broker.lag = [{ ...at(5n, 40n + BigInt(round)), lag: 10n + BigInt(round) }]))
    expect(await health()).toMatchObject({ status: 'down' })
    await monitor.stop()
  })

  it('does not for a partition that another worker has', async () => {
    const { monitor, broker, health, pass, at, mine } = setup()
    mine.length = 0
    await monitor.start()

    await pass((round) => (broker.lag = [at(5n, 10n + BigInt(round))]))

    expect(await health()).toEqual({ status: 'up' })
    await monitor.stop()
  })

  it('measures on when the broker was away, and leaves no timer', async () => {
    const { monitor, broker, clock, at } = setup()
    await monitor.start()
    broker.isAway = true
    await clock.advance(20_000)
    broker.isAway = false
    broker.lag = [at(3n, 10n)]
    await clock.advance(5_000)

    expect(monitor.lags.get('rides')).toBe(7)
    await monitor.stop()
    expect(clock.pendingTimers).toBe(0)
  })
})
