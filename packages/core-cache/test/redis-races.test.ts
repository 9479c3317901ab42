import type { RecordReply, SharedCache, SharedListener } from '@smart-whale/core-cache'
import { createRedisLayer } from '@smart-whale/core-cache/redis'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { ownRedis } from './redis-servers.ts'

const FILLERS = 100_000
const LOADS = 400
const listener: SharedListener = { onInvalidation: () => {}, onFollowed: () => {}, onSettled: () => {}, onBroken: () => {} }
const endings: (() => Promise<unknown>)[] = []

afterAll(() => Promise.all(endings.map((end) => end())))

describe('An invalidation by a pattern', () => {
  it('leaves nothing of loads that began before it and are stored while it goes through the keys', async (context) => {
    const redis = await ownRedis()
    if (redis.found === null) return context.skip(`needs Redis: ${redis.remedy}`)
    endings.push(() => redis.found.stop())
    const url = `redis://${redis.found.nodes[0]?.address}`
    const raw = new Redis(url)
    await raw.eval(`for key = 1, ${FILLERS} do redis.call('SET', 'filler' .. key, key) end`, 0)
    raw.disconnect()
    const [invalidating, loading] = [0, 1].map(() => createRedisLayer({ url, prefix: 'patterns' })) as [SharedCache, SharedCache]
    for (const layer of [invalidating, loading]) {
      endings.unshift(() => layer.disconnect())
      await layer.connect(listener)
    }
    const keys = Array.from({ length: LOADS }, (_, index) => `hot:${index}`)
    const tokenOf = (key: string): string => key.padEnd(22, '.')
    for (const key of keys) await loading.claim({ key, token: tokenOf(key), lifeMs: 60_000, unusable: '', waitedFor: '' })

    const removed = invalidating.removeMatching('hot:*')
    let stored = 0
    for (const key of keys) if (await loading.fill(key, tokenOf(key), 'from before', 60_000)) stored += 1
    await removed
    const reply: RecordReply = await invalidating.record('node', { patterns: ['hot:*'] })
    const left = (await Promise.all(keys.map((key) => loading.read(key)))).filter((payload) => payload !== undefined)

    expect(reply.number).toBeGreaterThan(0)
    expect(stored).toBeGreaterThan(0)
    expect(left.length).toBe(0)
  })
})

describe('A node that was struck off and is back', () => {
  it('is not struck off for the one that was away, however often it has renewed since', async (context) => {
    const redis = await ownRedis()
    if (redis.found === null) return context.skip(`needs Redis: ${redis.remedy}`)
    endings.push(() => redis.found.stop())
    const layer = createRedisLayer({ url: `redis://${redis.found.nodes[0]?.address}`, prefix: 'struck' })
    endings.unshift(() => layer.disconnect())
    await layer.connect(listener)
    const renew = (known: string) => layer.renew({ node: 'b', run: known, followed: 0, mark: '', tell: [] })

    const { run } = await renew('')
    const { nodes } = await layer.record('a', { keys: ['k'] })
    await layer.strike(run, nodes)
    const struck = await layer.record('a', { keys: ['k'] })
    await renew(run)
    // Whoever waited for it on account of the first one, or of another run, is late.
    await layer.strike(run, nodes)
    await layer.strike('another run', (await layer.record('a', { keys: ['k'] })).nodes)

    expect(nodes.map(({ node }) => node)).toEqual(['b'])
    expect(struck.nodes).toEqual([])
    expect((await layer.record('a', { keys: ['k'] })).nodes.map(({ node }) => node)).toEqual(['b'])
  })
})
