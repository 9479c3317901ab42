import { cachingContract } from '@smart-whale/interfaces/testing'
import { createL1Cache, type L1Cache } from '@smart-whale/core-cache'
import { createL2Cache, L2Cache } from '@smart-whale/core-cache/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import type { RedisServers } from '../../../tools/services/src/index.ts'
import { ownRedis, until } from './redis-servers.ts'

let servers: RedisServers | null = null
let remedy = ''
let url = ''
let number = 0

beforeAll(async () => {
  const redis = await ownRedis()
  servers = redis.found
  if (redis.found === null) remedy = redis.remedy
  else url = `redis://${redis.found.nodes[0]?.address}`
})
afterAll(async () => {
  await servers?.stop()
})

interface Node {
  readonly cache: L2Cache
  readonly l1: L1Cache
}

/** Two nodes with memories of their own, and the prefix of both. */
async function twoNodes(context: TestContext, FarCache = L2Cache, timeoutMs = 60_000): Promise<{ near: Node; far: Node; raw: Redis; prefix: string }> {
  if (servers === null) return context.skip(`needs Redis: ${remedy}`)
  const prefix = `l2-${process.pid}-${number++}`
  const node = async (Cache: typeof L2Cache): Promise<Node> => {
    const l1 = createL1Cache()
    const cache = new Cache({ url, prefix }, { l1, l1TtlSeconds: 60, timeoutMs })
    context.onTestFinished(() => cache.disconnect())
    await cache.connect()
    await until('the link', () => cache.isLinked())
    return { cache, l1 }
  }
  const [near, far] = await Promise.all([node(L2Cache), node(FarCache)])
  const raw = new Redis(url)
  context.onTestFinished(() => raw.disconnect())
  return { near, far, raw, prefix }
}

/** Waits until a node has the value in its memory. */
function isKept({ cache, l1 }: Node, key: string, value: unknown): Promise<number> {
  return until('the value in memory', async () => (await cache.distributedGet(key)) === value && l1.checkVitality(key) !== undefined)
}

describe('L2Cache on Redis keeps the caching contract', () => {
  it.concurrent.for(cachingContract)('$name', async ({ run }, context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const prefix = `l2-contract${process.pid}-${number++}`
    await run({ create: async () => createL2Cache({ url, prefix }, { l1: createL1Cache(), l1TtlSeconds: 60, timeoutMs: 60_000 }), defaultTtlSeconds: 60 })
  })
})

describe('The memories of the nodes of an L2Cache', () => {
  it.concurrent('answer in place of Redis, each with a copy that its holder may change', async (context) => {
    const { near, far, raw, prefix } = await twoNodes(context)
    await near.cache.distributedSet('k', { list: [1] })
    await near.cache.syncNodes(['k'])
    const first = await far.cache.distributedGet<{ list: number[] }>('k')
    first?.list.push(2)
    await raw.del(`${prefix}:c:k`)

    expect(await far.cache.distributedGet('k')).toEqual({ list: [1] })
    expect(far.l1.getStats().hits).toBe(1)
  })

  it.concurrent.for([
    ['what another node writes', ({ cache }: Node) => cache.distributedSet('k', 'new'), 'new'],
    ['what another node deletes', ({ cache }: Node) => cache.delete('k'), undefined],
  ] as const)('forget %s, at the latest when syncNodes has resolved', async ([, change, expected], context) => {
    const { near, far } = await twoNodes(context)
    await near.cache.distributedSet('k', 'old')
    await Promise.all([isKept(near, 'k', 'old'), isKept(far, 'k', 'old')])

    await change(near)
    await near.cache.syncNodes(['k'])

    expect([near.l1.checkVitality('k'), far.l1.checkVitality('k')]).toEqual([undefined, undefined])
    expect([await near.cache.distributedGet('k'), await far.cache.distributedGet('k')]).toEqual([expected, expected])
  })

  it.concurrent('keep nothing that was read before it was replaced', async (context) => {
    const hold = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    class HeldUp extends L2Cache {
      override async ttl(key: string): Promise<number | null> {
        const left = await super.ttl(key)
        began.resolve()
        await hold.promise
        return left
      }
    }
    const { near, far } = await twoNodes(context, HeldUp)
    await near.cache.distributedSet('k', 'old')
    await near.cache.syncNodes(['k'])
    const read = far.cache.distributedGet('k')
    await began.promise

    await near.cache.distributedSet('k', 'new')
    await near.cache.syncNodes(['k'])
    hold.resolve()

    expect(await read).toBe('old')
    expect(await far.cache.distributedGet('k')).toBe('new')
  })

  it.concurrent('forget everything when no key is named, also what was changed by other means', async (context) => {
    const { near, far, raw, prefix } = await twoNodes(context)
    for (const key of ['a', 'b']) await near.cache.distributedSet(key, key)
    await Promise.all([isKept(far, 'a', 'a'), isKept(far, 'b', 'b')])
    await raw.del(`${prefix}:c:a`)

    await near.cache.syncNodes()

    expect(far.l1.getStats().entries).toBe(0)
    expect(await far.cache.distributedGet('a')).toBeUndefined()
  })

  it.concurrent('keep nothing longer than Redis does', async (context) => {
    const { near, far } = await twoNodes(context)
    await near.cache.distributedSet('k', 1, 0.5)
    await until('the value in memory, or its end', async () => (await far.cache.distributedGet('k')) === undefined || far.l1.checkVitality('k') !== undefined)

    expect(far.l1.checkVitality('k')?.remainingMs ?? 0).toBeLessThanOrEqual(500)
    await until('its end', async () => (await far.cache.distributedGet('k')) === undefined)
  })
})

