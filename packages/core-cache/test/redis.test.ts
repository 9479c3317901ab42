import { fork } from 'node:child_process'
import { join } from 'node:path'
import { cachingContract } from '@smart-whale/interfaces/testing'
import { createCacheManager, type CacheManager } from '@smart-whale/core-cache'
import { createCacheService, createRedisLayer } from '@smart-whale/core-cache/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RedisServers } from '../../../tools/services/src/index.ts'
import { ownRedis, until } from './redis-servers.ts'

let servers: RedisServers | null = null
let remedy = ''
let url = ''
let raw: Redis
let number = 0

beforeAll(async () => {
  const redis = await ownRedis()
  servers = redis.found
  if (redis.found === null) {
    remedy = redis.remedy
    return
  }
  url = `redis://${redis.found.nodes[0]?.address}`
  raw = new Redis(url)
})

afterAll(async () => {
  raw?.disconnect()
  await servers?.stop()
})

/** Two nodes of one cache. */
async function twoNodes(): Promise<{ a: CacheManager; b: CacheManager; prefix: string; end: () => Promise<void> }> {
  const prefix = `t${process.pid}-${number++}`
  const node = () => createCacheManager({ shared: createRedisLayer({ url, prefix }), sharedTimeoutMs: 2_000, refreshShare: 0 })
  const [a, b] = [node(), node()]
  for (const manager of [a, b]) {
    await manager.connect()
    await until('the link', () => manager.isLinked())
  }
  return { a, b, prefix, end: async () => void (await Promise.all([a.disconnect(), b.disconnect()])) }
}

const slow = <T>(value: () => T, ms = 100) => async (): Promise<T> => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return value()
}

describe('CacheService on Redis keeps the caching contract', () => {
  it.for(cachingContract)('$name', async ({ run }, context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const prefix = `contract${process.pid}-${number++}`
    await run({ create: async () => createCacheService({ url, prefix }, { timeoutMs: 60_000 }), defaultTtlSeconds: 60 })
  })

  it('takes what nobody of ours wrote for a miss', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const prefix = `foreign${process.pid}`
    const cache = createCacheService({ url, prefix }, { timeoutMs: 60_000 })
    await cache.connect()
    for (const payload of ['', 'x', 'SWV1|', 'SWV1|1|', 'SWV1|2|{}}', 'SWV1|2|[}', '\u0000ÿ']) {
      await raw.set(`${prefix}:c:k`, payload)
      expect(await cache.get('k')).toBeUndefined()
    }
    await cache.disconnect()
  })

  it('gives a lock to one, with a number that only grows', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const cache = createCacheService({ url, prefix: `lock${process.pid}` }, { timeoutMs: 60_000 })
    await cache.connect()

    const first = await cache.lock('job', 20_000)
    const refused = await cache.lock('job', 20_000)
    await first?.release()
    await raw.flushall()
    const second = await cache.lock('job', 20_000)

    expect(refused).toBeUndefined()
    expect(second?.fencingToken).toBeGreaterThan(first?.fencingToken ?? 0n)
    expect(await first?.prolong(1000)).toBe(false)
    await cache.disconnect()
  })
})

