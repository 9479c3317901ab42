import { createCacheManager } from '@smart-whale/core-cache'
import { createCache as createDedupeCache } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { Cacheable } from 'cacheable'
import { LRUCache } from 'lru-cache'
import type { Contender, HotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const OURS = 'CacheManager.smartGet'
const BENTO = 'bentocache getOrSet'
const CACHEABLE = 'cacheable getOrSet'
const CALLS_PER_REPEAT = 1_000
const KEYS = Array.from({ length: 100 }, (_, index) => `user:${index}`)

/** What a read-through costs when the value is in memory. */
export const cacheSmartGet: HotPath = {
  name: 'cache-smart-get',
  title: 'Cache: a read-through that finds its value in memory',
  operation: 'read',
  measure: 'client CPU',
  baseline: BENTO,
  goals: [
    { contender: OURS, against: BENTO, speedAtLeast: 6 },
    { contender: OURS, against: CACHEABLE, speedAtLeast: 20 },
  ],
  open: async () => {
    const value = { name: 'whale', tags: ['a', 'b'] }
    const load = async () => value
    const ours = createCacheManager({ ttlSeconds: 3600 })
    const bento = new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 10_000 })) } })
    const cacheable = new Cacheable()
    const lru = new LRUCache<string, object>({ max: 10_000, fetchMethod: load })
    const dedupe = createDedupeCache({ ttl: 3600, storage: { type: 'memory' } }).define('user', async (_key: string) => value)
    const contenders = [
      contender(OURS, (key) => ours.smartGet(key, load)),
      contender(BENTO, (key) => bento.getOrSet({ key, factory: load, ttl: '1h' })),
      contender(CACHEABLE, (key) => cacheable.getOrSet(key, load, { ttl: '1h' })),
      contender('lru-cache fetch', (key) => lru.fetch(key)),
      contender('async-cache-dedupe', (key) => dedupe.user(key)),
    ]
    const close = async (): Promise<void> => {
      await Promise.all([ours.disconnect(), bento.disconnectAll(), cacheable.disconnect()])
    }
    return { contenders, serverPid: null, close }
  },
}

function contender(name: string, read: (key: string) => Promise<unknown>): Contender {
  return {
    name,
    operationsPerRepeat: CALLS_PER_REPEAT,
    run: async (repeats) => {
      for (let call = 0; call < repeats * CALLS_PER_REPEAT; call++) await read(KEYS[call % KEYS.length] as string)
    },
    verify: async () => requireEqual(name, ((await read(KEYS[0] as string)) as { name: string }).name, 'whale'),
  }
}
