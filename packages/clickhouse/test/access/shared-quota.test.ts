import { createL1Cache } from '@smart-whale/core-cache'
import { createCacheService, createL2Cache } from '@smart-whale/core-cache/redis'
import type { CachingInterface } from '@smart-whale/interfaces'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { type RedisServers, ServiceError, startRedis } from '../../../../tools/services/src/index.ts'
import { createSharedQuotaStore } from '../../src/access/quota/shared-quota-store.ts'
import { SlidingQuota } from '../../src/access/quota/sliding-quota.ts'
import { type LetIn, QuotaProcesses, type SharedQuotaPlan } from './quota-processes.ts'

const until = (what: string, isSo: () => boolean | Promise<boolean>): Promise<void> => expect.poll(isSo, { message: what, interval: 20 }).toBe(true)

const SPENT = { queries: 1, rowsRead: 1, bytesRead: 0, serverMs: 0 }

let servers: RedisServers | null = null
let remedy = ''
let number = 0

beforeAll(async () => {
  servers = await startRedis().catch((error: unknown) => {
    if (!(error instanceof ServiceError)) throw error
    remedy = error.message
    return null
  })
})

afterAll(() => servers?.stop())

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

/** The server, which a test may kill, and a prefix of its own; skips where there is no Redis. */
function redisOf(context: TestContext) {
  const server = servers?.nodes[0] ?? context.skip(`needs Redis: ${remedy}`)
  return { server, url: `redis://${server.address}`, prefix: `quota${process.pid}-${number++}` }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function processes(count: number, plan: SharedQuotaPlan): Promise<QuotaProcesses> {
  const started = await QuotaProcesses.start(count, plan)
  endings.push(() => started[Symbol.asyncDispose]())
  return started
}

/** Ways to reach Redis: straight, and through a memory that is told of what others write. */
const CACHES: readonly [string, (where: { url: string; prefix: string }) => CachingInterface][] = [
  ['a cache on Redis', (where) => createCacheService(where)],
  ['a cache on Redis with a memory in front of it', (where) => createL2Cache(where, { l1: createL1Cache() })],
]

/** Several that share a quota, each with a connection of its own, as processes have. */
async function quotas(count: number, options: { maxQueries: number; windowSeconds: number }, open: () => CachingInterface, timeoutMs = 2_000): Promise<SlidingQuota[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const cache = open()
      await cache.connect()
      endings.push(() => cache.disconnect())
      return new SlidingQuota(options, createSharedQuotaStore({ cache, timeoutMs }), () => Date.now())
    }),
  )
}

const spentAsSeen = async (all: readonly SlidingQuota[]): Promise<(number | undefined)[]> => (await Promise.all(all.map((quota) => quota.excess('tenant')))).map((excess) => excess?.spent)

