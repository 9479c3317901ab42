// Writes and invalidates as fast as it can, and tells of each invalidation that was acknowledged, until it is killed.
import { createL3Cache } from '@smart-whale/core-cache'
import { createFileLayer } from '@smart-whale/core-cache/sqlite'

const cache = createL3Cache({ layer: createFileLayer({ path: process.argv[2] as string, maxBytes: 1_000_000 }), timeoutMs: 20_000 })
await cache.connect()

let version = 0
async function write(key: string): Promise<void> {
  for (;;) {
    const mine = ++version
    await cache.set(key, { version: mine, filling: String(mine).repeat(200) })
    if (mine % 3 !== 0) continue
    await cache.invalidate(key)
    process.send?.({ key, version: mine })
  }
}
await Promise.all(Array.from({ length: 100 }, (_, index) => write(`k${index}`)))
