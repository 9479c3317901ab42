import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { FairTurns, type Turn } from './fair-turns.ts'

const share = { maxConcurrent: 2, maxQueued: 3, maxWaitMs: 1000 }

describe('turns', () => {
  it('go to who has used the server least, and a place is kept for short queries', async () => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 2, reserved: 1, clock })
    const order: string[] = []
    const held: Turn[] = []
    const ask = (tenant: string): Promise<void> =>
      turns.take(tenant, share).then((turn) => {
        order.push(tenant)
        held.push(turn)
      })

    for (const [tenant, tookMs] of [['hungry', 20], ['greedy', 50_000]] as const) {
      await ask(tenant)
      held.shift()?.end(tookMs)
    }
    order.length = 0
    await ask('greedy')
    const waiting = [ask('greedy'), ask('greedy'), ask('hungry')]
    await waiting[2]
    held[0]?.end(50_000)
    await waiting[0]

    expect(order).toEqual(['greedy', 'hungry', 'greedy'])
    expect(turns.stats).toEqual({ running: 2, waiting: 1 })
    const refusal = expect(waiting[1]).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_TENANT_BUSY', status: 429 })
    await clock.advance(1000)
    await refusal
  })

  it('are refused past the queue, given up by who leaves, and none is lost', async () => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 1, clock })
    const first = await turns.take('a', share)
    const leaving = new AbortController()
    const waiting = [turns.take('a', share, leaving.signal), turns.take('a', share), turns.take('a', share)]

    await expect(turns.take('a', share)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_TENANT_BUSY' })
    leaving.abort()
    await expect(waiting[0]).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    first.end(1)
    first.end(1)
    ;(await waiting[1])?.end(1)
    ;(await waiting[2])?.end(1)

    expect(turns.stats).toEqual({ running: 0, waiting: 0 })
  })

  it('are bounded for each tenant, whatever room there is', async () => {
    const turns = new FairTurns({ maxConcurrent: 10, reserved: 0, clock: new FakeClock() })
    const both = [await turns.take('a', share), await turns.take('a', share)]
    const third = turns.take('a', share)
    await turns.take('b', share)

    expect(turns.stats).toEqual({ running: 3, waiting: 1 })
    both[0]?.end(1)
    await third
    expect(turns.stats).toEqual({ running: 3, waiting: 0 })
  })
})
