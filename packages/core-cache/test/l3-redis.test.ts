import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CacheManager, createCacheManager } from '@smart-whale/core-cache'
import { createRedisLayer } from '@smart-whale/core-cache/redis'
import { createFileLayer } from '@smart-whale/core-cache/sqlite'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RedisServers } from '../../../tools/services/src/index.ts'
import { ownRedis, until } from './redis-servers.ts'

let servers: RedisServers | null = null
let remedy = ''
let url = ''
let folder = ''
let prefix = ''
let open: CacheManager[] = []

beforeAll(async () => {
  const redis = await ownRedis()
  servers = redis.found
  if (redis.found === null) remedy = redis.remedy
  else url = `redis://${redis.found.nodes[0]?.address}`
})
afterAll(() => servers?.stop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'smart-whale-l3-'))
  prefix = `l3-${process.pid}-${Math.random().toString(36).slice(2)}`
})
afterEach(async () => {
  for (const cache of open) await cache.disconnect()
  open = []
  await rm(folder, { recursive: true, force: true })
})

/** A node; with a file it keeps everything there, and nothing in Redis. */
async function node(file?: string): Promise<CacheManager> {
  const options = { shared: createRedisLayer({ url, prefix }), sharedTimeoutMs: 2_000, refreshShare: 0, ttlSeconds: 600 }
  const persistent = { persistentMinLoadMs: 0, persistentTimeoutMs: 5_000, persistentOpenTimeoutMs: 10_000, sharedMaxBytes: 1 }
  const cache = createCacheManager(file === undefined ? options : { ...options, ...persistent, persistent: createFileLayer({ path: join(folder, file) }) })
  open.push(cache)
  await cache.connect()
  await until('the link', () => cache.isLinked())
  return cache
}

describe('A node that was down while others invalidated', () => {
  it('answers from its file with what nobody has invalidated, and with nothing else', async (context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const near = await node()
    const before = await node('far.sqlite')
    for (const key of ['key', 'tag', 'pattern:1', 'kept']) await before.smartGet(key, () => `${key} old`, { tags: [`of ${key}`] })
    await before.disconnect()
    await near.invalidate('key')
    await near.invalidateTags(['of tag'])
    await near.patternInvalidate('pattern:*')

    const after = await node('far.sqlite')

    expect(await Promise.all(['key', 'tag', 'pattern:1', 'kept'].map((key) => after.smartGet(key, () => 'new')))).toEqual(['new', 'new', 'new', 'kept old'])
  })

  it.for([
    ['everything was invalidated', (near: CacheManager) => near.clear()],
    ['Redis came back empty', async () => {
      const raw = new Redis(url)
      await raw.flushall()
      raw.disconnect()
    }],
    ['there was more than is remembered', async (near: CacheManager) => {
      for (let turn = 0; turn < 1_050; turn++) await near.invalidate(`other:${turn}`)
    }],
  ] as const)('keeps nothing when %s', async ([_what, happen], context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    const near = await node()
    const before = await node('far.sqlite')
    await before.smartGet('k', () => 'old')
    await before.disconnect()
    await happen(near)

    const after = await node('far.sqlite')

    expect(await after.smartGet('k', () => 'new')).toBe('new')
  })
})