describe('a quota that processes share on Redis', () => {
  it('lets no more through within any window than it has and what runs in the other processes, and all of it again in the next', async (context) => {
    const { url, prefix } = redisOf(context)
    const plan = { url, prefix, windowSeconds: 2, maxQueries: 100 }
    const askers = 4
    const all = await processes(3, plan)
    await all.all({ do: 'look' })
    await pause(1_100)

    const letIn: LetIn[] = []
    // A slice counts until its end has left the window: 2.17 s. One round is enough on a machine that isn't slow.
    while (letIn.length < 2 * plan.maxQueries) letIn.push(...(await all.all<LetIn[]>({ do: 'ask', ms: 5_500, askers })).flat())

    // Each was let in somewhere between its question and its answer: what is for sure within a window, and what may be.
    const surely = letIn.map(({ askedAt }) => letIn.filter((other) => other.askedAt >= askedAt && other.answeredAt < askedAt + 2_000).length)
    const maybe = letIn.map(({ askedAt }) => letIn.filter((other) => other.answeredAt >= askedAt && other.askedAt < askedAt + 2_000).length)
    expect(Math.max(...surely)).toBeLessThanOrEqual(plan.maxQueries + 2 * askers)
    expect(Math.max(...maybe)).toBeGreaterThanOrEqual(plan.maxQueries - askers)
  })

  it('is known to all of 48 that begin at once in four processes, and to those that come when one of these was killed', async (context) => {
    const { url, prefix } = redisOf(context)
    const plan = { url, prefix, windowSeconds: 600, maxQueries: 48, instances: 12 }
    const first = await processes(4, plan)

    await first.all({ do: 'spend' })

    await until('what all have spent', async () => (await first.all<number[]>({ do: 'look' })).flat().every((spent) => spent === 48))
    await first.kill(0)
    const later = await processes(1, { ...plan, instances: 1 })
    expect(await later.all<number[]>({ do: 'look' })).toEqual([[48]])
  })

  it.for(CACHES)('is spent in all, and goes out of Redis when its time is over: %s', async ([, open], context) => {
    const { url, prefix } = redisOf(context)
    const all = await quotas(3, { windowSeconds: 5, maxQueries: 6 }, () => open({ url, prefix }))
    await spentAsSeen(all)
    await pause(1_100)

    for (const quota of all) await Promise.all([quota.spend('tenant', SPENT), quota.spend('tenant', SPENT)])

    await until('what all have spent', async () => (await spentAsSeen(all)).every((spent) => spent === 6))
    await until('some again', async () => (await spentAsSeen(all)).every((spent) => spent === undefined))
    const raw = new Redis(url)
    endings.push(async () => raw.disconnect())
    await until('an empty Redis but for the lists', async () => (await raw.keys(`${prefix}*spent:*`)).length === 0)
    const lives = await Promise.all((await raw.keys(`${prefix}*members:*`)).map((key) => raw.pttl(key)))
    expect(lives.length).toBeGreaterThan(0)
    expect(lives.every((ms) => ms > 0 && ms <= 3_610_000)).toBe(true)
  })

  it('counts what this process spends and what the others have said while Redis is asleep, and waits for it once a second only', async (context) => {
    const { server, url, prefix } = redisOf(context)
    const [one, other] = (await quotas(2, { windowSeconds: 60, maxQueries: 4 }, () => createCacheService({ url, prefix }), 250)) as [SlidingQuota, SlidingQuota]
    await spentAsSeen([one, other])
    await pause(1_100)
    await other.spend('tenant', SPENT)
    await other.spend('tenant', SPENT)
    expect(await spentAsSeen([one])).toEqual([undefined])

    server.pause()
    const begun = performance.now()
    let [decisions, tookMs] = [0, 0]
    try {
      for (; decisions < 200 || performance.now() - begun < 2_000; decisions++) {
        expect(await one.excess('tenant')).toBeUndefined()
        await pause(1)
      }
      tookMs = performance.now() - begun
      await one.spend('tenant', SPENT)
      await one.spend('tenant', SPENT)
      expect(await one.excess('tenant')).toMatchObject({ spent: 4 })
    } finally {
      server.resume()
    }

    // Would each of them wait, for 250 ms, it took two and a half times as long.
    expect(tookMs).toBeLessThan(decisions * 100)
    // What was spent meanwhile is told when it can be, by one that asks of anybody.
    await until('what was spent meanwhile', async () => {
      await one.excess('somebody')
      return (await spentAsSeen([other]))[0] === 4
    })
  })

  it('is told again by those that are at work when Redis comes back empty', async (context) => {
    const { server, url, prefix } = redisOf(context)
    const all = await quotas(3, { windowSeconds: 60, maxQueries: 3 }, () => createCacheService({ url, prefix }))
    await spentAsSeen(all)
    await pause(1_100)
    for (const quota of all) await quota.spend('tenant', SPENT)
    expect(await spentAsSeen(all)).toEqual([3, 3, 3])

    await server.kill()
    try {
      expect(await spentAsSeen(all)).toEqual([3, 3, 3])
    } finally {
      await server.restart()
    }
    const raw = new Redis(url)
    endings.push(async () => raw.disconnect())
    expect(await raw.keys('*')).toEqual([])

    // Each asks for somebody else: what it has spent itself for this one is told all the same.
    await until('what each has spent', async () => {
      await Promise.all(all.map((quota) => quota.excess('somebody')))
      return (await raw.keys(`${prefix}*spent:tenant:*`)).length === 3
    })
    const later = await quotas(1, { windowSeconds: 60, maxQueries: 3 }, () => createCacheService({ url, prefix }))
    expect(await spentAsSeen([...all, ...later])).toEqual([3, 3, 3, 3])
  })

  it('goes on when Redis takes nothing any more, and tells what was spent once it does', async (context) => {
    const { url, prefix } = redisOf(context)
    const [one, other] = (await quotas(2, { windowSeconds: 60, maxQueries: 2 }, () => createCacheService({ url, prefix }))) as [SlidingQuota, SlidingQuota]
    await spentAsSeen([one, other])
    await pause(1_100)
    const raw = new Redis(url)
    endings.push(async () => raw.disconnect())

    await raw.config('SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction')
    try {
      await one.spend('tenant', SPENT)
      await one.spend('tenant', SPENT)
      expect(await spentAsSeen([one])).toEqual([2])
    } finally {
      await raw.config('SET', 'maxmemory', '0')
    }

    await until('what was spent', async () => {
      await one.excess('somebody')
      return (await spentAsSeen([other]))[0] === 2
    })
  })
})
