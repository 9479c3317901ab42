import type { CacheManager } from '@smart-whale/core-cache'
import { createCacheDistribution } from '@smart-whale/core-cache/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ManagedServer, RedisServers } from '../../../tools/services/src/index.ts'
import { keepReplicasAway, ownRedis, until } from './redis-servers.ts'
import { describeOn, linkedNodes, type Reached, serversOf } from './redis-suite.ts'
import { Traffic } from './redis-traffic.ts'

const MASTERS = 3
let reached: Reached = { servers: null, remedy: '', config: {} }

beforeAll(async () => {
  const redis = await ownRedis({ layout: 'cluster', replicas: 1 })
  reached = { servers: redis.found, remedy: redis.found === null ? redis.remedy : '', config: redis.found === null ? {} : { cluster: redis.found.nodes.map(addressOf) } }
})
afterAll(() => reached.servers?.stop())

function addressOf({ address }: ManagedServer): { host: string; port: number } {
  const [host = '', port = ''] = address.split(':')
  return { host, port: Number(port) }
}

/** Asks one server. */
async function ask(server: ManagedServer, ...command: [string, ...string[]]): Promise<unknown> {
  const raw = new Redis(`redis://${server.address}`)
  const answer = await raw.call(...command)
  raw.disconnect()
  return answer
}

/** Which of the first masters holds a key, as the slots were given out at the start. */
async function shardOf({ nodes }: RedisServers, name: string): Promise<number> {
  const slot = (await ask(nodes.at(-1) as ManagedServer, 'CLUSTER', 'KEYSLOT', name)) as number
  return Math.floor((slot * MASTERS) / 16_384)
}

describeOn('a cluster', () => reached)

describe('A distribution over a cluster', () => {
  it('leaves to the cluster where the entries are, and knows it', async (context) => {
    const servers = serversOf(reached, context)
    const cache = createCacheDistribution({ ...reached.config, prefix: 'spread' })
    await cache.connect()
    const keys = Array.from({ length: 200 }, (_, index) => `key {${index % 7}} ${index}`)
    await Promise.all(keys.map((key) => cache.set(key, key)))

    await cache.sync()
    const places = cache.distribute(keys)

    expect([...places.keys()].sort()).toEqual(servers.nodes.slice(0, MASTERS).map(({ address }) => address).sort())
    for (const [node, there] of places) {
      const raw = new Redis(`redis://${node}`)
      expect(await Promise.all(there.map((key) => raw.exists(`spread:c:${key}`)))).toEqual(there.map(() => 1))
      raw.disconnect()
    }
    await expect(cache.rebalance(['a:1'])).rejects.toMatchObject({ code: 'ERR_CACHE_CONFIGURATION' })
    await cache.disconnect()
  })
})

describe('A failover in a cluster, to a replica without the last acknowledged writes,', () => {
  it('brings nothing back that was invalidated, and costs no caller an error', async (context) => {
    const servers = serversOf(reached, context)
    const prefix = 'failover'
    const nodes = await linkedNodes(reached.config, 3, prefix)
    const traffic = new Traffic(nodes)
    const coordination = await shardOf(servers, `${prefix}:{coordination}`)

    // A shard of values first: the coordination knows nothing of what it loses.
    for (const shard of [(coordination + 1) % MASTERS, coordination]) await failOver(servers, shard, traffic, nodes)
    await traffic.stop()

    expect({ errors: traffic.errors, stale: traffic.stale }).toEqual({ errors: [], stale: [] })
  })
})

async function failOver({ nodes }: RedisServers, shard: number, traffic: Traffic, caches: readonly CacheManager[]): Promise<void> {
  const [master, replica] = [nodes[shard], nodes[shard + MASTERS]] as [ManagedServer, ManagedServer]
  await traffic.readQuiet()
  await acknowledged(traffic, 10)
  await keepReplicasAway(master)
  await Promise.all([traffic.invalidateQuiet(), acknowledged(traffic, 10)])
  await master.kill()
  await until('the replica to take over', async () => String(await ask(replica, 'ROLE')).startsWith('master'))
  await until('all to be linked', () => caches.every((cache) => cache.isLinked()))
  await traffic.readQuiet()
  await acknowledged(traffic, 5)
}

async function acknowledged(traffic: Traffic, more: number): Promise<void> {
  const before = traffic.acknowledged
  await until('invalidations', () => traffic.acknowledged >= before + more)
}
