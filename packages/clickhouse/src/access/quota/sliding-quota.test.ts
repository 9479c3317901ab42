import { createL1Cache } from '@smart-whale/core-cache'
import { chaosCache, chaosWhen, FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createMemoryQuotaStore } from './memory-quota-store.ts'
import { createSharedQuotaStore } from './shared-quota-store.ts'
import { SlidingQuota } from './sliding-quota.ts'

const query = (rowsRead: number) => ({ queries: 1, rowsRead, bytesRead: 0, serverMs: 0 })

describe('a quota', () => {
  it('never lets more through within any window than it has, and always something again at the time it names', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 5, maxLength: 40 }), fc.integer({ min: 1, max: 5 }), async (pauses, maxQueries) => {
        const clock = new FakeClock()
        const quota = new SlidingQuota({ windowSeconds: 60, maxQueries }, createMemoryQuotaStore({ clock }), () => clock.now())
        const let_in: number[] = []
        for (const pause of pauses) {
          await clock.advance(pause)
          const excess = await quota.excess('a')
          if (excess === undefined) {
            await quota.spend('a', query(1))
            let_in.push(clock.now())
          } else if (pause % 7 === 0) {
            await clock.advance(excess.retryAfterMs)
            expect(await quota.excess('a')).toBeUndefined()
          }
        }
        for (const at of let_in) expect(let_in.filter((other) => other >= at && other < at + 60_000).length).toBeLessThanOrEqual(maxQueries)
      }),
      { numRuns: 50 },
    )
  })

  it('is one for all processes that share a cache, and each counts its own and what the others said last while the cache is away', async () => {
    const clock = new FakeClock()
    const cache = createL1Cache({ clock })
    let isAway = false
    const flaky = chaosCache(cache, chaosWhen(() => isAway, { fail: 'before' }))
    const process = () => new SlidingQuota({ windowSeconds: 60, maxRowsRead: 10 }, createSharedQuotaStore({ cache: flaky, clock }), () => clock.now())
    const [one, other] = [process(), process()]
    await Promise.all([one.excess('a'), other.excess('a')])
    await clock.advance(1500)

    await Promise.all([one.spend('a', query(6)), other.spend('a', query(6))])

    expect(await one.excess('a')).toMatchObject({ kind: 'rowsRead', spent: 12, allowed: 10 })
    expect(await other.excess('b')).toBeUndefined()
    await Promise.all([one.spend('b', query(6)), other.spend('c', query(6))])
    isAway = true
    expect(await one.excess('a')).toMatchObject({ spent: 12 })
    expect(await other.excess('b')).toBeUndefined()
    await other.spend('b', query(11))
    expect(await one.excess('b')).toBeUndefined()
    expect(await other.excess('b')).toMatchObject({ spent: 11 })
    isAway = false
    await clock.advance(1_000)
    await other.excess('somebody')
    expect(await one.excess('b')).toMatchObject({ spent: 17 })
  })

  it('counts what another process has spent for as long as what it has spent itself', async () => {
    const clock = new FakeClock()
    const cache = createL1Cache({ clock })
    const process = () => new SlidingQuota({ windowSeconds: 60, maxRowsRead: 10 }, createSharedQuotaStore({ cache, clock }), () => clock.now())
    const [one, other] = [process(), process()]
    await Promise.all([one.excess('a'), other.excess('a')])
    const sliceMs = 5_000
    await clock.advance(sliceMs - (clock.now() % sliceMs) + sliceMs - 100)
    await other.spend('a', query(10))

    await clock.advance(59_000)

    expect(await other.excess('a')).toMatchObject({ kind: 'rowsRead' })
    expect(await one.excess('a')).toMatchObject({ kind: 'rowsRead' })
    await clock.advance(2_000)
    expect([await one.excess('a'), await other.excess('a')]).toEqual([undefined, undefined])
  })

  it('asks of those that are at work at each decision, however many others have spent something and are gone', async () => {
    const clock = new FakeClock()
    const cache = createL1Cache({ clock })
    let reads = 0
    const counted = new Proxy(cache, {
      get: (target, name) => {
        if (name === 'get') reads += 1
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? (member as (...args: unknown[]) => unknown).bind(target) : member
      },
    })
    const process = () => new SlidingQuota({ windowSeconds: 7200, maxRowsRead: 30 }, createSharedQuotaStore({ cache: counted, clock }), () => clock.now())
    const gone = Array.from({ length: 20 }, process)
    for (const each of gone) await each.spend('a', query(1))
    const [one, other] = [process(), process()]
    const decide = async (): Promise<number> => {
      await other.excess('a')
      const before = reads
      expect(await one.excess('a')).toBeUndefined()
      return reads - before
    }
    for (let minute = 0; minute < 90; minute++) {
      await decide()
      await clock.advance(60_000)
    }
    await decide()
    await decide()

    expect(await decide()).toBe(1)
    await other.spend('a', query(9))
    expect(await decide()).toBe(1)
    await gone[0]?.spend('a', query(1))
    await clock.advance(1_000)
    expect(await one.excess('a')).toMatchObject({ kind: 'rowsRead', spent: 30 })
    await clock.advance(7_200_000 * (13 / 12))
    expect(await one.excess('a')).toBeUndefined()
  })

  it('knows what others have spent from its first decision on, however many it has to take at once', async () => {
    const clock = new FakeClock()
    const cache = createL1Cache({ clock })
    const process = () => new SlidingQuota({ windowSeconds: 60, maxRowsRead: 10 }, createSharedQuotaStore({ cache, clock }), () => clock.now())
    await process().spend('a', query(10))
    const begun = process()

    const decisions = await Promise.all([begun.excess('a'), begun.excess('a'), begun.enter('a')])

    expect(decisions.map((excess) => excess?.spent)).toEqual([10, 10, 10])
  })

  it('finds the other processes without a look at all keys of the cache, also when many begin at once', async () => {
    const clock = new FakeClock()
    const cache = createL1Cache({ clock })
    const large = new Proxy(cache, {
      get: (target, name) => {
        // Over a network, and among millions of keys.
        if (name === 'scanKeys') return () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) })
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return async (...args: unknown[]): Promise<unknown> => {
          const answer: unknown = await (member as (...args: unknown[]) => Promise<unknown>).apply(target, args)
          await Promise.resolve()
          return answer
        }
      },
    })
    const processes = Array.from({ length: 10 }, () => new SlidingQuota({ windowSeconds: 60, maxRowsRead: 20 }, createSharedQuotaStore({ cache: large, clock }), () => clock.now()))
    for (let second = 0; second < 5; second++) {
      await Promise.all(processes.map((each) => each.excess('a')))
      await clock.advance(1_000)
    }

    await Promise.all(processes.map((each) => each.spend('a', query(2))))

    const seen = await Promise.all(processes.map((each) => each.excess('a')))
    expect(seen.map((excess) => excess?.spent)).toEqual(Array(10).fill(20))
  })
})
