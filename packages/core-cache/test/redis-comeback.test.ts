import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import type { ManagedServer } from '../../../tools/services/src/index.ts'
import { ownRedis, until } from './redis-servers.ts'
import { linkedNodes } from './redis-suite.ts'
import { Traffic } from './redis-traffic.ts'

/** What it takes to have a server read its file for some seconds. */
const KEYS_IN_FILE = 20_000
const MICROSECONDS_A_KEY = 100

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function ask(server: ManagedServer, ...command: [string, ...string[]]): Promise<unknown> {
  const raw = new Redis(`redis://${server.address}`)
  const answer = await raw.call(...command)
  raw.disconnect()
  return answer
}

/** What a server says to those who ask it while something goes on. */
async function refusalsDuring({ address }: ManagedServer, work: Promise<void>): Promise<string[]> {
  const raw = new Redis(`redis://${address}`, { enableReadyCheck: false, maxRetriesPerRequest: 0, retryStrategy: () => 20 })
  raw.on('error', () => {})
  const refusals: string[] = []
  let isOver = false
  const end = work.finally(() => (isOver = true))
  while (!isOver) {
    await raw.ping().catch((error: Error) => refusals.push(error.message))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  raw.disconnect()
  await end
  return refusals
}

describe('A server that comes back', () => {
  it('with what it held some time ago, and takes long to read it, brings nothing back that was invalidated', async (context) => {
    const redis = await ownRedis()
    if (redis.found === null) return context.skip(`needs Redis: ${redis.remedy}`)
    endings.push(() => redis.found.stop())
    const [server] = redis.found.nodes as [ManagedServer]
    await ask(server, 'CONFIG', 'SET', 'key-load-delay', String(MICROSECONDS_A_KEY), 'loading-process-events-interval-bytes', '1024')
    await ask(server, 'CONFIG', 'REWRITE')
    await ask(server, 'EVAL', `for key = 1, ${KEYS_IN_FILE} do redis.call('SET', 'filler' .. key, key) end`, '0')
    const nodes = await linkedNodes({ url: `redis://${server.address}` }, 3)
    const traffic = new Traffic(nodes)

    await traffic.readQuiet()
    await until('invalidations', () => traffic.acknowledged > 10)
    await ask(server, 'SAVE')
    await traffic.invalidateQuiet()
    await server.kill()
    const refusals = await refusalsDuring(server, server.restart())
    const linkedMs = await until('the link', () => nodes.every((node) => node.isLinked()))
    await traffic.readQuiet()
    await traffic.stop()

    expect(Number(await ask(server, 'DBSIZE'))).toBeGreaterThan(KEYS_IN_FILE)
    expect(refusals.filter((refusal) => refusal.startsWith('LOADING')).length).toBeGreaterThan(0)
    expect({ errors: traffic.errors, stale: traffic.stale }).toEqual({ errors: [], stale: [] })
    expect(linkedMs).toBeLessThan(20_000)
  })
})