describe('A write to an L2Cache that took too long', () => {
  it('is told to all nodes all the same, for it may be done later', async (context) => {
    const { near, far, raw, prefix } = await twoNodes(context, L2Cache, 1_000)
    await near.cache.distributedSet('k', 'old')
    await Promise.all([isKept(near, 'k', 'old'), isKept(far, 'k', 'old')])

    const old = (await raw.getBuffer(`${prefix}:c:k`)) as Buffer
    await raw.client('PAUSE', 2_500, 'WRITE')
    await expect(near.cache.distributedSet('k', 'new')).rejects.toMatchObject({ code: 'ERR_CACHE_REDIS' })

    await until('the new value on Redis', async () => (await raw.exists(`${prefix}:c:k`)) === 1 && !(await raw.getBuffer(`${prefix}:c:k`))?.equals(old))
    await until('both to follow', () => near.cache.isLinked() && far.cache.isLinked())
    for (const { cache } of [near, far]) await until('the new value', async () => (await cache.distributedGet('k')) === 'new')
  })
})

describe('A value of an L2Cache that ends while it is read', () => {
  it('is not kept in memory', async (context) => {
    class AtItsEnd extends L2Cache {
      override async ttl(): Promise<number | null> {
        return 0
      }
    }
    const { near, far } = await twoNodes(context, AtItsEnd)
    await near.cache.distributedSet('k', 1)
    await near.cache.syncNodes(['k'])

    expect(await far.cache.distributedGet('k')).toBe(1)
    expect(far.l1.checkVitality('k')).toBeUndefined()
  })
})

describe('A node of an L2Cache that is cut off', () => {
  it('does not answer from its memory, and has nothing of before when it is back', async (context) => {
    const { near, far, raw, prefix } = await twoNodes(context)
    await near.cache.distributedSet('k', 'old')
    await isKept(far, 'k', 'old')
    // Redis takes no renewal, and then has another value than the one in memory.
    await raw.client('PAUSE', 10_000, 'ALL')
    await until('the end of the lease', () => !far.cache.isLinked())
    await raw.client('UNPAUSE')
    await raw.del(`${prefix}:c:k`)
    await near.cache.syncNodes(['k'])

    expect(await far.cache.distributedGet('k')).toBeUndefined()
  })
})

describe('createL2Cache', () => {
  it.each([
    ['l1TtlSeconds', { l1TtlSeconds: 0 }],
    ['syncTimeoutMs', { syncTimeoutMs: 0 }],
  ])('refuses %s that is no time', (option, options) => {
    expect(() => createL2Cache({ url: 'redis://localhost' }, options)).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CONFIGURATION', context: expect.objectContaining({ option }) }))
  })
})
