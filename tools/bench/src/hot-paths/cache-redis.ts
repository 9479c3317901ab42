import { createCacheService } from '@smart-whale/core-cache/redis'
import { BentoCache, bentostore } from 'bentocache'
import { redisDriver } from 'bentocache/drivers/redis'
import { Redis } from 'ioredis'
import { startRedis } from '../../../services/src/index.ts'
import type { Contender, HotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const OURS = 'CacheService.distributedGet'
const PLAIN = 'plain ioredis: get and JSON.parse'
const BENTO = 'bentocache get, Redis alone'
const IN_FLIGHT = 64
const READS_PER_REPEAT = 64 * 16

/** What a hit in Redis costs with 64 reads in flight. */
export const cacheRedis: HotPath = {
  name: 'cache-redis',
  title: 'Cache: a hit in Redis, 64 in flight',
  operation: 'read',
  measure: 'client CPU',
  baseline: PLAIN,
  goals: [
    { contender: OURS, against: PLAIN, speedAtLeast: 1.5 },
    { contender: OURS, against: BENTO, speedAtLeast: 2 },
  ],
  open: async () => {
    const servers = await startRedis()
    const url = `redis://${servers.nodes[0]?.address}`
    const plain = new Redis(url)
    const connection = new Redis(url)
    const bento = new BentoCache({ default: 'redis', stores: { redis: bentostore().useL2Layer(redisDriver({ connection: connection as never })) } })
    const ours = createCacheService({ url })
    await ours.connect()
    const value = { name: 'whale', tags: ['a', 'b'], size: 30 }
    await plain.set('bench', JSON.stringify(value))
    await bento.set({ key: 'bench', value, ttl: '1h' })
    await ours.set('bench', value, 3600)
    const contenders = [
      contender(PLAIN, async () => JSON.parse((await plain.get('bench')) ?? 'null')),
      contender(OURS, () => ours.distributedGet('bench')),
      contender(BENTO, () => bento.get({ key: 'bench' })),
    ]
    const close = async (): Promise<void> => {
      await Promise.all([ours.disconnect(), bento.disconnectAll()])
      for (const client of [plain, connection]) client.disconnect()
      await servers.stop()
    }
    return { contenders, serverPid: null, close }
  },
}

function contender(name: string, read: () => Promise<unknown>): Contender {
  const reader = async (reads: number): Promise<void> => {
    for (let done = 0; done < reads; done++) await read()
  }
  return {
    name,
    operationsPerRepeat: READS_PER_REPEAT,
    run: async (repeats) => void (await Promise.all(Array.from({ length: IN_FLIGHT }, () => reader((repeats * READS_PER_REPEAT) / IN_FLIGHT)))),
    verify: async () => requireEqual(name, ((await read()) as { name: string }).name, 'whale'),
  }
}
