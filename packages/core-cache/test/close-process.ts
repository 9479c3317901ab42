// Closes caches in the middle of everything that takes time; nothing may keep the process after that.
import { createCacheManager, createUsageTracker } from '@smart-whale/core-cache'
import { createCacheService, createRedisLayer } from '@smart-whale/core-cache/redis'
import { createFileLayer } from '@smart-whale/core-cache/sqlite'

const [url, folder] = process.argv.slice(2) as [string, string]
const codes: Record<string, unknown> = {}
const never = (): Promise<never> => new Promise(() => {})
const note = (what: string, work: Promise<unknown>): void => void work.then(() => (codes[what] = 'done'), (error: { readonly code?: unknown }) => (codes[what] = error.code))

function cacheFor(name: string) {
  const usage = createUsageTracker()
  return createCacheManager({ shared: createRedisLayer({ url, prefix: 'close' }), persistent: createFileLayer({ path: `${folder}/${name}.sqlite` }), analyzer: {}, prefetch: { usage } })
}

const loading = cacheFor('loading')
await loading.connect()
note('load', loading.smartGet('hanging', never))
// Long enough for its token to be prolonged.
await new Promise((resolve) => setTimeout(resolve, 700))
await loading.disconnect()

const opening = cacheFor('opening')
note('read while it opens', opening.smartGet('opening', () => 1))
await opening.disconnect()

const invalidating = cacheFor('invalidating')
await invalidating.connect()
note('invalidation', invalidating.invalidate('k'))
await invalidating.disconnect()

const layer = createRedisLayer({ url, prefix: 'close' })
void layer.connect({ onInvalidation: () => {}, onFollowed: () => {}, onSettled: () => {}, onBroken: () => {} })
await layer.disconnect()
const service = createCacheService({ url, prefix: 'close' })
note('connection', service.connect())
await service.disconnect()

process.on('exit', () => process.send?.(codes))
process.channel?.unref()
