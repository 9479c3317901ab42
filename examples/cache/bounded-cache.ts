// Keeps values in the process: bounded by entries and bytes, with a life, found by pattern.
import { createL1Cache } from '@smart-whale/core-cache'

const cache = createL1Cache({ maxEntries: 1_000, maxBytes: 1024 * 1024, defaultTtlSeconds: 60 })

await cache.set('user:1', { name: 'Ada', roles: new Set(['admin']), since: new Date('2026-01-01'), credits: 12n })
const user = await cache.get<{ roles: Set<string>; since: Date; credits: bigint }>('user:1')
console.log('kept as it was:', user?.roles.has('admin'), user?.since.getUTCFullYear(), typeof user?.credits)

// undefined always means a miss; null is a value.
await cache.set('user:2', null)
console.log('null is a value:', await cache.get('user:2'), '- a miss is', await cache.get('user:3'))

// Many more than fit: what is used often stays.
for (let index = 0; index < 20_000; index++) {
  await cache.set(`page:${index}`, 'x'.repeat(100))
  await cache.get('user:1')
}
console.log('the busy entry is still there:', await cache.exists('user:1'))

const pages: string[] = []
for await (const key of cache.scanKeys('page:1999[0-9]')) pages.push(key)
console.log('the last ten pages:', pages.length)

const { entries, hits, misses, evictions } = cache.getStats()
console.log({ entries, hits, misses, evictions })
