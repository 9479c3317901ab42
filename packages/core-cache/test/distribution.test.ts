import { cachingContract } from '@smart-whale/interfaces/testing'
import { type CacheDistribution, type CacheDistributionConfig, createCacheDistribution } from '@smart-whale/core-cache/redis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ManagedServer } from '../../../tools/services/src/index.ts'
import { ownRedis, until } from './redis-servers.ts'

const SERVERS = 4
const KEYS = Array.from({ length: 2_000 }, (_, index) => `key:${index}`)
const servers: ManagedServer[] = []
const stops: (() => Promise<void>)[] = []
let remedy = ''
let number = 0

beforeAll(async () => {
  for (let index = 0; index < SERVERS; index++) {
    const redis = await ownRedis()
    if (redis.found === null) {
      remedy = redis.remedy
      return
    }
    servers.push(...redis.found.nodes)
    stops.push(redis.found.stop)
  }
})
afterAll(async () => {
  for (const stop of stops) await stop()
})

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

const names = (count: number): string[] => servers.slice(0, count).map(({ address }) => address)

async function distribution(config: CacheDistributionConfig): Promise<CacheDistribution> {
  const cache = createCacheDistribution(config, { timeoutMs: 60_000 })
  endings.push(() => cache.disconnect())
  await cache.connect()
  return cache
}

/** Writes entries, and says which node each is on. */
async function filled(cache: CacheDistribution): Promise<Map<string, string>> {
  await Promise.all(KEYS.map((key, index) => cache.set(key, index, index % 2 === 0 ? 600 : Infinity)))
  return placesOf(cache, KEYS)
}

const placesOf = (cache: CacheDistribution, keys: Iterable<string>): Map<string, string> => new Map([...cache.distribute(keys)].flatMap(([node, there]) => there.map((key) => [key, node] as const)))

/** Reads, writes and deletes keys of its own as long as it is told to, and checks each read against what it wrote. */
class Users {
  readonly errors: unknown[] = []
  readonly wrong: string[] = []
  operations = 0
  #isRunning = true
  readonly #running: Promise<void>[]

  constructor(caches: readonly CacheDistribution[], before: ReadonlyMap<string, string>) {
    this.#running = Array.from({ length: 24 }, (_, user) => this.#use(caches, user, before))
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await Promise.all(this.#running)
  }

  async #use(caches: readonly CacheDistribution[], user: number, before: ReadonlyMap<string, string>): Promise<void> {
    const own = Array.from({ length: 20 }, (_, index) => `own:${user}:${index}`)
    const expected = new Map<string, number>()
    const settled = [...before.keys()].filter((_, index) => index % 24 === user)
    for (let turn = 0; this.#isRunning; turn++) {
      const cache = caches[turn % caches.length] as CacheDistribution
      const key = own[turn % own.length] as string
      const old = settled[turn % settled.length] as string
      try {
        const found = await cache.get<number>(key)
        if (found !== expected.get(key)) this.wrong.push(`${key}: ${found} instead of ${expected.get(key)}`)
        const there = await cache.get<number>(old)
        if (there !== Number(old.slice(4))) this.wrong.push(`${old}: ${there}`)
        if (turn % 7 === 6) {
          expected.delete(key)
          await cache.delete(key)
        } else {
          expected.set(key, turn)
          await cache.set(key, turn, 600)
        }
        this.operations += 1
      } catch (error) {
        this.errors.push(error)
      }
    }
  }
}

describe('A distribution over several servers keeps the caching contract', () => {
  it.concurrent.for(cachingContract)('$name', async ({ run }, context) => {
    if (servers.length < SERVERS) return context.skip(`needs Redis: ${remedy}`)
    const prefix = `contract${process.pid}-${number++}`
    await run({ create: async () => createCacheDistribution({ nodes: names(3), prefix }, { timeoutMs: 60_000 }), defaultTtlSeconds: 60 })
  })
})

