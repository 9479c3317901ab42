import { cachingContract } from '@smart-whale/interfaces/testing'
import { createCacheManager, type CacheManager } from '@smart-whale/core-cache'
import { createCacheService, createRedisLayer, type RedisConfig } from '@smart-whale/core-cache/redis'
import { afterEach, describe, expect, it, type TestContext } from 'vitest'
import type { RedisServers } from '../../../tools/services/src/index.ts'
import { until } from './redis-servers.ts'

let number = 0

/** Servers of a test file, or why there are none. */
export interface Reached {
  readonly servers: RedisServers | null
  readonly remedy: string
  readonly config: RedisConfig
}

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

/** Nodes of one cache, linked; they end with the test. */
export async function linkedNodes(config: RedisConfig, count: number, prefix = `suite${process.pid}-${number++}`): Promise<CacheManager[]> {
  const nodes = Array.from({ length: count }, () => createCacheManager({ shared: createRedisLayer({ ...config, prefix }, { shardTimeoutMs: 900 }), sharedTimeoutMs: 1_000, refreshShare: 0 }))
  for (const node of nodes) {
    endings.push(() => node.disconnect())
    await node.connect()
    await until('the link', () => node.isLinked())
  }
  return nodes
}

/** Skips a test whose servers aren't there. */
export function serversOf({ servers, remedy }: Reached, context: TestContext): RedisServers {
  return servers ?? context.skip(`needs Redis: ${remedy}`)
}

/** What every server, however many of them there are, has to do for the cache. */
export function describeOn(name: string, reached: () => Reached): void {
  describe(`CacheService on ${name} keeps the caching contract`, () => {
    it.concurrent.for(cachingContract)('$name', async ({ run }, context) => {
      serversOf(reached(), context)
      const prefix = `contract${process.pid}-${number++}`
      await run({ create: async () => createCacheService({ ...reached().config, prefix }, { timeoutMs: 60_000 }), defaultTtlSeconds: 60 })
    })

    it('gives a lock to one at a time, with a number that grows', async (context) => {
      serversOf(reached(), context)
      const cache = createCacheService({ ...reached().config, prefix: `lock${process.pid}-${number++}` }, { timeoutMs: 60_000 })
      endings.push(() => cache.disconnect())
      await cache.connect()

      const first = await cache.lock('job', 20_000)
      const refused = await cache.lock('job', 20_000)
      await first?.release()
      const second = await cache.lock('job', 20_000)

      expect(refused).toBeUndefined()
      expect(second?.fencingToken).toBeGreaterThan(first?.fencingToken ?? 0n)
    })
  })

  describe(`The nodes of a cache on ${name}`, () => {
    it('load a cold key once', async (context) => {
      serversOf(reached(), context)
      const nodes = await linkedNodes(reached().config, 2)
      let loads = 0
      const loader = async (): Promise<number> => {
        await new Promise((resolve) => setTimeout(resolve, 100))
        return ++loads
      }

      const values = await Promise.all(Array.from({ length: 100 }, (_, index) => (nodes[index % 2] as CacheManager).smartGet('k', loader)))

      expect(values).toEqual(Array.from({ length: 100 }, () => 1))
    })

    const ways: readonly [string, (node: CacheManager) => Promise<void>][] = [
      ['of keys', (node) => node.batchInvalidate(['a', 'b', 'c'])],
      ['by a pattern', (node) => node.patternInvalidate('[abc]')],
      ['by a tag', (node) => node.invalidateTags(['t'])],
      ['of everything', (node) => node.clear()],
    ]
    it('have followed an invalidation before it is acknowledged', async (context) => {
      serversOf(reached(), context)
      // In a run that has just begun each takes a lease: at the same time, so that the test doesn't.
      const outcomes = ways.map(async ([name, invalidate]) => {
        const [near, far] = (await linkedNodes(reached().config, 2)) as [CacheManager, CacheManager]
        let version = 1
        const read = (node: CacheManager): Promise<number[]> => Promise.all(['a', 'b', 'c'].map((key) => node.smartGet(key, () => version, { tags: ['t'] })))
        const before = [await read(near), await read(far)]
        version = 2
        await invalidate(near)
        return [name, before, [await read(far), await read(near)]]
      })

      const versions = (version: number): number[][] => [1, 2].map(() => [version, version, version])
      expect(await Promise.all(outcomes)).toEqual(ways.map(([name]) => [name, versions(1), versions(2)]))
    })
  })
}