describe('A cold key', () => {
  it('is loaded once for all callers of two nodes', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const { a, b, end } = await twoNodes()
    let loads = 0
    const loader = slow(() => ({ at: new Date(7), load: ++loads }))

    const values = await Promise.all(Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? a : b).smartGet('k', loader)))

    expect(loads).toBe(1)
    expect(values.every((value) => value.load === 1 && value.at.getTime() === 7)).toBe(true)
    await end()
  })

  it('is loaded once when the loader fails, and all get to know', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const { a, b, end } = await twoNodes()
    let loads = 0
    const loader = slow(() => {
      loads += 1
      throw new RangeError('the source is away: password=secret')
    })

    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? a : b).smartGet('k', loader)))

    expect(loads).toBe(1)
    const reasons = new Set(outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as Error).message : 'none')))
    expect([...reasons].sort()).toEqual(['the load of "k" failed in the process that did it: RangeError', 'the source is away: password=secret'])
    await end()
  })

  it('is loaded once by four processes with 500 callers each', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const outcomes = await callersInProcesses(4, 'load', `processes${process.pid}`)

    expect(outcomes).toEqual(Array.from({ length: 4 }, () => ({ values: 500, failures: 0 })))
    expect(await raw.get(`processes${process.pid}-loads`)).toBe('1')
  })

  it('is loaded once by four processes with 500 callers each when the loader fails', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const outcomes = await callersInProcesses(4, 'fail', `failing${process.pid}`)

    expect(outcomes).toEqual(Array.from({ length: 4 }, () => ({ values: 0, failures: 500 })))
    expect(await raw.get(`failing${process.pid}-loads`)).toBe('1')
  })

  it('is loaded by another process when the one that loads it dies', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const outcomes = await callersInProcesses(3, 'die', `dying${process.pid}`)

    expect(outcomes.filter((outcome) => outcome === 'died')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome !== 'died')).toEqual([{ values: 500, failures: 0 }, { values: 500, failures: 0 }])
    expect(await raw.get(`dying${process.pid}-loads`)).toBe('2')
  })
})

/** Starts processes that all ask at the same time; the answers of each, or that it died. */
async function callersInProcesses(count: number, mode: string, prefix: string): Promise<unknown[]> {
  const children = Array.from({ length: count }, () => fork(join(import.meta.dirname, 'callers-process.ts'), [url, prefix, mode, String(count)], { execArgv: ['--conditions=@smart-whale/source'] }))
  await Promise.all(children.map((child) => new Promise((resolve) => child.once('message', resolve))))
  const outcomes = children.map((child) => new Promise((resolve) => child.once('message', resolve).once('exit', () => resolve('died'))))
  for (const child of children) child.send('go')
  return Promise.all(outcomes)
}

describe('An invalidation', () => {
  const ways: readonly [string, (a: CacheManager) => Promise<void>][] = [
    ['of a key', (a) => a.invalidate('k:1')],
    ['of several keys', (a) => a.batchInvalidate(['x', 'k:1'])],
    ['by a pattern', (a) => a.patternInvalidate('k:[0-9]')],
    ['by a tag', (a) => a.invalidateTags(['t'])],
    ['of everything', (a) => a.clear()],
  ]

  it.for(ways)('%s reaches the other node before it is acknowledged', async ([_name, invalidate], context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const { a, b, end } = await twoNodes()
    let version = 1
    const loader = (): number => version
    const options = { tags: ['t'] }
    expect([await a.smartGet('k:1', loader, options), await b.smartGet('k:1', loader, options)]).toEqual([1, 1])

    version = 2
    await invalidate(a)

    expect([await b.smartGet('k:1', loader, options), await a.smartGet('k:1', loader, options)]).toEqual([2, 2])
    await end()
  })

  it('keeps a loader that began before it from putting its value back', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const { a, b, prefix, end } = await twoNodes()
    let finish: (value: string) => void = () => {}
    const old = b.smartGet('k', () => new Promise<string>((resolve) => (finish = resolve)))
    await until('the load', async () => (await raw.exists(`${prefix}:{k:k}:t`)) === 1)

    await a.invalidate('k')
    finish('old')

    expect(await old).toBe('old')
    expect([await b.smartGet('k', () => 'new'), await a.smartGet('k', () => 'newer')]).toEqual(['new', 'new'])
    await end()
  })

  it('takes a payload that nobody of ours wrote for a miss, and replaces it', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const { a, prefix, end } = await twoNodes()
    for (const [index, payload] of ['x', '{"a":1}', 'SWC1', `SWC1${'é'.repeat(30)}`, `SWC1${'t'.repeat(22)}|1|[]\n{`].entries()) {
      await raw.set(`${prefix}:{k:f${index}}:v`, payload)
      expect(await a.smartGet(`f${index}`, () => index)).toBe(index)
    }
    await end()
  })
})
