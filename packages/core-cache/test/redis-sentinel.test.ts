import { type CacheLock, createCacheService } from '@smart-whale/core-cache/redis'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ManagedServer, type RedisServers, SENTINEL_MASTER } from '../../../tools/services/src/index.ts'
import { keepReplicasAway, ownRedis, until } from './redis-servers.ts'
import { describeOn, linkedNodes, type Reached, serversOf } from './redis-suite.ts'
import { Traffic } from './redis-traffic.ts'

let reached: Reached = { servers: null, remedy: '', config: {} }

beforeAll(async () => {
  const redis = await ownRedis({ layout: 'sentinel' })
  reached = { servers: redis.found, remedy: redis.found === null ? redis.remedy : '', config: redis.found === null ? {} : configOf(redis.found) }
})
afterAll(() => reached.servers?.stop())

const configOf = ({ sentinels }: RedisServers) => ({ sentinel: { name: SENTINEL_MASTER, nodes: sentinels.map(addressOf) } })

function addressOf({ address }: ManagedServer): { host: string; port: number } {
  const [host = '', port = ''] = address.split(':')
  return { host, port: Number(port) }
}

/** The server that is the master at the moment. */
async function masterOf({ nodes, sentinels }: RedisServers): Promise<ManagedServer> {
  const sentinel = new Redis(addressOf(sentinels[0] as ManagedServer))
  const [, port] = (await sentinel.call('SENTINEL', 'get-master-addr-by-name', SENTINEL_MASTER)) as [string, string]
  sentinel.disconnect()
  return nodes.find(({ address }) => address.endsWith(`:${port}`)) as ManagedServer
}

describeOn('a master under Sentinels', () => reached)

/** Kills the master in the middle of reads and invalidations, and goes on until the next one has acknowledged some. */
async function failOverUnderTraffic(servers: RedisServers, beforeIt: (master: ManagedServer) => Promise<void>): Promise<Traffic> {
  const master = await masterOf(servers)
  const nodes = await linkedNodes(configOf(servers), 3)
  const traffic = new Traffic(nodes)
  await traffic.readQuiet()
  await until('invalidations', () => traffic.acknowledged > 10)

  await beforeIt(master)
  await traffic.invalidateQuiet()
  await master.kill()
  await until('nobody to be linked', () => nodes.every((node) => !node.isLinked()))
  await until('the failover', () => nodes.every((node) => node.isLinked())).catch(async (error: unknown) => {
    throw new TypeError(`linked: ${nodes.map((node) => node.isLinked())}; killed: ${master.address}, master: ${(await masterOf(servers)).address}`, { cause: error })
  })
  const after = traffic.acknowledged
  await traffic.readQuiet()
  await until('invalidations at the new master', () => traffic.acknowledged > after + 5)
  await traffic.stop()
  expect(await masterOf(servers)).not.toBe(master)
  return traffic
}

describe('A failover by Sentinel', () => {
  it('to a replica without the last acknowledged writes costs no caller an error, brings nothing back, and gives a lost lock with a greater number', async (context) => {
    const servers = serversOf(reached, context)
    const config = { ...configOf(servers), prefix: 'locks' }
    const [careless, careful] = [createCacheService(config, { timeoutMs: 3_000 }), createCacheService({ ...config, waitForReplicas: 1 }, { timeoutMs: 3_000 })]
    await Promise.all([careless.connect(), careful.connect()])

    const kept = await careful.lock('kept', 60_000)
    let first: CacheLock | undefined
    let refused: unknown
    const { errors, stale } = await failOverUnderTraffic(servers, async (master) => {
      await keepReplicasAway(master)
      first = await careless.lock('lost', 60_000)
      refused = await careful.lock('refused', 60_000).catch((error: unknown) => error)
    })
    // It has a connection of its own, which follows in its own time.
    await until('the service at the new master', () => careless.set('there', true).then(() => true, () => false))
    const second = await careless.lock('lost', 60_000)

    expect({ errors, stale }).toEqual({ errors: [], stale: [] })
    expect(second?.fencingToken).toBeGreaterThan(first?.fencingToken ?? 0n)
    expect(refused).toMatchObject({ code: 'ERR_CACHE_REDIS' })
    expect([kept?.fencingToken, await careless.lock('kept', 60_000)]).toEqual([expect.any(BigInt), undefined])
    await Promise.all([careless.disconnect(), careful.disconnect()])
  })
})
