// Loads and invalidates keys as fast as it can, and tells of each invalidation that was acknowledged, until it is killed.
import { createCacheManager } from '@smart-whale/core-cache'
import { createFileLayer } from '@smart-whale/core-cache/sqlite'

const cache = createCacheManager({ persistent: createFileLayer({ path: process.argv[2] as string, commitEveryMs: 5 }), ttlSeconds: 600, persistentMinLoadMs: 0, persistentTimeoutMs: 5_000, invalidationTimeoutMs: 30_000 })
await cache.connect()

let version = Number(process.argv[3]) * 1_000_000
async function work(key: string): Promise<void> {
  for (;;) {
    const mine = ++version
    await cache.smartGet(key, () => ({ version: mine }))
    cache.demote(key)
    if (Math.random() < 0.5) continue
    const before = version
    await cache.invalidate(key)
    process.send?.({ key, version: mine })
    const found = await cache.smartGet(key, () => ({ version: ++version }))
    if (found.version <= before) process.send?.({ key, version: found.version, isStale: true })
  }
}
await Promise.all(Array.from({ length: 30 }, (_, index) => work(`k${index}`)))