describe('Rebalancing', () => {
  it.for([
    ['a node that comes takes its share from each', 3, 4, 1 / 4],
    ['a node that goes gives its share to the others', 4, 3, 1 / 4],
  ] as const)('%s, while other processes read and write', async ([, before, after, share], context) => {
    if (servers.length < SERVERS) return context.skip(`needs Redis: ${remedy}`)
    const config = { nodes: names(before), prefix: `rebalance${number++}` }
    const caches = [await distribution(config), await distribution(config), await distribution({ ...config, nodes: names(1) })]
    const [first] = caches as [CacheDistribution]
    const places = await filled(first)
    const users = new Users(caches, places)
    await until('some use', () => users.operations > 200)

    const report = await first.rebalance(names(after))
    const operations = users.operations
    await until('some use after it', () => users.operations > operations + 200)
    await users.stop()

    expect({ errors: users.errors, wrong: users.wrong }).toEqual({ errors: [], wrong: [] })
    const moved = [...placesOf(first, places.keys())].filter(([key, node]) => places.get(key) !== node)
    const [changed] = names(4).slice(3)
    expect(moved.every(([key, node]) => node === changed || places.get(key) === changed)).toBe(true)
    expect(moved.length / KEYS.length).toBeCloseTo(share, 1)
    expect(report.moved).toBeGreaterThanOrEqual(moved.length)
    expect(report.strays).toBe(0)
    expect(caches.map((cache) => [...cache.distribute([]).keys()].sort())).toEqual(caches.map(() => names(after).sort()))
    const lives = await Promise.all(KEYS.map((key) => first.ttl(key)))
    expect(lives.filter((life) => life === null)).toHaveLength(KEYS.length / 2)
  })

  it('that is broken off is finished by another process, and nothing is missed in between', async (context) => {
    if (servers.length < SERVERS) return context.skip(`needs Redis: ${remedy}`)
    const config = { nodes: names(2), prefix: `broken${number++}` }
    const [first, second] = [await distribution(config), await distribution(config)]
    await filled(first)
    const giveUp = new AbortController()
    giveUp.abort()

    const outcome = await first.rebalance(names(4), { signal: giveUp.signal }).catch((error: unknown) => error)
    const between = await Promise.all(KEYS.map((key) => second.get(key)))
    await second.set('key:0', 'new')
    await second.delete('key:1')
    const report = await second.sync()

    expect(outcome).toMatchObject({ code: 'ERR_CACHE_REBALANCE', retryable: true })
    expect(between).toEqual(KEYS.map((_, index) => index))
    expect(report.moved / KEYS.length).toBeCloseTo(0.5, 1)
    expect([await first.get('key:0'), await first.get('key:1'), await first.get('key:2')]).toEqual(['new', undefined, 2])
    expect(await first.sync()).toEqual({ moved: 0, strays: 0 })
  })

  it('without a server that died costs what was on it, and no more', async (context) => {
    if (servers.length < SERVERS) return context.skip(`needs Redis: ${remedy}`)
    const config = { nodes: names(4), prefix: `dead${number++}` }
    const cache = await distribution(config)
    const places = await filled(cache)
    const dead = servers[3] as ManagedServer
    await dead.kill()
    endings.push(() => dead.restart())

    const refused = await cache.rebalance(names(3)).catch((error: unknown) => error)
    await cache.rebalance(names(3), { lost: [dead.address] })
    const values = await Promise.all(KEYS.map(async (key) => [places.get(key) === dead.address, await cache.get(key)] as const))

    expect(refused).toMatchObject({ code: 'ERR_CACHE_REBALANCE' })
    expect(values.every(([isLost, value]) => (value === undefined) === isLost)).toBe(true)
  })

  it('two processes at the same time leave one list behind, that both work by', async (context) => {
    if (servers.length < SERVERS) return context.skip(`needs Redis: ${remedy}`)
    const config = { nodes: names(2), prefix: `two${number++}` }
    const [first, second] = [await distribution(config), await distribution(config)]
    await filled(first)

    await Promise.allSettled([first.rebalance(names(3)), second.rebalance([names(4)[0] as string, names(4)[3] as string])])
    await first.sync()
    await second.sync()

    expect([...first.distribute([]).keys()]).toEqual([...second.distribute([]).keys()])
    const values = await Promise.all(KEYS.map((key) => second.get(key)))
    expect(values.every((value, index) => value === index || value === undefined)).toBe(true)
  })
})
