import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { FairTurns, type Turn } from './fair-turns.ts'

const share = { maxConcurrent: 2, maxQueued: 3, maxWaitMs: 1000 }

/** Takes a turn and gives it back `tookMs` later. Resolves to how long it waited for it, in milliseconds. */
async function use(turns: FairTurns, clock: FakeClock, tenant: string, tookMs: number): Promise<number> {
  const begun = clock.monotonic()
  let turn: Turn | undefined
  void turns.take(tenant, share).then((taken) => (turn = taken))
  await clock.advance(0)
  while (turn === undefined) await clock.advance(1)
  const waitedMs = clock.monotonic() - begun
  await clock.advance(tookMs)
  turn.end()
  return waitedMs
}

describe('turns', () => {
  it('go to who has used the server least, and a place is kept for who asks for less than its share', async () => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 2, reserved: 1, clock })
    await use(turns, clock, 'modest', 20)
    await use(turns, clock, 'greedy', 50_000)
    const order: string[] = []
    const held: Turn[] = []
    const ask = (tenant: string): Promise<void> =>
      turns.take(tenant, share).then((turn) => {
        order.push(tenant)
        held.push(turn)
      })

    await ask('greedy')
    const waiting = [ask('greedy'), ask('greedy'), ask('modest')]
    await waiting[2]
    held[0]?.end()
    await waiting[0]

    expect(order).toEqual(['greedy', 'modest', 'greedy'])
    expect(held.map(({ isLight }) => isLight)).toEqual([false, true, false])
    expect(turns.stats).toEqual({ running: 2, waiting: 1 })
    const refusal = expect(waiting[1]).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_TENANT_BUSY', status: 429 })
    await clock.advance(1000)
    await refusal
  })

  it.each([40, 90, 400, 3000])('come to a modest tenant at once, or soon, whoever keeps asking what takes %i ms', async (tookMs) => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 2, reserved: 1, clock })
    const crowd = { ...share, maxWaitMs: 100_000 }
    let isOver = false
    const keepAsking = async (tenant: string): Promise<void> => {
      if (isOver) return
      const turn = await turns.take(tenant, crowd)
      clock.setTimeout(() => {
        turn.end()
        void keepAsking(tenant)
      }, tookMs)
    }
    await use(turns, clock, 'modest', 5)
    for (let index = 0; index < 10; index++) void keepAsking(`hostile-${index % 5}`)

    // Until it is known who asks how much.
    await clock.advance(10_000)
    const waits: number[] = []
    for (let asked = 0; asked < 50; asked++) {
      await clock.advance(200)
      waits.push(await use(turns, clock, 'modest', 5))
    }
    isOver = true

    expect(Math.max(...waits)).toBeLessThanOrEqual(5)
  })

  it('that are light wait about as long as their own queries take, even where others fill the kept places', async () => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 2, reserved: 1, clock })
    for (const tenant of ['a', 'b', 'modest']) await use(turns, clock, tenant, tenant === 'modest' ? 8 : 80)
    const held = [await turns.take('a', share), await turns.take('b', share)]

    const modest = turns.take('modest', share)
    await clock.advance(7)
    expect(turns.stats).toEqual({ running: 2, waiting: 1 })
    await clock.advance(1)

    expect((await modest).isLight).toBe(true)
    expect(held.map(({ isLight }) => isLight)).toEqual([true, true])
  })

  it('in a kept place are given back by a query that turns out long, and a moment of slowness is forgiven', async () => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 2, reserved: 1, shortMs: 150, clock })
    await use(turns, clock, 'greedy', 50_000)
    for (const [tenant, tookMs] of [['sly', 10], ['slow', 140], ['slow', 140]] as const) await use(turns, clock, tenant, tookMs)
    await use(turns, clock, 'sly', 600)
    const greedy = await turns.take('greedy', share)

    const sly = await turns.take('sly', share)
    await clock.advance(149)
    const slow = turns.take('slow', share)
    expect([sly.isLight, turns.stats]).toEqual([true, { running: 2, waiting: 1 }])
    await clock.advance(1)

    expect((await slow).isLight).toBe(true)
    greedy.end()
    const next = turns.take('greedy', share)
    // The place that the long one has now is the only one for long ones.
    expect(turns.stats).toEqual({ running: 2, waiting: 1 })
    sly.end()
    expect((await next).isLight).toBe(false)
  })

  it('are kept for a modest tenant among many who hardly ask, too', async () => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 2, reserved: 1, clock })
    await use(turns, clock, 'greedy', 50_000)
    for (let round = 0; round < 10; round++) await use(turns, clock, 'modest', 50)
    await turns.take('greedy', share)
    for (let index = 0; index < 100; index++) turns.take(`other-${index}`, share).catch(() => {})

    expect((await turns.take('modest', share)).isLight).toBe(true)
    expect(turns.stats).toEqual({ running: 2, waiting: 100 })
  })

  it('go to a newcomer whose queries are unknown as to anybody, and first', async () => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 2, reserved: 1, clock })
    await use(turns, clock, 'greedy', 5000)
    const held = await turns.take('greedy', share)
    const [, newcomer] = [turns.take('greedy', share), turns.take('newcomer', share)]
    held.end()

    expect((await newcomer).isLight).toBe(false)
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
    first.end()
    first.end()
    ;(await waiting[1])?.end()
    ;(await waiting[2])?.end()

    expect(turns.stats).toEqual({ running: 0, waiting: 0 })
  })

  it('go behind others for who has used the server most, however many tenants came since', async () => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 1, clock })
    await use(turns, clock, 'greedy', 5000)
    for (let index = 0; index < 10_000; index++) (await turns.take(`other-${index}`, share)).end()
    const held = await turns.take('other-0', share)
    const order: string[] = []
    const waiting = ['greedy', 'newcomer'].map((tenant) =>
      turns.take(tenant, share).then((turn) => {
        order.push(tenant)
        turn.end()
      }),
    )

    held.end()
    await Promise.all(waiting)

    expect(order).toEqual(['newcomer', 'greedy'])
  })

  it('are bounded over all tenants, and each of them may wait for one', async () => {
    const clock = new FakeClock()
    const turns = new FairTurns({ maxConcurrent: 1, maxWaiting: 4, clock })
    const first = await turns.take('a', share)
    const waiting = ['a', 'a', 'a', 'b', 'c'].map((tenant) => turns.take(tenant, share))

    await expect(turns.take('b', share)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_TENANT_BUSY' })
    expect(turns.stats).toEqual({ running: 1, waiting: 5 })
    first.end()
    for (const turn of waiting) void turn.then(({ end }) => end())
    await Promise.all(waiting)
    expect(turns.stats).toEqual({ running: 0, waiting: 0 })
  })

  it('are bounded for each tenant, whatever room there is', async () => {
    const turns = new FairTurns({ maxConcurrent: 10, reserved: 0, clock: new FakeClock() })
    const both = [await turns.take('a', share), await turns.take('a', share)]
    const third = turns.take('a', share)
    await turns.take('b', share)

    expect(turns.stats).toEqual({ running: 3, waiting: 1 })
    both[0]?.end()
    await third
    expect(turns.stats).toEqual({ running: 3, waiting: 0 })
  })
})
