import { createCacheManager, type CacheManager } from '@smart-whale/core-cache'
import { createRedisLayer } from '@smart-whale/core-cache/redis'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { type ManagedServer, startToxiproxy } from '../../../tools/services/src/index.ts'
import { ownRedis, until } from './redis-servers.ts'

/** What is done to Redis, and how it is undone. */
interface Fault {
  readonly name: string
  /** Whether the server refuses only part of what it is asked, so that the link goes on. */
  readonly linkStays?: boolean
  begin(server: ManagedServer, raw: Redis): Promise<void>
  end(server: ManagedServer, raw: Redis): Promise<void>
}

const FAULTS: readonly Fault[] = [
  { name: 'killed and restarted empty', begin: (server) => server.kill(), end: (server) => server.restart() },
  { name: 'asleep, connections open', begin: async (server) => server.pause(), end: async (server) => server.resume() },
  {
    name: 'full, with no eviction',
    linkStays: true,
    begin: async (_server, raw) => void (await raw.config('SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction')),
    end: async (_server, raw) => void (await raw.config('SET', 'maxmemory', '0')),
  },
  {
    name: 'read-only',
    begin: async (_server, raw) => void (await raw.replicaof('127.0.0.1', '1')),
    end: async (_server, raw) => void (await raw.replicaof('NO', 'ONE')),
  },
]

/** Reads of many keys, some of them new, for as long as it is told to. */
class Readers {
  readonly latenciesMs: number[] = []
  readonly errors: unknown[] = []
  #isRunning = true
  readonly #readers: Promise<void>[]

  constructor(cache: CacheManager, count: number) {
    this.#readers = Array.from({ length: count }, (_, reader) => this.#read(cache, reader))
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await Promise.all(this.#readers)
  }

  async #read(cache: CacheManager, reader: number): Promise<void> {
    for (let turn = 0; this.#isRunning; turn++) {
      const begin = performance.now()
      try {
        // A loader that takes no time: what is measured is what the cache adds.
        const value = await cache.smartGet(`k:${reader}:${turn % 50}`, () => 'value', { ttlSeconds: 0.5 })
        if (value !== 'value') this.errors.push(value)
      } catch (error) {
        this.errors.push(error)
      }
      this.latenciesMs.push(performance.now() - begin)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

const percentile = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

/** Makes nodes of one cache, linked. */
async function linkedNode(url: string, prefix = 'faults'): Promise<CacheManager> {
  const cache = createCacheManager({ shared: createRedisLayer({ url, prefix }) })
  endings.push(() => cache.disconnect())
  await cache.connect()
  await until('the link', () => cache.isLinked())
  return cache
}

describe('Redis', () => {
  it.for(FAULTS)('$name costs no caller an error, and is used again when it is back', async (fault, context) => {
    const redis = await ownRedis()
    if (redis.found === null) return context.skip(`needs Redis: ${redis.remedy}`)
    endings.push(() => redis.found.stop())
    const [server] = redis.found.nodes as [ManagedServer]
    const raw = new Redis(`redis://${server.address}`, { maxRetriesPerRequest: null })
    raw.on('error', () => {})
    endings.push(async () => raw.disconnect())
    const cache = await linkedNode(`redis://${server.address}`)
    const during = new Readers(cache, 8)

    await fault.begin(server, raw)
    if (fault.linkStays !== true) await until('the breaker to open', () => !cache.isLinked())
    const [open, control] = [new Readers(cache, 8), new Readers(createCacheManager(), 8)]
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    await Promise.all([open.stop(), control.stop()])
    await fault.end(server, raw)
    const backMs = await until('the link', () => cache.isLinked())
    await during.stop()

    expect([...during.errors, ...open.errors]).toEqual([])
    // A layer that is left alone costs nothing beside what a cache without one takes on this machine now; one that goes on answering may cost its deadline.
    expect(percentile(open.latenciesMs, 0.99)).toBeLessThan(3 * percentile(control.latenciesMs, 0.99) + (fault.linkStays === true ? 150 : 50))
    expect(backMs).toBeLessThan(20_000)
    await cache.smartGet('after', () => 'value')
    await until('a value in Redis', async () => {
      await cache.smartGet(`after:${performance.now()}`, () => 'value')
      return (await raw.keys('faults:{k:after*:v')).length > 0
    })
  })
})

describe('A node whose line to Redis is cut', () => {
  it.for(['cut', 'blackHole'] as const)('answers with nothing that was invalidated and acknowledged meanwhile (%s)', async (fault, context) => {
    const redis = await ownRedis()
    if (redis.found === null) return context.skip(`needs Redis: ${redis.remedy}`)
    endings.push(() => redis.found.stop())
    const address = redis.found.nodes[0]?.address as string
    const proxy = await startToxiproxy().catch(() => undefined)
    if (proxy === undefined) return context.skip('needs Toxiproxy')
    endings.push(() => proxy.stop())
    const line = await proxy.createLine(address)
    const near = await linkedNode(`redis://${address}`)
    const far = await linkedNode(`redis://${line.address}`)
    let version = 1
    const loader = (): number => version
    expect([await near.smartGet('k', loader), await far.smartGet('k', loader)]).toEqual([1, 1])

    await line[fault]()
    version = 2
    await near.invalidate('k')
    const cutOff = await far.smartGet('k', loader)
    await line.mend()
    await until('the link', () => far.isLinked())

    expect(cutOff).toBe(2)
    expect([await far.smartGet('k', loader), await near.smartGet('k', loader)]).toEqual([2, 2])
  })
})

describe('An invalidation while Redis is away', () => {
  it('is not acknowledged, and is carried out when Redis is back', async (context) => {
    const redis = await ownRedis()
    if (redis.found === null) return context.skip(`needs Redis: ${redis.remedy}`)
    endings.push(() => redis.found.stop())
    const [server] = redis.found.nodes as [ManagedServer]
    const a = await linkedNode(`redis://${server.address}`)
    const b = await linkedNode(`redis://${server.address}`)
    let version = 1
    const loader = (): number => version
    expect([await a.smartGet('k', loader), await b.smartGet('k', loader)]).toEqual([1, 1])

    server.pause()
    version = 2
    const outcome = await a.invalidate('k').catch((error: unknown) => error)
    expect(outcome).toMatchObject({ code: 'ERR_CACHE_UNACKNOWLEDGED', retryable: true })
    expect(await a.smartGet('k', loader)).toBe(2)
    server.resume()

    await until('the invalidation', async () => (await b.smartGet('k', loader)) === 2)
  })
})
